/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Files, pipes and standard streams as bytes: whole writes, reads that do not stop half way. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <sys/types.h>

/* A descriptor of the caller's own, or negative errno. "-" is standard output, standard input. */
int file_create(const char *path);
int file_open(const char *path);
/* Writes all of it: 0 or negative errno.  Waits where the descriptor is non-blocking. */
int file_write(int fd, const void *bytes, size_t size);
/* Reads until min_bytes are there, or the end: how many, at most max_bytes, or negative errno. */
ssize_t file_read(int fd, void *bytes, size_t min_bytes, size_t max_bytes);

#endif
