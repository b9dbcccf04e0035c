/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <string.h>

static enum log_level log_level = LOG_WARN;

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = { "", "error: ", "warning: ", "", "debug: " };
	char line[1024];
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One write a line: lines of the reader process and of the daemon do not mix. */
	fprintf(stderr, "loophound: %s%s\n", prefix[level], line);
}
