/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sleeps from every context switch of the host; whose it is, a hash by thread number tells. */
#include "watched.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct watched);
} watched_threads SEC(".maps");

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u32 prev_tid = prev->pid, next_tid = next->pid;
	struct watched *w = bpf_map_lookup_elem(&watched_threads, &prev_tid);

	if (w)
		watched_begin(w);
	w = bpf_map_lookup_elem(&watched_threads, &next_tid);
	if (w)
		watched_end(w);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
