/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * LD_PRELOAD: epoll_wait() by another system call, as other C libraries and other loops do it.
 * LOOPHOUND_TEST_WAIT names the call; at exit standard error tells how often it was made.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned long nr_waits;

static const char *wanted(void)
{
	const char *name = getenv("LOOPHOUND_TEST_WAIT");

	return name ? name : "";
}

int epoll_wait(int fd, struct epoll_event *events, int max_events, int timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	__atomic_add_fetch(&nr_waits, 1, __ATOMIC_RELAXED);
	if (!strcmp(wanted(), "epoll_pwait"))
		return (int)syscall(SYS_epoll_pwait, fd, events, max_events, timeout_ms, NULL, 8);
	if (!strcmp(wanted(), "epoll_pwait2"))
		return (int)syscall(SYS_epoll_pwait2, fd, events, max_events,
				    timeout_ms < 0 ? NULL : &timeout, NULL, 8);
	abort();
}

__attribute__((destructor)) static void tell(void)
{
	fprintf(stderr, "waits by %s: %lu\n", wanted(), nr_waits);
}
