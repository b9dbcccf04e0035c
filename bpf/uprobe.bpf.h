/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the programs on a target's own probes share: the argument, the thread, a stack. */
#ifndef UPROBE_BPF_H
#define UPROBE_BPF_H

#include "import.bpf.h"
#include "loop.bpf.h"
#include "pytask.bpf.h"

/* The first argument of the probe that was hit: see PROBE_ARG_*. */
static __always_inline long probe_argument(void *ctx)
{
	u64 how = bpf_get_attach_cookie(ctx);
	u64 value = 0;
	long whole;

	if (!(how & PROBE_ARG_CONSTANT))
		bpf_probe_read_kernel(&value, sizeof(value), ctx + (how & PROBE_ARG_REG));
	value += (s64)how >> 32;
	if (how & PROBE_ARG_MEMORY) {
		whole = 0;
		bpf_probe_read_user(&whole, how & PROBE_ARG_INT ? 4 : 8, (void *)value);
		value = whole;
	}
	return how & PROBE_ARG_INT ? (s32)value : (long)value;
}

/* The current thread, if it is a loop's and in an iteration. */
static __always_inline struct loop_thread *in_iteration(struct task_struct *task)
{
	struct loop_thread *th = loop_thread_of_target(task);

	return th && th->start_ns && !th->in_wait && !th->left_ns ? th : NULL;
}

/*
 * Walks the stack in a scratch that nobody else on this CPU is at; 0: there was none.  *task_id, unless
 * it is NULL, is that of the task that runs, or stays as it is.
 */
static __always_inline u64 take_stack(struct loop_thread *th, u64 now_ns, __u64 *task_id)
{
	struct scratch *s;
	u64 id;
	u32 i;

	for (i = SCRATCH_PROBE; i < SCRATCH_PROBE + NR_SCRATCH_PROBE; i++) {
		s = scratch_get(i);
		if (!s || __sync_val_compare_and_swap(&s->is_taken, 0, 1))
			continue;
		id = loop_take_stack(th, s, now_ns);
		if (id && task_id && task_find(th, s, now_ns)) {
			*task_id = pytask_record(s)->task_id;
			task_send(pytask_record(s));
		}
		if (id)
			import_note(th, s, now_ns);
		s->is_taken = 0;
		return id;
	}
	return 0;
}

#endif
