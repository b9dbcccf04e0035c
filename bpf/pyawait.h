/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who waits for the task that runs.  A library that connects in a task of its own, and
 * asyncio.wait_for() to 3.11, leave the program's line to another task: one that is suspended,
 * whose coroutines are on no thread's stack. Same rules as pyframe.h.
 *
 * A task that awaits another leaves a callback with it, task_wakeup bound to itself.  A suspended
 * coroutine's frame has what it awaits on top of its stack of values; a coroutine there is the next
 * one inward.  What is there instead of one (an async generator, a future) ends the way.
 */
#ifndef PYAWAIT_H
#define PYAWAIT_H

#include "pytask.h"

#define PYAWAIT_MAX_TASKS      4
#define PYAWAIT_MAX_COROUTINES 16 /* of one task */

/* Modules/_asynciomodule.c: FutureObj.fut_callback0; TaskObj.task_coro is right before
 * task_name.  3.9 to 3.15. */
#define PYFUTURE_CALLBACK   24
#define PYTASK_CORO_BEFORE  8
#define PYPARTIAL_ARGUMENTS 24 /* partialobject.args */
#define PYTUPLE_ITEMS	    24 /* PyTupleObject.ob_item, to 3.13 */

/* Include/cpython/genobject.h: to 3.10 gi_frame, a pointer; later gi_iframe, the frame itself. */
#define PYCORO_FRAME_OLD 16
#define PYCORO_FRAME_311 80
#define PYCORO_FRAME	 72

/* Where a suspended frame keeps the height of its stack of values; see the table of layouts for the
 * headers. */
#define PYFRAME_VALUES_39  72 /* f_stacktop, behind the topmost */
#define PYFRAME_VALUES_310 64 /* f_valuestack, the lowest */
#define PYFRAME_DEPTH_310  80 /* f_stackdepth, an int */
#define PYFRAME_TOP	   64 /* 3.11 to 3.13: stacktop, an int, from localsplus; 3.14+: stackpointer */
#define PYFRAME_MAX_VALUES 4096

/* The task that awaits a future (or task) of this loop; 0: none, or it waits in another way. */
static __always_inline u64 pyawait_waiter_of(const struct py_layout *l, u64 future, u64 loop)
{
	return pytask_of_callback(l, pyobject_u64(l, future, PYFUTURE_CALLBACK), loop);
}

/* The same through asyncio.wait_for() to 3.11, whose callback is partial(_release_waiter, a
 * future). */
static __always_inline u64 pyawait_waiter(const struct py_layout *l, u64 task, u64 loop)
{
	u64 waiter = pyawait_waiter_of(l, task, loop), callback, future;

	if (waiter || l->minor > 11)
		return waiter;
	callback = pyobject_u64(l, task, PYFUTURE_CALLBACK);
	if (pytype_name8(l, pyobject_type(l, callback)) !=
	    NAME8('f', 'u', 'n', 'c', 't', 'o', 'o', 'l'))
		return 0;
	future = pyobject_u64(l, pyobject_u64(l, callback, PYPARTIAL_ARGUMENTS), PYTUPLE_ITEMS);
	return pyobject_u64(l, future, PYTASK_LOOP) == loop ? pyawait_waiter_of(l, future, loop)
							    : 0;
}

static __always_inline u64 pyawait_coroutine(const struct py_layout *l, u64 task)
{
	return read_user_u64(task + l->task_name - PYTASK_CORO_BEFORE);
}

/* The frame of a coroutine; 0: it is none, or has ended. */
static __always_inline u64 pyawait_frame(const struct py_layout *l, u64 coroutine)
{
	if (pytype_name8(l, pyobject_type(l, coroutine)) !=
	    NAME8('c', 'o', 'r', 'o', 'u', 't', 'i', 'n'))
		return 0;
	if (l->minor <= 10)
		return pyobject_u64(l, coroutine, PYCORO_FRAME_OLD);
	return pyobject(l, coroutine) + (l->minor == 11 ? PYCORO_FRAME_311 : PYCORO_FRAME);
}

/* What the coroutine of a suspended frame awaits, if it is one. */
static __always_inline u64 pyawait_next(const struct py_layout *l, u64 frame)
{
	u64 values;
	s32 nr = 0;

	if (l->minor == 9)
		return read_user_u64(read_user_u64(frame + PYFRAME_VALUES_39) - 8);
	if (l->minor >= 14) /* 3.15 has an index, or nothing, above it */
		return read_user_u64(read_user_u64(frame + PYFRAME_TOP) -
				     (l->minor == 14 ? 8 : 16)) &
		       ~PY_REF_TAGS;
	values = l->minor == 10 ? read_user_u64(frame + PYFRAME_VALUES_310)
				: frame + l->frame_locals;
	if (read_user(&nr, sizeof(nr), frame + (l->minor == 10 ? PYFRAME_DEPTH_310 : PYFRAME_TOP)))
		return 0;
	return nr > 0 && nr <= PYFRAME_MAX_VALUES ? read_user_u64(values + 8 * (u64)nr - 8) : 0;
}

/*
 * Notes the frame of a coroutine, the nr-th of its task, and gives what it awaits; 0: that was the
 * last one.  The far end of frame_addrs is where it is noted: the walk that follows has room for
 * all below it.
 */
static __always_inline u64 pyawait_note(struct scratch *s, u64 coroutine, u32 nr)
{
	u64 frame = pyawait_frame(&s->layout, coroutine);

	if (!frame)
		return 0;
	s->frame_addrs[frame_index(EV_MAX_FRAMES - 1 - nr)] = frame;
	s->nr_noted = nr + 1;
	return pyawait_next(&s->layout, frame);
}

#endif
