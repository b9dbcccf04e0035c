/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loop boundaries from the return of the one system call; where it began, sched_switch sees. */
#include "storage.bpf.h"

SEC("tp/syscalls/sys_exit_epoll_wait")
int on_exit(void *ctx)
{
	struct watched *w = watched_current();

	if (w) {
		watched_end(w);
		watched_begin(w);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
