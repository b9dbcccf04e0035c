/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "terminal.h"

#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

void terminal_describe(FILE *out, struct report_opts *opts)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;
	int fd = fileno(out);

	opts->use_color = isatty(fd) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
	opts->columns = 100;
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		opts->columns = min(max((unsigned)size.ws_col, 80u), 120u);
}
