/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "utf8.h"

#include <string.h>

#define REPLACEMENT 0xfffd

uint32_t utf8_character(const uint8_t *data, size_t n, unsigned kind)
{
	uint32_t value = 0;

	/* Little endian, as the machine. */
	memcpy(&value, data + n * kind, kind);
	if ((value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff)
		return REPLACEMENT;
	return value;
}

size_t utf8_put(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
