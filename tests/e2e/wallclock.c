/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Preloaded: to this process the clock on the wall is as many seconds off as a file says. Nobody else's is set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long *offset_s;

__attribute__((constructor)) static void open_offset(void)
{
	int fd = open(getenv("WALL_CLOCK_OFFSET"), O_RDONLY);

	offset_s = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || offset_s == MAP_FAILED)
		abort();
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	long result = syscall(SYS_clock_gettime, clock, now);

	if (!result && clock == CLOCK_REALTIME)
		now->tv_sec += *offset_s;
	return (int)result;
}
