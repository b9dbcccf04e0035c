/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* CPython's line tables: from an instruction's offset to its source line.  Pure. */
#ifndef LINETABLE_H
#define LINETABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINETABLE_STRIDE 4096 /* bytes of a table between two marks */

/* Where a reader of the table may start instead of at its beginning. */
struct linetable_mark {
	uint32_t at;	    /* byte of the table */
	uint32_t end_bytes; /* of the bytecode that the entries before cover */
	int64_t line;
};

/* A table as it lies in the target: 3.9 co_lnotab, later co_linetable.  Any bytes are safe. */
struct linetable {
	const uint8_t *bytes;
	size_t size;
	int32_t firstlineno;
	uint16_t minor; /* of CPython: decides the format */
	bool is_cut;	/* the end is missing: offsets past what is there have no known line */
	const struct linetable_mark *marks; /* NULL: none */
	size_t nr_marks;
};

/*
 * The line of the instruction at offset_bytes; 0: not known.  An instruction without a line of its
 * own has that of the entry before it, or the first line.
 */
int32_t linetable_line(const struct linetable *table, int32_t offset_bytes);

/*
 * Marks a long table every LINETABLE_STRIDE bytes, so that a stack of a hundred frames in a huge
 * function costs no hundred passes through it.  Fills at most size / LINETABLE_STRIDE marks;
 * returns how many.
 */
size_t linetable_mark(const struct linetable *table, struct linetable_mark *marks);

#endif
