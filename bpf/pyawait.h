/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who waits for the task that runs.  A library that connects in a task of its own, gather() and a TaskGroup
 * leave the program's line to another task: one that is suspended, whose coroutines are on no thread's
 * stack. Same rules as pyframe.h; works in s->dict_*: the words that are looked through.
 *
 * From 3.14 on a future, and a task is one, says who awaits it. In any version who waits leaves a callback
 * with it:
 *
 *   a task that awaits it	its task_wakeup
 *   gather(), wait()		a function, with a future among its variables, which is awaited
 *   wait_for(), to 3.11	partial(_release_waiter, such a future)
 *   a TaskGroup		a method of its own; the task is among its attributes
 *   a TaskGroup of anyio's	a function, with the group among its variables; this has a CancelScope, this the task
 *
 * Which variable or attribute it is, differs by release: they are looked through for a future of the loop.
 *
 * A suspended coroutine's frame has what it awaits on top of its stack of values: a coroutine, generator or
 * async generator, or an object that leads into one, is the next one inward.  What else is there (a future, an
 * object of C) ends the way.
 */
#ifndef PYAWAIT_H
#define PYAWAIT_H

#include "pycallbacks.h"
#include "pytask.h"

#define PYAWAIT_MAX_STEPS      8  /* from a future to who waits for it: a gather() takes two, its future and the task */
#define PYAWAIT_MAX_COROUTINES 16 /* of one task */
#define PYAWAIT_MAX_WORDS      12 /* _host_task is the eleventh or twelfth attribute of anyio's CancelScope */
#define PYAWAIT_MAX_LOOKS      3  /* anyio's function, TaskGroup, CancelScope */

/* All of these were read live on 3.9.2, 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0, 3.13.5 (with the GIL and
 * without), 3.14.10 and 3.15.2. */

/* Modules/_asynciomodule.c: FutureObj.fut_callback0; TaskObj.task_coro is right before
 * task_name.  3.9 to 3.15.  fut_awaited_by and fut_awaited_by_is_set, a byte: 3.14+. */
#define PYFUTURE_CALLBACK	24
#define PYFUTURE_AWAITED_BY	96
#define PYFUTURE_AWAITED_BY_SET 109
#define PYTASK_CORO_BEFORE	8
#define PYPARTIAL_ARGUMENTS	24 /* partialobject.args */
#define PYTUPLE_SIZE		16
#define PYTUPLE_ITEMS		24 /* PyTupleObject.ob_item, to 3.13 */
#define PYTUPLE_ITEMS_314	32
#define PYSET_MASK		32
#define PYSET_TABLE		40 /* of a key and its hash each */
#define PYCELL_CONTENTS		16
#define PYMETHOD_SELF		24 /* PyMethodObject.im_self */

/* Include/cpython/funcobject.h: func_closure, func_qualname. */
#define PYFUNCTION_CLOSURE_39 48
#define PYFUNCTION_NAME_39    104
#define PYFUNCTION_CLOSURE    72
#define PYFUNCTION_NAME	      40

/* Include/cpython/genobject.h: to 3.10 gi_frame, a pointer; later gi_iframe, the frame itself, and so far
 * before it gi_frame_state, a byte. */
#define PYCORO_FRAME_OLD    16
#define PYCORO_FRAME_311    80
#define PYCORO_FRAME	    72
#define PYCORO_STATE_BEFORE 5
#define PYCORO_AWAITING	    3    /* 3.15: it and what is less */
#define PYCORO_NEGATIVE	    0x80 /* before: what is negative */
/* Objects/genobject.c: PyCoroWrapper.cw_coroutine, PyAsyncGenASend.ags_gen, PyAsyncGenAThrow.agt_gen. */
#define PYCORO_WRAPPED	    16

/* Where a suspended frame keeps the height of its stack of values; see the table of layouts for the
 * headers. */
#define PYFRAME_VALUES_39  72 /* f_stacktop, behind the topmost */
#define PYFRAME_VALUES_310 64 /* f_valuestack, the lowest */
#define PYFRAME_DEPTH_310  80 /* f_stackdepth, an int */
#define PYFRAME_TOP	   64 /* 3.11 to 3.13: stacktop, an int, from localsplus; 3.14+: stackpointer */
#define PYFRAME_MAX_VALUES 4096

