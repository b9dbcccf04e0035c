/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "terminal.h"

#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

/* 0: not a terminal, or one that does not say. */
static unsigned int width(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) || !size.ws_col ? 0 : min(max((unsigned)size.ws_col, 80u), 120u);
}

unsigned int terminal_line(FILE *out)
{
	unsigned int columns = width(out);

	return columns ? columns : UINT_MAX;
}

void terminal_describe(FILE *out, struct report_opts *opts)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	unsigned int columns = width(out);

	opts->use_color = isatty(fileno(out)) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
	opts->columns = columns ? columns : 100;
}
