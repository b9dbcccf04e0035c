/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define LINE_LEN 1024
#define ESCAPED	 6 /* "\u001b": the most that a byte becomes */

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

/* Bytes of the UTF-8 character that text begins with; 0: it is none. */
static size_t character_bytes(const unsigned char *text)
{
	static const unsigned char least[] = { 0, 0, 0x80, 0x20,
					       0x10 }; /* shorter forms are none */
	size_t bytes = *text < 0x80	  ? 1
		       : *text >> 5 == 6  ? 2
		       : *text >> 4 == 14 ? 3
		       : *text >> 3 == 30 ? 4
					  : 0;

	if (bytes == 2 && *text < 0xc2)
		return 0;
	for (size_t i = 1; i < bytes; i++)
		if (text[i] >> 6 != 2)
			return 0;
	if (bytes > 2 && !(*text & (bytes == 3 ? 0x0f : 0x07)) && (text[1] & 0x3f) < least[bytes])
		return 0;
	if ((*text == 0xed && text[1] > 0x9f) || *text > 0xf4 || (*text == 0xf4 && text[1] > 0x8f))
		return 0; /* surrogates, and what is past the last */
	return bytes;
}

/* Quotes what JSON wants quoted; controls and what is no UTF-8 become harmless. */
static void escape(const char *text, char out[LINE_LEN * ESCAPED])
{
	const unsigned char *c = (const unsigned char *)text;

	while (*c) {
		size_t bytes = character_bytes(c);

		if (!bytes)
			out += sprintf(out, "\\ufffd");
		else if (*c == '"' || *c == '\\')
			out += sprintf(out, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			out += sprintf(out, "\\u%04x", bytes == 1 ? *c : c[1]);
		else
			out = mempcpy(out, c, bytes);
		c += bytes ? bytes : 1;
	}
	*out = '\0';
}

static void write_json(enum log_level level, pid_t pid, const char *line)
{
	static const char *const names[] = { "info", "error", "warning", "info", "debug" };
	char message[LINE_LEN * ESCAPED], about[32] = "", date[32];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	escape(line, message);
	if (pid)
		snprintf(about, sizeof(about), ",\"pid\":%d", pid);
	fprintf(stderr,
		"{\"schema\":\"loophound/"
		"1\",\"type\":\"log\",\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"message\":\"%s\"%s}"
		"\n",
		date, now.tv_nsec / 1000, names[level], message, about);
}

/* One write a line: lines of the reader process and of the daemon do not mix. */
static void write_line(enum log_level level, pid_t pid, const char *fmt, va_list ap)
{
	static const char *const prefix[] = { "", "error: ", "warning: ", "", "debug: " };
	char line[LINE_LEN];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (log_is_json)
		write_json(level, pid, line);
	else
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
