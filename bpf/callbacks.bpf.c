/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "callbacks.bpf.h"

#include "pycallbacks.h"

/* Callbacks that asyncio had ready when the iteration began; 0: not known.  index: of _run_once's frame in the walk. */
__noinline u64 callbacks_ready(struct scratch *s, u32 index)
{
	if (!s || index >= EV_MAX_FRAMES)
		return 0;
	return pycallbacks_ready(&s->layout, s->frame_addrs[index & (EV_MAX_FRAMES - 1)]);
}

/* Where the members of the deque are counted from that is there; 0: none is. */
__noinline u64 callbacks_queue_at(struct py_layout *l, u64 addr)
{
	u64 object = read_user_u64(addr);

	if (!l)
		return 0;
	return pyready_is_queue(l, object) ? pyobject(l, object) : 0;
}

/* The queue, likewise, among eight words, from the first on; 0: none of them is. */
__noinline u64 callbacks_queue_among(struct py_layout *l, struct pyready_words *words, u32 first)
{
	u64 queue = 0;
	u32 i;

	if (!l || !words)
		return 0;
	for (i = 0; i < PYREADY_VALUES && first + i < words->nr && !queue; i++)
		queue = callbacks_queue_at(l, words->addr + (first + i) * words->stride);
	return queue;
}

/* The loop's queue of ready callbacks, likewise; 0: not found. */
__noinline u64 callbacks_find_queue(struct loop_thread *th)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, i;
	struct target_entry *target = bpf_map_lookup_elem(&targets, &tgid);
	struct pyready_words words = {};
	u64 loop, queue = 0;

	if (!th || !target || !target->layout.valid)
		return 0;
	loop = th->slot_value;
	if (loop && target->layout.running_loop_holder)
		loop = read_user_u64(loop + target->layout.running_loop_holder);
	if (!loop)
		return 0;
	if (th->kind == LOOP_KIND_UVLOOP) {
		words.addr = pyobject(&target->layout, loop) + 16;
		words.stride = 8;
		words.nr = PYREADY_WORDS;
	} else {
		pyready_of_object(&target->layout, loop, &words);
	}
	for (i = 0; i < PYREADY_WORDS && i < words.nr && !queue; i += PYREADY_VALUES)
		queue = callbacks_queue_among(&target->layout, &words, i);
	return queue;
}

__noinline u64 callbacks_waiting(struct loop_thread *th)
{
	if (!th || LOOP_KIND_IS_BY_FRAMES(th->kind))
		return 0;
	/* A loop keeps its queue for life. */
	if (th->queue_of != th->slot_value) {
		th->queue_of = th->slot_value;
		th->queue_addr = callbacks_find_queue(th);
	}
	return pyready_length(th->queue_addr);
}

/* Differs from one callback of the thread to the next; 0: not known. */
__noinline u64 callbacks_context_switches(struct scratch *s)
{
	if (!s)
		return 0;
	return pycallbacks_context_switches(&s->layout, s->tstate_addr);
}

__noinline u64 callbacks_by_frames(struct scratch *s, u32 kind, u32 index)
{
	if (!s)
		return 0;
	switch (kind) {
	case LOOP_KIND_TRIO: /* the frame of the task's coroutine, above unrolled_run */
		return index && index < EV_MAX_FRAMES ? s->frame_addrs[(index - 1) & (EV_MAX_FRAMES - 1)] : 0;
	case LOOP_KIND_TWISTED:
		return pycallbacks_locals(&s->layout, s->frame_addrs[index & (EV_MAX_FRAMES - 1)]);
	}
	return 0;
}
