/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who waits for the task that runs, as functions that the verifier checks once; pyawait.h reads. */
#include "loop.bpf.h"
#include "pyawait.h"
#include "pystack.bpf.h"
#include "pytask.bpf.h"

__noinline u64 await_note(struct scratch *s, u64 coroutine, u32 nr)
{
	if (!s)
		return 0;
	return pyawait_note(s, coroutine, nr);
}

__noinline u64 await_waiter(struct scratch *s, u64 task, u64 loop)
{
	if (!s)
		return 0;
	return pyawait_waiter(&s->layout, task, loop);
}

/* Adds the coroutines of a suspended task, the innermost first.  0: done. */
__noinline int await_add_task(struct scratch *s, u64 task)
{
	u64 coroutine;
	u32 i;

	if (!s || s->nr > EV_MAX_FRAMES - 2 * PYAWAIT_MAX_COROUTINES)
		return -1;
	s->nr_noted = 0;
	coroutine = pyawait_coroutine(&s->layout, task);
	for (i = 0; i < PYAWAIT_MAX_COROUTINES && coroutine; i++)
		coroutine = await_note(s, coroutine, i);
	for (i = 0; i < PYAWAIT_MAX_COROUTINES && s->nr_noted; i++) {
		s->nr_noted--;
		s->frame_addr = s->frame_addrs[frame_index(EV_MAX_FRAMES - 1 - s->nr_noted)];
		if (py_step(s)) {
			s->status = STACK_OK; /* of what is on the stack */
			return -1;
		}
	}
	return 0;
}

__noinline int await_walk(struct loop_thread *th, struct scratch *s)
{
	u64 loop, task;
	s32 above;
	u32 nr, i;

	if (!th || !s || (th->kind != LOOP_KIND_ASYNCIO && th->kind != LOOP_KIND_UVLOOP))
		return 0;
	above = loop_nr_above(th, s) - (th->kind == LOOP_KIND_ASYNCIO); /* Handle._run */
	if (s->status != STACK_OK || s->flags & STACK_TRUNCATED || above <= 0)
		return 0;
	nr = s->nr;
	loop = pytask_loop(s, th->slot_value);
	task = task_current(th, s);
	for (i = 0; i < PYAWAIT_MAX_TASKS && task; i++) {
		task = await_waiter(s, task, loop);
		if (!task || await_add_task(s, task))
			break;
	}
	s->nr_awaiting = s->nr - nr;
	s->awaiting_at = above;
	return 0;
}