#define PYNAME_FUTURE	    NAME8('_', 'a', 's', 'y', 'n', 'c', 'i', 'o')
#define PYNAME_TASK	    ('T' | 'a' << 8 | 's' << 16 | 'k' << 24)
#define PYNAME_TASK_GROUP   NAME8('T', 'a', 's', 'k', 'G', 'r', 'o', 'u')
#define PYNAME_CANCEL_SCOPE NAME8('C', 'a', 'n', 'c', 'e', 'l', 'S', 'c')

enum pyawait_kind {
	PYAWAIT_OTHER,
	PYAWAIT_FUTURE,
	PYAWAIT_TASK,
};

/* What an object is: of _asyncio's types, or a subclass's, and of this loop. */
static __always_inline u32 pyawait_kind(const struct py_layout *l, u64 object, u64 loop)
{
	u64 type, name;

	if (!loop || pyobject_u64(l, object, PYTASK_LOOP) != loop)
		return PYAWAIT_OTHER;
	type = pyobject_type(l, object);
	name = pyobject_u64(l, type, PYTYPE_NAME);
	if (read_user_u64(name) != PYNAME_FUTURE)
		name = pyobject_u64(l, pyobject_u64(l, type, PYTYPE_BASE), PYTYPE_NAME);
	if (read_user_u64(name) != PYNAME_FUTURE)
		return PYAWAIT_OTHER;
	name = read_user_u64(name + 8); /* .Task, .Future */
	return (u32)(name >> 8) == PYNAME_TASK ? PYAWAIT_TASK : PYAWAIT_FUTURE;
}

/* ---- words that are looked through for who waits ---- */

static __always_inline void pyawait_set_words(struct scratch *s, u64 addr, u32 stride, u64 nr)
{
	s->dict_entry_addr = addr;
	s->dict_entry_bytes = stride;
	s->dict_left = nr > PYAWAIT_MAX_WORDS ? PYAWAIT_MAX_WORDS : (u32)nr;
}

static __always_inline void pyawait_set_tuple(struct scratch *s, u64 tuple)
{
	const struct py_layout *l = &s->layout;
	u64 items = pyobject(l, tuple) + (l->minor >= 14 ? PYTUPLE_ITEMS_314 : PYTUPLE_ITEMS);

	pyawait_set_words(s, items, 8, pyobject_u64(l, tuple, PYTUPLE_SIZE));
}

/* Who awaits a future, by what itself says. */
static __always_inline void pyawait_awaited_by(struct scratch *s, u64 future)
{
	const struct py_layout *l = &s->layout;
	u64 by = pyobject(l, future) + PYFUTURE_AWAITED_BY;
	u8 is_set = 0;

	s->await_is_cells = 0;
	s->await_enter = 0;
	pyawait_set_words(s, by, 8, l->minor >= 14);
	read_user(&is_set, sizeof(is_set), pyobject(l, future) + PYFUTURE_AWAITED_BY_SET);
	if (l->minor < 14 || !is_set)
		return;
	by = read_user_u64(by);
	pyawait_set_words(s, pyobject_u64(l, by, PYSET_TABLE), 16, pyobject_u64(l, by, PYSET_MASK) + 1);
}

/* The attributes of an instance, or its slots if it has no dict. */
static __always_inline void pyawait_attributes(struct scratch *s, u64 object)
{
	const struct py_layout *l = &s->layout;
	u64 type = pyobject_type(l, object);
	struct pyready_words words = {};

	if (pyobject_u64(l, type, PYTYPE_DICTOFFSET)) {
		pyready_of_object(l, object, &words);
		pyawait_set_words(s, words.addr, words.stride, words.nr ? PYAWAIT_MAX_WORDS : 0);
	} else {
		pyawait_set_words(s, pyobject(l, object) + 16, 8, (pyobject_u64(l, type, PYTYPE_BASICSIZE) - 16) / 8);
	}
}

