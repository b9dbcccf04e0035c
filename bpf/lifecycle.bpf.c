/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Processes come and go: a child of a target is watched before its first instruction, an exec or an
 * exit lets go, so that a reused pid never meets an old entry.
 */
#include "loop.bpf.h"

/* Numbers handed out here and by the daemon must not meet: these start at KERNEL_TARGET_IDS. */
__u32 next_target_id = KERNEL_TARGET_IDS;

static __always_inline void end_loop(struct task_struct *task, u32 end, u64 now_ns)
{
	struct loop_thread *th = loop_thread_of(task);
	struct loop_counters *c;
	struct ev_loop_exit ev = {};
	u32 id;

	if (!th)
		return;
	loop_finish(th, task, end, now_ns, false);
	id = th->loop_id;
	c = bpf_map_lookup_elem(&loop_counters, &id);
	if (c)
		c->in_wait = 2; /* whoever looks before its record arrives, or instead of it */
	head_init(&ev.head, EV_LOOP_EXIT, sizeof(ev), now_ns, th->target_id, th->loop_id);
	ev.pid = task->tgid;
	ev.tid = task->pid;
	/* The slot is free again when the daemon has read this; if it cannot, right now. */
	if (emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP))
		bpf_map_push_elem(&free_loop_ids, &id, BPF_ANY);
	bpf_task_storage_delete(&loop_threads, task);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 parent_tgid = parent->tgid, child_tgid = child->tgid;
	struct target_entry *target, entry;
	struct ev_fork ev = {};

	if (parent_tgid == child_tgid)
		return 0;
	target = target_of(parent_tgid);
	if (!target)
		return 0;
	entry = *target;
	entry.is_forked = 1;
	entry.watched_ns = bpf_ktime_get_ns();
	entry.target_id = __sync_fetch_and_add(&next_target_id, 1);
	target_hint(child_tgid);
	if (bpf_map_update_elem(&targets, &child_tgid, &entry, BPF_ANY)) {
		count(STAT_TARGETS_REFUSED);
		return 0;
	}
	head_init(&ev.head, EV_FORK, sizeof(ev), entry.watched_ns, entry.target_id, EV_NO_LOOP);
	ev.parent_pid = parent_tgid;
	ev.child_pid = child_tgid;
	ev.parent_target_id = target->target_id;
	ev.is_readable = entry.layout.valid;
	emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct target_entry *target = target_of(tgid);
	u64 now_ns = bpf_ktime_get_ns();
	struct ev_exec ev = {};

	if (!target)
		return 0;
	end_loop(task, ITERATION_EXIT, now_ns);
	head_init(&ev.head, EV_EXEC, sizeof(ev), now_ns, target->target_id, EV_NO_LOOP);
	ev.pid = tgid;
	ev.new_target_id = __sync_fetch_and_add(&next_target_id, 1);
	target->target_id = ev.new_target_id;
	target->layout.valid = 0;
	emit(&ev, sizeof(ev), BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct target_entry *target;
	u64 now_ns = bpf_ktime_get_ns();
	struct ev_exit ev = {};

	end_loop(task, ITERATION_EXIT, now_ns);
	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0; /* other threads of it live on */
	target = target_of(tgid);
	if (!target)
		return 0;
	head_init(&ev.head, EV_EXIT, sizeof(ev), now_ns, target->target_id, EV_NO_LOOP);
	ev.pid = tgid;
	ev.exit_code = task->exit_code;
	emit(&ev, sizeof(ev), BPF_RB_FORCE_WAKEUP);
	bpf_map_delete_elem(&targets, &tgid);
	return 0;
}
