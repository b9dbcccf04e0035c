/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Finds out a CPython's version where no symbol tells it (before 3.11). */
#include "pyversion.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util.h"

#define CHUNK_BYTES    65536
#define LITERAL_BYTES  24 /* "3.10.13rc1+" and its NUL, with room */
#define MAX_SCAN_BYTES (16u << 20)
#define MINOR_LOW      7
#define MINOR_HIGH     10

/* At most three digits; returns what follows them, NULL if there are none. */
static const char *parse_number(const char *at, const char *end, unsigned *number)
{
	const char *first = at;

	*number = 0;
	while (at < end && at - first < 3 && isdigit((unsigned char)*at))
		*number = *number * 10 + (unsigned)(*at++ - '0');
	return at == first ? NULL : at;
}

uint32_t pyversion_of_name(const char *basename)
{
	const char *at = strstr(basename, "python"), *end = basename + strlen(basename);
	unsigned major, minor;

	if (!at)
		return 0;
	at = parse_number(at + strlen("python"), end, &major);
	if (!at || *at != '.' || major > 0xff)
		return 0;
	at = parse_number(at + 1, end, &minor);
	if (!at || minor > 0xff)
		return 0;
	return major << 24 | minor << 16;
}

/* The literal's tail: "MICRO", "MICROrcN", "MICRO+", up to its NUL. */
static bool parse_literal(const char *at, const char *end, unsigned minor, uint32_t *version)
{
	unsigned micro, level = 0xf, serial = 0;

	at = parse_number(at, end, &micro);
	if (!at || micro > 0xff || at == end)
		return false;
	if (*at == 'a' || *at == 'b' || *at == 'r') {
		level = *at == 'a' ? 0xa : *at == 'b' ? 0xb : 0xc;
		at += *at == 'r' ? 2 : 1;
		at = at < end ? parse_number(at, end, &serial) : NULL;
	}
	if (at && at < end && *at == '+')
		at++;
	if (!at || at == end || *at != '\0')
		return false;
	*version = 3u << 24 | minor << 16 | micro << 8 | level << 4 | (serial & 0xf);
	return true;
}

static bool scan_chunk(const char *chunk, size_t bytes, unsigned minor, uint32_t *version)
{
	char prefix[8];
	size_t prefix_bytes = (size_t)snprintf(prefix, sizeof(prefix), "3.%u.", minor);
	const char *end = chunk + bytes;

	for (const char *at = chunk; at < end; at++) {
		at = memmem(at, (size_t)(end - at), prefix, prefix_bytes);
		if (!at)
			return false;
		/*
		 * "13.9.1" and "2.3.9.1" are others; linkers merge tails, so any text may stand
		 * before.
		 */
		if (at > chunk && (isdigit((unsigned char)at[-1]) || at[-1] == '.'))
			continue;
		if (parse_literal(at + prefix_bytes, end, minor, version))
			return true;
	}
	return false;
}

static int scan_minor(struct mem *mem, uint64_t addr, uint64_t bytes, unsigned minor,
		      uint32_t *version)
{
	cleanup_free char *chunk = malloc(CHUNK_BYTES);
	uint64_t at = 0;

	if (!chunk)
		return -ENOMEM;
	bytes = min(bytes, (uint64_t)MAX_SCAN_BYTES);
	while (at < bytes) {
		size_t len = (size_t)min(bytes - at, (uint64_t)CHUNK_BYTES);
		int err = procmem_read(mem, addr + at, chunk, len);

		if (err)
			return err;
		if (scan_chunk(chunk, len, minor, version))
			return 0;
		/* Chunks overlap by what a literal that straddles them needs. */
		at += len < CHUNK_BYTES ? len : len - LITERAL_BYTES;
	}
	return -ENOENT;
}

int pyversion_scan(struct mem *mem, uint64_t addr, uint64_t bytes, unsigned minor,
		   uint32_t *version)
{
	uint32_t found = 0;

	if (minor)
		return scan_minor(mem, addr, bytes, minor, version);
	for (minor = MINOR_LOW; minor <= MINOR_HIGH; minor++) {
		uint32_t candidate;
		int err = scan_minor(mem, addr, bytes, minor, &candidate);

		if (err && err != -ENOENT)
			return err;
		if (!err && found)
			return -ENOENT;
		if (!err)
			found = candidate;
	}
	if (!found)
		return -ENOENT;
	*version = found;
	return 0;
}
