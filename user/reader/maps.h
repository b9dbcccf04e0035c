/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Parses /proc/PID/maps out of a buffer; the paths in it are the target's to choose. */
#ifndef MAPS_H
#define MAPS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maps_line {
	uint64_t start, end; /* addresses, end excluded */
	uint64_t offset;     /* in the file, bytes */
	uint64_t inode;	     /* 0: no file */
	uint32_t dev_major, dev_minor;
	bool is_readable, is_writable, is_executable;
	bool is_deleted;     /* path without the kernel's " (deleted)" */
	char path[PATH_MAX]; /* empty: anonymous; "[heap]" and its like are kept as they are */
};

struct maps {
	const char *at, *end; /* what is left of the text */
};

/* The text stays the caller's and need not end with NUL. */
void maps_parse(struct maps *maps, const char *text, size_t bytes);
/* The next well-formed line; malformed ones are skipped.  False at the end. */
bool maps_next(struct maps *maps, struct maps_line *line);
/* The last component of the path. */
const char *maps_basename(const struct maps_line *line);

#endif
