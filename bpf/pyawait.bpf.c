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

__noinline u32 await_kind(struct scratch *s, u64 object)
{
	if (!s)
		return PYAWAIT_OTHER;
	return pyawait_kind(&s->layout, object, s->loop_addr);
}

/* The next word that is looked through, if it is a future. */
__noinline u64 await_word(struct scratch *s)
{
	u64 word;

	if (!s)
		return 0;
	word = pyawait_word(s);
	if (!word || word == s->await_of)
		return 0;
	if (await_kind(s, word))
		return word;
	pyawait_enter(s, word);
	return 0;
}

/* The first future among the words. */
__noinline u64 await_words(struct scratch *s)
{
	u64 found = 0;
	u32 i;

	if (!s)
		return 0;
	for (i = 0; i < PYAWAIT_MAX_WORDS && s->dict_left && !found; i++)
		found = await_word(s);
	return found;
}

__noinline int await_attributes(struct scratch *s, u64 object)
{
	if (!s)
		return 0;
	pyawait_attributes(s, object);
	return 0;
}

__noinline u64 await_look(struct scratch *s, u64 object)
{
	if (!s)
		return 0;
	if (pyawait_look(s, object))
		await_attributes(s, object);
	return await_words(s);
}

/* The task or future that waits for a task or future; 0: none, or it does in a way that is not known. */
__noinline u64 await_waiter(struct scratch *s, u64 future)
{
	u64 found, object;
	u32 i;

	if (!s)
		return 0;
	s->await_of = future;
	pyawait_awaited_by(s, future);
	found = await_words(s);
	if (!found)
		found = task_of_callback(s, pyobject(&s->layout, future) + PYFUTURE_CALLBACK, s->loop_addr);
	object = pyobject_u64(&s->layout, future, PYFUTURE_CALLBACK);
	for (i = 0; i < PYAWAIT_MAX_LOOKS && object && !found; i++) {
		found = await_look(s, object);
		object = s->await_into;
	}
	return found;
}

/* Adds the coroutines of a suspended task, the innermost first; a future has none.  0: done. */
__noinline int await_add_task(struct scratch *s, u64 task)
{
	u64 coroutine;
	u32 i;

	if (!s || s->nr > EV_MAX_FRAMES - 2 * PYAWAIT_MAX_COROUTINES)
		return -1;
	if (await_kind(s, task) != PYAWAIT_TASK)
		return 0;
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
	u64 task;
	s32 above;
	u32 nr, i;

	if (!th || !s || (th->kind != LOOP_KIND_ASYNCIO && th->kind != LOOP_KIND_UVLOOP))
		return 0;
	above = loop_nr_above(th, s) - (th->kind == LOOP_KIND_ASYNCIO); /* Handle._run */
	if (s->status != STACK_OK || s->flags & STACK_TRUNCATED || above < 0)
		return 0;
	nr = s->nr;
	task = task_current(th, s);
	for (i = 0; i < PYAWAIT_MAX_STEPS && task; i++) {
		task = await_waiter(s, task);
		if (!task || await_add_task(s, task))
			break;
	}
	s->nr_awaiting = s->nr - nr;
	s->awaiting_at = above;
	return 0;
}
