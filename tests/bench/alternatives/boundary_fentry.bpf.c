/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loop boundaries from the entry and exit of the one kernel function. */
#include "storage.bpf.h"

SEC("fentry/__x64_sys_epoll_wait")
int BPF_PROG(on_enter)
{
	struct watched *w = watched_current();

	if (w)
		watched_end(w);
	return 0;
}

SEC("fexit/__x64_sys_epoll_wait")
int BPF_PROG(on_exit)
{
	struct watched *w = watched_current();

	if (w)
		watched_begin(w);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
