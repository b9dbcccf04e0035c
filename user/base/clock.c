/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util.h"

/* Of the time namespace that we are in; it does not change. */
static int64_t read_offset_ns(void)
{
	cleanup_close int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	long seconds, ns;
	char text[256];
	ssize_t bytes;
	const char *line;

	/* Kernels without time namespaces (before 5.6) do not have the file. */
	bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (bytes <= 0)
		return 0;
	text[bytes] = '\0';
	line = strstr(text, "monotonic");
	if (!line || sscanf(line, "monotonic %ld %ld", &seconds, &ns) != 2)
		return 0;
	return (int64_t)seconds * (int64_t)NSEC_PER_SEC + ns;
}

uint64_t clock_host_ns(void)
{
	static int64_t offset_ns = INT64_MIN;
	struct timespec now;

	if (offset_ns == INT64_MIN)
		offset_ns = read_offset_ns();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec - (uint64_t)offset_ns;
}

/* The coarse clocks advance with the tick, so their resolution is its length. */
uint64_t clock_tick_ns(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_sec || tick.tv_nsec <= 0)
		return 10 * NSEC_PER_MSEC;
	return (uint64_t)tick.tv_nsec;
}