/* The closed-over variables of a function, if it is one that is known to have who waits. */
static __always_inline void pyawait_closure(struct scratch *s, u64 function)
{
	const struct py_layout *l = &s->layout;
	bool is_39 = l->minor == 9;
	u64 name = pyobject_u64(l, function, is_39 ? PYFUNCTION_NAME_39 : PYFUNCTION_NAME);

	name = name ? read_user_u64(name + l->str_ascii_data) : 0;
	if (name != NAME8('g', 'a', 't', 'h', 'e', 'r', '.', '<') &&
	    name != NAME8('_', 'g', 'a', 't', 'h', 'e', 'r', '.') && /* 3.9 */
	    name != NAME8('_', 'w', 'a', 'i', 't', '.', '<', 'l') && name != PYNAME_TASK_GROUP)
		return;
	s->await_is_cells = 1;
	s->await_enter = PYNAME_TASK_GROUP;
	pyawait_set_tuple(s, pyobject_u64(l, function, is_39 ? PYFUNCTION_CLOSURE_39 : PYFUNCTION_CLOSURE));
}

/* Points s at the words of a callback, or of what it leads to; 1: of an instance's, see pyawait_attributes(). */
static __always_inline int pyawait_look(struct scratch *s, u64 object)
{
	const struct py_layout *l = &s->layout;
	u64 type = pytype_name8(l, pyobject_type(l, object));

	s->dict_left = 0;
	s->await_is_cells = 0;
	s->await_enter = 0;
	s->await_into = 0;
	if (type == NAME8('f', 'u', 'n', 'c', 't', 'i', 'o', 'n')) {
		pyawait_closure(s, object);
	} else if (type == NAME8('f', 'u', 'n', 'c', 't', 'o', 'o', 'l') && l->minor <= 11) {
		pyawait_set_tuple(s, pyobject_u64(l, object, PYPARTIAL_ARGUMENTS));
	} else if ((type & NAME_7_BYTES) == NAME8('m', 'e', 't', 'h', 'o', 'd', 0, 0)) {
		pyawait_set_words(s, pyobject(l, object) + PYMETHOD_SELF, 8, 1);
		s->await_enter = PYNAME_TASK_GROUP;
	} else if (type == PYNAME_TASK_GROUP) {
		s->await_enter = PYNAME_CANCEL_SCOPE;
		return 1;
	}
	return type == PYNAME_CANCEL_SCOPE;
}

/* The next word. */
static __always_inline u64 pyawait_word(struct scratch *s)
{
	u64 word = read_user_u64(s->dict_entry_addr);

	s->dict_entry_addr += s->dict_entry_bytes;
	s->dict_left--;
	return s->await_is_cells ? pyobject_u64(&s->layout, word, PYCELL_CONTENTS) : word;
}

/* Goes on in an object of the type that is on the way. */
static __always_inline void pyawait_enter(struct scratch *s, u64 object)
{
	if (!s->await_enter || pytype_name8(&s->layout, pyobject_type(&s->layout, object)) != s->await_enter)
		return;
	s->await_into = object;
	s->dict_left = 0;
}

/* ---- coroutines ---- */

static __always_inline u64 pyawait_coroutine(const struct py_layout *l, u64 task)
{
	return read_user_u64(task + l->task_name - PYTASK_CORO_BEFORE);
}

/* The frame of what is awaited, if it is a suspended coroutine, or one of its kind; 0: else. */
static __always_inline u64 pyawait_frame(const struct py_layout *l, u64 coroutine)
{
	u64 name = pyobject_u64(l, pyobject_type(l, coroutine), PYTYPE_NAME), begin = read_user_u64(name), frame;
	u8 state = 0;

	if (begin == NAME8('a', 's', 'y', 'n', 'c', '_', 'g', 'e') /* async_generator_asend and its like */ ||
	    (begin == NAME8('c', 'o', 'r', 'o', 'u', 't', 'i', 'n') && (read_user_u64(name + 8) & 0xff00)))
		coroutine = pyobject_u64(l, coroutine, PYCORO_WRAPPED); /* coroutine_wrapper */
	else if (begin != NAME8('c', 'o', 'r', 'o', 'u', 't', 'i', 'n') &&
		 begin != NAME8('g', 'e', 'n', 'e', 'r', 'a', 't', 'o'))
		return 0;
	if (l->minor <= 10)
		return pyobject_u64(l, coroutine, PYCORO_FRAME_OLD);
	frame = pyobject(l, coroutine) + (l->minor == 11 ? PYCORO_FRAME_311 : PYCORO_FRAME);
	if (read_user(&state, sizeof(state), frame - PYCORO_STATE_BEFORE))
		return 0;
	return (l->minor >= 15 ? state <= PYCORO_AWAITING : state >= PYCORO_NEGATIVE) ? frame : 0;
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
