/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <time.h>

#include "json.h"
#include "util.h"

#define LINE_LEN 1024

static enum log_level log_level = LOG_WARN;
static bool log_is_json;

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

void log_set_json(bool is_json)
{
	log_is_json = is_json;
}

/* Makes the object first: one write a line. 0, or -1: no memory. */
static int write_json(enum log_level level, pid_t pid, const char *line)
{
	static const char *const names[] = { "info", "error", "warning", "info", "debug" };
	cleanup_free char *text = NULL;
	char date[32], time[64];
	struct json json = { 0 };
	struct timespec now;
	struct tm tm;
	size_t bytes;

	json.out = open_memstream(&text, &bytes);
	if (!json.out)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time, sizeof(time), "%s.%06ldZ", date, now.tv_nsec / 1000);
	json_object(&json, NULL);
	json_string(&json, "schema", "loophound/1");
	json_string(&json, "type", "log");
	json_string(&json, "time", time);
	json_string(&json, "level", names[level]);
	json_string(&json, "message", line);
	if (pid)
		json_i64(&json, "pid", pid);
	json_object_end(&json);
	json_line_end(&json);
	if (fclose(json.out))
		return -1;
	fwrite(text, 1, bytes, stderr);
	return 0;
}

/* One write a line: lines of the reader process and of the daemon do not mix. */
static void write_line(enum log_level level, pid_t pid, const char *fmt, va_list ap)
{
	static const char *const prefix[] = { "", "error: ", "warning: ", "", "debug: " };
	char line[LINE_LEN];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (!log_is_json || write_json(level, pid, line))
		fprintf(stderr, "loophound: %s%s\n", prefix[level], line);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	write_line(level, 0, fmt, ap);
	va_end(ap);
}

void log_about(enum log_level level, pid_t pid, const char *fmt, ...)
{
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	write_line(level, pid, fmt, ap);
	va_end(ap);
}
