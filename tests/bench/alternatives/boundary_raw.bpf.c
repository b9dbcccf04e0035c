/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loop boundaries from the raw tracepoints of all system calls, filtered by number. */
#include "storage.bpf.h"

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *regs, long nr)
{
	struct watched *w;

	if (nr != SYS_EPOLL_WAIT)
		return 0;
	w = watched_current();
	if (w)
		watched_end(w);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *regs, long ret)
{
	struct watched *w;

	if (regs->orig_ax != SYS_EPOLL_WAIT)
		return 0;
	w = watched_current();
	if (w)
		watched_begin(w);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
