/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Building blocks of the text form: styles, figures, labelled lines that fit a terminal. */
#ifndef TEXT_H
#define TEXT_H

#include "report.h"
#include "util.h"

#define TEXT_LABEL_COLUMNS 10 /* two of indent, the label, a space */

enum text_style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_RULE,
	STYLE_TIME_LOST,
	STYLE_SITE,
	STYLE_ADVICE
};

/* Prints in a style; plain if the options want no colour. */
void text_print(const struct report_opts *opts, enum text_style style, const char *fmt, ...)
	printf_like(3, 4);
/* The same, then as many spaces as fill the columns, counted as a terminal shows them. */
void text_print_padded(const struct report_opts *opts, enum text_style style, unsigned int columns,
		       const char *text);

/* Columns of the terminal, at least the 80 that the layout needs. */
unsigned int text_columns(const struct report_opts *opts);

#define TEXT_FIGURE_LEN 32
/* "201 ms", "2.13 ms", "1.20 s", "3 min 05 s": three digits that count. */
void text_duration(uint64_t ns, char out[TEXT_FIGURE_LEN]);
/* The same without digits that say nothing: "10 ms". */
void text_limit(uint64_t ns, char out[TEXT_FIGURE_LEN]);
/* The limit of a rule in its unit: "10 ms", "100", "10/s". */
void text_rule_limit(enum rule_id rule, uint64_t limit, char out[TEXT_FIGURE_LEN]);
/* "12,034" */
void text_count(uint64_t count, char out[TEXT_FIGURE_LEN]);

/* "  label   " in the label column. */
void text_label(const struct report_opts *opts, const char *label);
/* Text broken at spaces so that no line has more columns: the first one began after indent of them, the others get as
 * many spaces.  Returns what the last line has after those.  text: safe. */
unsigned int text_wrap(FILE *out, unsigned int columns, unsigned int indent, const char *text);
/* A labelled paragraph, broken at spaces. text is made safe; suffix (may be NULL) is printed dim
 * after it. */
void text_paragraph(const struct report_opts *opts, enum text_style style, const char *label,
		    const char *text, const char *suffix);
/* "…/shop/app.py:42 in coroutine handler" within columns. file, function: not yet safe. */
#define TEXT_PLACE_LEN 1024
void text_place(const char *file, int32_t line, const char *function, const char *kind,
		unsigned int columns, char out[TEXT_PLACE_LEN]);

#endif
