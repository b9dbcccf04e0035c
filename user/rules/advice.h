/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What to do about a finding, from a table: to know one more library, add its row (advice_table.c).
 */
#ifndef ADVICE_H
#define ADVICE_H

#include "rules.h"

/* A row fits a finding if every column that is set fits; the first row that fits is the advice. */
struct advice_row {
	/* Required. */
	const char *advice;
	const char *lint[3]; /* codes of ruff / flake8-async */
	/* Conditions. */
	enum rule_id rule;
	unsigned int causes; /* CAUSES(...): any of these; 0: any */
	const char *file; /* a library frame below the site: "/queue.py" ends its path, "redis/" is
			     a folder of it */
	const char *function; /* the same frame's name or qualified name */
	const char *syscall;  /* name of the call */
	const char *object;   /* part of the name of what it waited for */
	uint16_t port;	      /* of the peer it waited for */
	bool is_c_sleep;      /* only a sleep that time.sleep() does not do this way */
	bool is_native;	      /* only if who held the GIL stood in one call of C code */
	uint32_t loop_kind;   /* of advice_loop_rows[]: enum loop_kind */
	bool is_any_loops;    /* of advice_rows[]: true of loops other than asyncio's and uvloop's as well */
};
#define CAUSES(a)	 (1u << CAUSE_##a)
#define CAUSES2(a, b)	 (CAUSES(a) | CAUSES(b))
#define CAUSES3(a, b, c) (CAUSES2(a, b) | CAUSES(c))

extern const struct advice_row advice_rows[];
extern const unsigned int advice_nr_rows;
/* Of other loops, after those of the former that are any loop's. */
extern const struct advice_row advice_loop_rows[];
extern const unsigned int advice_nr_loop_rows;

/* Sets advice and lint of a finding whose object is set already. */
void advice_fill(struct finding *finding);

#endif
