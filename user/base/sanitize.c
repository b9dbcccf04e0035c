/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* UTF-8 decoding, what is unsafe on a terminal, and text that fits a number of columns. */
#include "sanitize.h"

#include <string.h>

#include "utf8.h"
#include "util.h"

#define ELLIPSIS "\xe2\x80\xa6" /* one column */

size_t codepoint_next(const char *text, uint32_t *codepoint)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t value;
	size_t len, i;

	*codepoint = CODEPOINT_BAD;
	if (byte[0] < 0x80) {
		*codepoint = byte[0];
		return 1;
	}
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 1;
	len = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	value = byte[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80) /* the end of the text too */
			return i;
		value = value << 6 | (byte[i] & 0x3f);
	}
	if (value >= lowest[len] && value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff))
		*codepoint = value;
	return len;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t codepoint, const struct range *ranges, size_t nr)
{
	size_t i;

	for (i = 0; i < nr && ranges[i].first <= codepoint; i++) {
		if (codepoint <= ranges[i].last)
			return true;
	}
	return false;
}

bool codepoint_is_unsafe(uint32_t codepoint)
{
	static const struct range unsafe[] = {
		{ 0x00, 0x1f },	       /* C0 controls, escape among them */
		{ 0x7f, 0x9f },	       /* delete, C1 controls: CSI in one character */
		{ 0xad, 0xad },	       /* soft hyphen */
		{ 0x61c, 0x61c },      /* Arabic letter mark */
		{ 0x115f, 0x1160 },    /* Hangul fillers */
		{ 0x180e, 0x180e },    /* Mongolian vowel separator */
		{ 0x200b, 0x200f },    /* zero width, direction marks */
		{ 0x2028, 0x202e },    /* line and paragraph separator, direction overrides */
		{ 0x2060, 0x206f },    /* invisible operators, direction isolates */
		{ 0x3164, 0x3164 },    /* Hangul filler */
		{ 0xd800, 0xdfff },    /* surrogates */
		{ 0xfdd0, 0xfdef },    /* no characters */
		{ 0xfe00, 0xfe0f },    /* variation selectors */
		{ 0xfeff, 0xfeff },    /* byte order mark */
		{ 0xfff9, 0xfffb },    /* interlinear annotation */
		{ 0xfffe, 0xffff },    /* no characters */
		{ 0xe0000, 0x10ffff }, /* tags, selectors, private use */
	};

	return in_ranges(codepoint, unsafe, ARRAY_SIZE(unsafe));
}

static unsigned int codepoint_columns(uint32_t codepoint)
{
	static const struct range none[] = {
		{ 0x300, 0x36f },   { 0x483, 0x489 },	{ 0x591, 0x5bd },   { 0x610, 0x61a },
		{ 0x64b, 0x65f },   { 0x900, 0x902 },	{ 0xe31, 0xe31 },   { 0xe34, 0xe3a },
		{ 0xe47, 0xe4e },   { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff },
		{ 0xfe20, 0xfe2f },
	};
	static const struct range wide[] = {
		{ 0x1100, 0x115e },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
		{ 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f },   { 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },
		{ 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1faff },
		{ 0x20000, 0x3fffd },
	};

	if (codepoint < 0x300)
		return 1;
	if (in_ranges(codepoint, none, ARRAY_SIZE(none)))
		return 0;
	return in_ranges(codepoint, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

static size_t safe_next(const char *text, uint32_t *codepoint)
{
	size_t len = codepoint_next(text, codepoint);

	if (codepoint_is_unsafe(*codepoint))
		*codepoint = CODEPOINT_BAD;
	return len;
}

unsigned int sanitize_columns(const char *text)
{
	unsigned int columns = 0;
	uint32_t codepoint;

	while (*text) {
		text += safe_next(text, &codepoint);
		columns += codepoint_columns(codepoint);
	}
	return columns;
}

/* Appends code points while they fit both bounds; returns the columns they take. */
static unsigned int put_text(char *out, size_t size, const char *text, unsigned int columns)
{
	unsigned int used = 0, nr_marks = 0;
	size_t at = 0;

	while (*text) {
		uint32_t codepoint;
		char bytes[4];
		size_t len;
		unsigned int width;

		text += safe_next(text, &codepoint);
		len = utf8_put(codepoint, bytes);
		width = codepoint_columns(codepoint);
		/* Heaps of marks on one letter take no column, but paint over the lines around. */
		nr_marks = width ? 0 : nr_marks + 1;
		if (nr_marks > 4)
			continue;
		if (used + width > columns || at + len >= size)
			break;
		memcpy(out + at, bytes, len);
		at += len;
		used += width;
	}
	out[at] = '\0';
	return used;
}

/* Where the part of text begins that takes at most columns, at a '/' if one is near. */
static const char *tail_of(const char *text, unsigned int columns)
{
	unsigned int all = sanitize_columns(text);
	const char *slash;
	uint32_t codepoint;

	while (*text && all > columns) {
		text += safe_next(text, &codepoint);
		all -= codepoint_columns(codepoint);
	}
	slash = strchr(text, '/');
	return slash && slash[1] ? slash : text;
}

unsigned int sanitize(char *out, size_t size, const char *text, unsigned int columns,
		      enum sanitize_cut cut)
{
	size_t mark = strlen(ELLIPSIS);

	if (!size)
		return 0;
	out[0] = '\0';
	/* A code point takes at most four bytes: what fits the columns and the buffer needs no cut.
	 */
	if (sanitize_columns(text) <= columns && strlen(text) * 3 < size)
		return put_text(out, size, text, columns);
	if (!columns || size <= mark)
		return 0;
	/* The buffer bounds the width too; marks without a width are bounded by it alone. */
	columns = min(columns, (unsigned int)((size - 1) / 4));
	if (sanitize_columns(text) <= columns)
		return put_text(out, size, text, columns);
	if (!columns)
		return 0;
	if (cut == CUT_START) {
		memcpy(out, ELLIPSIS, mark);
		return 1 +
		       put_text(out + mark, size - mark, tail_of(text, columns - 1), columns - 1);
	}
	columns = put_text(out, size - mark, text, columns - 1);
	strcat(out, ELLIPSIS);
	return columns + 1;
}
