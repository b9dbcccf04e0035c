/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lists of headers with q values (RFC 9110, 12.4.2), read as far as two answers need it. */
#include "web_encoding.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
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

struct packing {
	z_stream stream;
	int fd;
	Bytef room[16 * 1024];
};

static int write_all(int fd, const Bytef *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Takes all that is to be packed. */
static int pack(struct packing *packing, int flush)
{
	int result, err;

	do {
		packing->stream.next_out = packing->room;
		packing->stream.avail_out = sizeof(packing->room);
		result = deflate(&packing->stream, flush);
		if (result == Z_STREAM_ERROR)
			return -EIO;
		err = write_all(packing->fd, packing->room, sizeof(packing->room) - packing->stream.avail_out);
	} while (!err && !packing->stream.avail_out);
	return err;
}

static ssize_t pack_some(void *cookie, const char *data, size_t bytes)
{
	struct packing *packing = cookie;

	packing->stream.next_in = (Bytef *)data;
	packing->stream.avail_in = (uInt)bytes;
	return pack(packing, Z_NO_FLUSH) ? 0 : (ssize_t)bytes;
}

static int pack_rest(void *cookie)
{
	struct packing *packing = cookie;
	int err = pack(packing, Z_FINISH);

	deflateEnd(&packing->stream);
	free(packing);
	errno = -err;
	return err ? EOF : 0;
}

FILE *web_gzip_open(int fd)
{
	static const cookie_io_functions_t functions = { .write = pack_some, .close = pack_rest };
	struct packing *packing = calloc(1, sizeof(*packing));
	FILE *out = NULL;

	if (!packing)
		return NULL;
	packing->fd = fd;
	if (deflateInit2(&packing->stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
		out = fopencookie(packing, "w", functions);
		if (out)
			return out;
		deflateEnd(&packing->stream);
	}
	free(packing);
	errno = ENOMEM;
	return NULL;
}
