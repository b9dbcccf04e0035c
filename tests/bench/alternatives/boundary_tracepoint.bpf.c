/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loop boundaries from the tracepoints of the one system call. */
#include "storage.bpf.h"

SEC("tp/syscalls/sys_enter_epoll_wait")
int on_enter(void *ctx)
{
	struct watched *w = watched_current();

	if (w)
		watched_end(w);
	return 0;
}

SEC("tp/syscalls/sys_exit_epoll_wait")
int on_exit(void *ctx)
{
	struct watched *w = watched_current();

	if (w)
		watched_begin(w);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
