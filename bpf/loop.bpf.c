/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the probes share of loops and stacks, as functions that the verifier checks once: inlined, its paths
 * multiply with those of each of their callers.
 */
#include "loop.bpf.h"

__noinline int count(u32 stat)
{
	u64 *value = bpf_map_lookup_elem(&stats, &stat);

	if (value)
		(*value)++; /* per CPU; an interrupt in between may lose one */
	return 0;
}

__noinline int loop_is_still(struct loop_thread *th, struct scratch *s)
{
	struct target_entry *target;
	u32 tgid = bpf_get_current_pid_tgid() >> 32, depth;

	if (!th || !s)
		return 0;
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (!target || !target->layout.valid)
		return 0;
	s->layout = target->layout;
	s->tstate_addr = th->tstate_addr;
	if (!th->slot_addr) {
		py_walk(s, th->target_id);
		if (loop_is_in_run(th, s))
			return 1;
		depth = py_is_in_callback(s, th->kind);
		if (!depth) /* what cannot be read has not been left, nor what is too deep */
			return s->status != STACK_OK || s->flags & STACK_TRUNCATED;
		th->base_depth = depth - 1; /* another run of it may be deeper */
		th->run_code = s->run_code;
		return 1;
	}
	if (py_running_loop(s))
		return 0;
	th->slot_addr = s->slot_addr;
	th->slot_value = s->slot_value;
	return 1;
}

__noinline u64 stack_send(struct scratch *s, struct loop_thread *th, u32 target_id, u64 now_ns)
{
	u64 id, nr;
	u8 seen = 1;

	if (!s)
		return 0;
	count(STAT_STACKS_TAKEN);
	if (s->status != STACK_OK)
		count(STAT_STACKS_UNREADABLE);
	if (s->flags & STACK_TRUNCATED)
		count(STAT_STACKS_TRUNCATED);
	id = hash_mix(s->hash, (u64)s->status << 32 | s->flags) | 1;
	if (bpf_map_lookup_elem(&seen_stacks, &id))
		return id;

	nr = s->nr;
	if (nr > EV_MAX_FRAMES)
		nr = EV_MAX_FRAMES;
	head_init(&s->stack.head, EV_STACK, sizeof(s->stack) + nr * sizeof(struct ev_frame), now_ns,
		  target_id, th ? th->loop_id : EV_NO_LOOP);
	s->stack.stack_id = id;
	s->stack.nr_frames = nr;
	s->stack.status = s->status;
	s->stack.flags = s->flags;
	s->stack.nr_awaiting = s->nr_awaiting;
	s->stack.awaiting_at = s->awaiting_at;
	if (s->passing[0] | s->passing[1])
		py_send_codes(s, now_ns);
	if (!emit(&s->stack, sizeof(s->stack) + nr * sizeof(struct ev_frame),
		  th ? wakeup_flags(th, now_ns) : BPF_RB_NO_WAKEUP))
		bpf_map_update_elem(&seen_stacks, &id, &seen, BPF_ANY);
	return id;
}

__noinline u64 loop_take_stack(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target_entry *target = bpf_map_lookup_elem(&targets, &tgid);

	if (!th || !s || !target || !target->layout.valid)
		return 0;
	s->layout = target->layout;
	s->tstate_addr = th->tstate_addr;
	py_walk(s, th->target_id);
	if (s->status == STACK_OK && !s->nr)
		s->status = STACK_BAD_THREAD_STATE;
	return loop_send_stack(th, s, now_ns);
}

/*
 * uvloop's callbacks have no frame of the loop below them.  A wait of theirs, say for a client's replies, looks like
 * the loop's, but it is in the same run, above the function that runs it, and not on the loop's descriptor.
 */
static __always_inline bool is_of_uv_callback(struct loop_thread *th, struct scratch *s, s32 fd)
{
	return th && th->kind == LOOP_KIND_UVLOOP && th->wait_fd != fd && th->slot_value == s->slot_value &&
	       s->nr > th->base_depth && loop_is_in_run(th, s);
}

__noinline int loop_find_run(struct loop_thread *th, struct scratch *s)
{
	u32 nr;

	if (!th || !s || th->kind != LOOP_KIND_ASYNCIO || loop_is_in_run(th, s))
		return 0;
	nr = s->nr;
	if (py_wait_kind(s, 0) == LOOP_KIND_ASYNCIO) {
		th->base_depth = s->nr;
		th->run_code = s->run_code;
	}
	s->nr = nr;
	return 0;
}

__noinline int loop_look(struct loop_thread *th, struct target_entry *target, struct scratch *s, u32 is_in_wait,
			 s32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 kind;

	if (!target || !s || !target->layout.valid || (task->flags & (PF_KTHREAD | PF_IO_WORKER)))
		return LOOP_KIND_UNKNOWN;
	s->layout = target->layout;
	if (pyframe_thread(s, task->thread.fsbase))
		return LOOP_KIND_UNKNOWN;
	if (!py_running_loop(s)) {
		py_walk(s, target->target_id);
		kind = py_wait_kind(s, is_in_wait);
		if (kind == LOOP_KIND_UVLOOP && is_of_uv_callback(th, s, fd))
			return LOOP_KIND_UNKNOWN;
		if (kind != LOOP_KIND_UNKNOWN)
			return kind;
	}
	/* A thread that the timer interrupts is walked for them only where there were some. */
	if (!is_in_wait && target->layout.loop_kinds < 1 << LOOP_KIND_TRIO)
		return LOOP_KIND_UNKNOWN;
	return py_loop_by_frames(s, target->target_id, is_in_wait);
}
