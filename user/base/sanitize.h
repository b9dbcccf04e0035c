/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bytes that a target chose in, text that is safe for a terminal out: valid UTF-8, no controls, no
 * escapes, nothing invisible or that turns the direction of writing, no wider than asked for.
 */
#ifndef SANITIZE_H
#define SANITIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEPOINT_BAD 0xfffd /* stands for bytes that are no UTF-8 */

/* Reads the code point at text (NUL-ended, not at its end); returns its bytes, at least 1. Never
 * reads past the NUL. */
size_t codepoint_next(const char *text, uint32_t *codepoint);
/* A control, an invisible or direction-changing character, or none at all. */
bool codepoint_is_unsafe(uint32_t codepoint);

enum sanitize_cut {
	CUT_END,   /* "a_very_long_na…" */
	CUT_START, /* "…/site-packages/x.py": the end of a path says most; at a component if there
		      is one */
};

/* Makes text safe and at most columns wide, shortened with an ellipsis.  Returns the columns it
 * takes. */
unsigned int sanitize(char *out, size_t size, const char *text, unsigned int columns,
		      enum sanitize_cut cut);
/* Columns that a text takes on a terminal. */
unsigned int sanitize_columns(const char *text);

#endif
