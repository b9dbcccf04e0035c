/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What an interpreter of a version that does not exist yet looks like from outside, as far as that is known. */
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>

struct debug_offsets {
	char cookie[8];
	uint64_t version, free_threaded, others[200];
};

__attribute__((section(".PyRuntime"), used)) struct debug_offsets _PyRuntime = { "xdebugpy", VERSION, 0, { 0 } };

int main(void)
{
	struct epoll_event event;
	int loop = epoll_create1(0);

	epoll_ctl(loop, EPOLL_CTL_ADD, 0, &(struct epoll_event){ .events = EPOLLHUP });
	puts("ready");
	fflush(stdout);
	while (epoll_wait(loop, &event, 1, -1) < 1) /* until its standard input is closed */
		;
	return 0;
}
