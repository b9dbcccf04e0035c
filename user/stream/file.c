/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opens, reads and writes whole: interrupted calls, short writes and descriptors that somebody made
 * non-blocking end here.  Knows nothing of records.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A standard stream is duplicated, so that closing ours leaves the caller's alone. */
static int open_path(const char *path, int flags, int standard_fd)
{
	int fd;

	if (strcmp(path, "-") == 0)
		fd = fcntl(standard_fd, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int file_create(const char *path)
{
	return open_path(path, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
}

int file_open(const char *path)
{
	return open_path(path, O_RDONLY, STDIN_FILENO);
}

/* 0 if the failed call may be tried again, when the descriptor is ready if that was the trouble. */
static int retry(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN)
		return -errno;
	return poll(&pollfd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int file_write(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0) {
			int err = retry(fd, POLLOUT);

			if (err)
				return err;
			continue;
		}
		if (n == 0)
			return -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

ssize_t file_read(int fd, void *bytes, size_t min_bytes, size_t max_bytes)
{
	char *at = bytes;
	size_t done = 0;

	while (done < min_bytes) {
		ssize_t n = read(fd, at + done, max_bytes - done);

		if (n < 0) {
			int err = retry(fd, POLLIN);

			if (err)
				return err;
			continue;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
