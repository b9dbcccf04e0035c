/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A reporter's options that write to memory, and what was written, for the tests of user/report. */
#ifndef REPORT_OUTPUT_H
#define REPORT_OUTPUT_H

#include <stdio.h>

#include "made_iteration.h"
#include "report.h"
#include "sanitize.h"

static struct made made;
static struct stack stack;
static struct report_opts opts;
static char *text;
static size_t size;

static inline int setup(void **state)
{
	(void)state;
	made_init(&made);
	stack = (struct stack){ 0 };
	opts = (struct report_opts){
		.out = open_memstream(&text, &size),
		.columns = 80,
		.session = { .start_ns = START,
			     .wall_minus_mono_ns = 1795413600 * NSEC_PER_SEC - START,
			     .version = "0.1.0",
			     .host = "web-1",
			     .kernel = "6.18.0",
			     .command = "watch -p 4711" },
		.rules = &made.config,
	};
	return !opts.out;
}

static inline int teardown(void **state)
{
	(void)state;
	fclose(opts.out);
	free(text);
	return 0;
}

static inline const char *output(void)
{
	fflush(opts.out);
	return text;
}

static inline void assert_has(const char *part)
{
	if (!strstr(output(), part))
		fail_msg("no <%s> in:\n%s", part, text);
}

/* Each line of what was printed fits, and no escape of the target's got through. */
static inline void check_lines(unsigned int columns)
{
	char *rest = NULL, *line;

	fflush(opts.out);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sanitize_columns(line) > columns)
			fail_msg("%u columns: %s", sanitize_columns(line), line);
		assert_null(strchr(line, '\033'));
	}
}

#endif
