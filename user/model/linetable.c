/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Decodes the three formats of CPython's line tables.  The bytes come from a hostile place: every
 * step forward is checked against the end, sums are 64 bits wide, nonsense ends as "not known".
 */
#include "linetable.h"

#define LINE_UNKNOWN 0
#define NO_LINE_310  (-128) /* 3.10: this delta says that the range has no line */
#define CODE_UNIT    2

/* Kinds of a 3.11 location entry (Objects/locations.md); what is below are short forms. */
enum location_kind {
	LOCATION_ONE_LINE = 10, /* 10, 11, 12: the line delta plus 10; two column bytes follow */
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

/* Between two entries: what was read, what it covers of the bytecode, the line reached. */
struct position {
	size_t at;
	int64_t end, line;
};

static int32_t as_line(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (int32_t)line : LINE_UNKNOWN;
}

/* Pairs of (bytes forward, signed lines forward); lines count where the bytes have passed. */
static bool step_39(const struct linetable *table, struct position *position, int64_t *line)
{
	if (position->at + 2 > table->size)
		return false;
	position->end += table->bytes[position->at];
	*line = position->line;
	position->line += (int8_t)table->bytes[position->at + 1];
	position->at += 2;
	return true;
}

/* Pairs of (bytes covered, signed lines forward). */
static bool step_310(const struct linetable *table, struct position *position, int64_t *line)
{
	int8_t delta;

	if (position->at + 2 > table->size)
		return false;
	delta = (int8_t)table->bytes[position->at + 1];
	position->end += table->bytes[position->at];
	if (delta != NO_LINE_310)
		position->line += delta;
	*line = position->line;
	position->at += 2;
	return true;
}

/* Six bits a byte, lowest first, bit 6 says that more follow. */
static bool read_varint(const struct linetable *table, size_t *at, uint32_t *out)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		if (*at == table->size || shift > 30)
			return false;
		byte = table->bytes[(*at)++];
		value |= (uint64_t)(byte & 63) << shift;
		shift += 6;
	} while (byte & 64);
	*out = (uint32_t)value;
	return value <= UINT32_MAX;
}

static bool read_line_delta(const struct linetable *table, size_t *at, unsigned kind,
			    int64_t *delta)
{
	uint32_t value;

	*delta = 0;
	if (kind == LOCATION_NONE || kind < LOCATION_ONE_LINE)
		return true;
	if (kind < LOCATION_NO_COLUMNS) {
		*delta = kind - LOCATION_ONE_LINE;
		return true;
	}
	if (!read_varint(table, at, &value))
		return false;
	*delta = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
	return true;
}

/* Columns are not needed: entries begin where bit 7 is set, so the rest of one can be skipped. */
static bool step_311(const struct linetable *table, struct position *position, int64_t *line)
{
	size_t at = position->at;
	int64_t delta;
	uint8_t first;

	if (at == table->size)
		return false;
	first = table->bytes[at++];
	if (!(first & 128) || !read_line_delta(table, &at, first >> 3 & 15, &delta))
		return false;
	position->end += ((first & 7) + 1) * CODE_UNIT;
	position->line += delta;
	*line = position->line;
	while (at < table->size && !(table->bytes[at] & 128))
		at++;
	position->at = at;
	return true;
}

/* Reads one entry; line is that of the bytecode which it adds to position->end. */
static bool step(const struct linetable *table, struct position *position, int64_t *line)
{
	switch (table->minor) {
	case 9: return step_39(table, position, line);
	case 10: return step_310(table, position, line);
	case 11:
	case 12:
	case 13:
	case 14:
	case 15: return step_311(table, position, line);
	default: return false;
	}
}

size_t linetable_mark(const struct linetable *table, struct linetable_mark *marks)
{
	struct position position = { .line = table->firstlineno };
	size_t nr = 0;
	int64_t line;

	while (nr < table->size / LINETABLE_STRIDE && step(table, &position, &line))
		if (position.at >= (nr + 1) * LINETABLE_STRIDE)
			marks[nr++] = (struct linetable_mark){
				.at = (uint32_t)position.at,
				.end_bytes = (uint32_t)position.end,
				.line = position.line,
			};
	return nr;
}

int32_t linetable_line(const struct linetable *table, int32_t offset_bytes)
{
	struct position position = { .line = table->firstlineno };
	int64_t line;

	if (offset_bytes < 0)
		return LINE_UNKNOWN;
	for (size_t i = 0; i < table->nr_marks; i++) {
		const struct linetable_mark *mark = &table->marks[i];

		if ((uint32_t)offset_bytes < mark->end_bytes)
			break;
		position = (struct position){ mark->at, mark->end_bytes, mark->line };
	}
	while (step(table, &position, &line))
		if (offset_bytes < position.end)
			return as_line(line);
	/* Only 3.9 does not say where the bytecode ends. */
	return table->minor == 9 && !table->is_cut ? as_line(position.line) : LINE_UNKNOWN;
}
