/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A sampling clock from the scheduler's own book-keeping: each tick, and each switch besides. */
#include "storage.bpf.h"

SEC("tp_btf/sched_stat_runtime")
int BPF_PROG(on_runtime, struct task_struct *task, u64 runtime)
{
	struct watched *w = watched_find(task);

	if (w) {
		watched_end(w);
		watched_begin(w);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
