/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lists of headers with q values (RFC 9110, 12.4.2), read as far as two answers need it. */
#include "web_encoding.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "util.h"

#define GZIP_WINDOW (15 + 16) /* of zlib: gzip's header and trailer */
#define GZIP_LEVEL  1	      /* of a scrape no more bytes than 4 makes, in half the time */

static const char *skip_spaces(const char *at)
{
	return at + strspn(at, " \t");
}

/* Thousandths of a q parameter in [at, end); 1000: there is none; 0: it is malformed, as if it were
 * q=0. */
static unsigned quality(const char *at, const char *end)
{
	for (; at && at < end; at = memchr(at, ';', (size_t)(end - at))) {
		unsigned value = 0, place = 100;

		at = skip_spaces(at + (*at == ';'));
		if (at + 2 > end || strncasecmp(at, "q=", 2))
			continue;
		at += 2;
		if (at >= end || (*at != '0' && *at != '1'))
			return 0;
		value = *at == '1' ? 1000 : 0;
		if (++at < end && *at == '.')
			for (at++; at < end && *at >= '0' && *at <= '9'; at++, place /= 10)
				value += (unsigned)(*at - '0') * place;
		return value > 1000 ? 1000 : value;
	}
	return 1000;
}

/* The best quality of an element that is called so; 0: none is. */
static unsigned best_quality(const char *list, const char *name)
{
	size_t length = strlen(name);
	unsigned best = 0, found;

	while (list && *list) {
		const char *end = strchrnul(list, ',');

		list = skip_spaces(list);
		if ((size_t)(end - list) >= length && !strncasecmp(list, name, length) &&
		    strchr(" \t;,", list[length])) {
			found = quality(list + length, end);
			best = max(best, found);
		}
		list = *end ? end + 1 : end;
	}
	return best;
}

bool web_accepts_openmetrics(const char *accept)
{
	unsigned openmetrics = best_quality(accept, "application/openmetrics-text");

	return openmetrics && openmetrics >= best_quality(accept, "text/plain");
}

bool web_accepts_gzip(const char *accept_encoding)
{
	return best_quality(accept_encoding, "gzip") > 0;
}

int web_gzip(const void *data, size_t bytes, void **out, size_t *out_bytes)
{
	z_stream stream = { .next_in = (Bytef *)data, .avail_in = (uInt)bytes };
	cleanup_free void *packed = NULL;
	size_t room;
	int result;

	if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	room = deflateBound(&stream, (uLong)bytes);
	packed = malloc(room);
	stream.next_out = packed;
	stream.avail_out = (uInt)room;
	result = packed ? deflate(&stream, Z_FINISH) : Z_MEM_ERROR;
	*out_bytes = stream.total_out;
	deflateEnd(&stream);
	if (result != Z_STREAM_END)
		return -ENOMEM;
	*out = take(packed);
	return 0;
}
