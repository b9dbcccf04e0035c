/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sleeps from every context switch of the host; whose it is, task storage tells. */
#include "storage.bpf.h"

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct watched *w = watched_find(prev);

	if (w)
		watched_begin(w);
	w = watched_find(next);
	if (w)
		watched_end(w);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
