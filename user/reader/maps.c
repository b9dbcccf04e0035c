/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Parses /proc/PID/maps: "start-end rwxp offset major:minor inode   path". */
#include "maps.h"

#include <string.h>

#include "util.h"

#define DELETED " (deleted)"

/* Reads digits of the base up to the separator, which it steps over. False: no number there. */
static bool take_number(const char **at, const char *end, unsigned base, char separator,
			uint64_t *value)
{
	uint64_t number = 0;
	const char *p = *at;

	for (; p < end && *p != separator; p++) {
		unsigned digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			digit = (unsigned)(*p - 'a') + 10;
		else
			return false;
		if (digit >= base || number > (UINT64_MAX - digit) / base)
			return false;
		number = number * base + digit;
	}
	if (p == *at || p == end)
		return false;
	*at = p + 1;
	*value = number;
	return true;
}

static bool take_permissions(const char **at, const char *end, struct maps_line *line)
{
	if (end - *at < 5 || (*at)[4] != ' ')
		return false;
	line->is_readable = (*at)[0] == 'r';
	line->is_writable = (*at)[1] == 'w';
	line->is_executable = (*at)[2] == 'x';
	*at += 5;
	return true;
}

/* The kernel writes a newline within a path as \012 and leaves everything else as it is. */
static bool copy_path(struct maps_line *line, const char *at, const char *end)
{
	size_t n = 0;

	while (at < end) {
		if (n + 1 >= sizeof(line->path))
			return false;
		if (end - at >= 4 && memcmp(at, "\\012", 4) == 0) {
			line->path[n++] = '\n';
			at += 4;
		} else {
			line->path[n++] = *at++;
		}
	}
	line->path[n] = '\0';
	if (n > strlen(DELETED) && strcmp(line->path + n - strlen(DELETED), DELETED) == 0) {
		line->path[n - strlen(DELETED)] = '\0';
		line->is_deleted = true;
	}
	return true;
}

static bool parse_line(const char *at, const char *end, struct maps_line *line)
{
	uint64_t major, minor;

	line->path[0] = '\0';
	line->is_deleted = false;
	if (!take_number(&at, end, 16, '-', &line->start) ||
	    !take_number(&at, end, 16, ' ', &line->end) || !take_permissions(&at, end, line) ||
	    !take_number(&at, end, 16, ' ', &line->offset) ||
	    !take_number(&at, end, 16, ':', &major) || !take_number(&at, end, 16, ' ', &minor) ||
	    major > UINT32_MAX || minor > UINT32_MAX || line->start >= line->end)
		return false;
	line->dev_major = (uint32_t)major;
	line->dev_minor = (uint32_t)minor;
	/* An anonymous line may end right behind the inode. */
	if (!take_number(&at, end, 10, ' ', &line->inode))
		return end - at == 1 && *at == '0' ? (line->inode = 0, true) : false;
	while (at < end && *at == ' ')
		at++;
	return copy_path(line, at, end);
}

void maps_parse(struct maps *maps, const char *text, size_t bytes)
{
	maps->at = text;
	maps->end = text + bytes;
}

bool maps_next(struct maps *maps, struct maps_line *line)
{
	while (maps->at < maps->end) {
		const char *at = maps->at;
		const char *newline = memchr(at, '\n', (size_t)(maps->end - at));

		/* A last line without a newline is one that the buffer cut. */
		maps->at = newline ? newline + 1 : maps->end;
		if (newline && parse_line(at, newline, line))
			return true;
	}
	return false;
}

const char *maps_basename(const struct maps_line *line)
{
	const char *slash = strrchr(line->path, '/');

	return slash ? slash + 1 : line->path;
}
