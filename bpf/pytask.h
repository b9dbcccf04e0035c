/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which task runs.  3.14+: the thread state says it.  To 3.13: asyncio's dict {loop: task}, which each
 * step of a task enters and leaves, on every loop that uses asyncio's own Task (uvloop too).  Same rules
 * as pyframe.h; works in s->buf.
 *
 * The dict's entries are few: one for each loop that runs a task now, and those left over until the
 * table is made anew.  Another thread may do that meanwhile: a task is believed only if it says
 * itself that it is this loop's.
 */
#ifndef PYTASK_H
#define PYTASK_H

#include "pyrunning.h"

#define PYTASK_ENTRY_WORDS 3 /* hash, key, value: keys that are no str */
#define PYTASK_AT_ONCE	   8 /* entries of one read; a dict with one loop has 5 at most */
#define PYTASK_MAX_READS   8

#define PYTASK_LOOP 16 /* FutureObj.fut_loop, Modules/_asynciomodule.c, 3.9 to 3.15 */

#define PYHANDLE_CALLBACK 24 /* a slot of asyncio.events.Handle; the same from 3.9 to 3.15 */
#define PYSTEP_TASK	  16 /* TaskStepMethWrapper.task, and 3.9's TaskWakeupMethWrapper */
#define PYCFUNCTION_DEF	  16 /* PyCFunctionObject.m_ml; ml_name is first in it */
#define PYCFUNCTION_SELF  24
#define PYPARTIAL_FUNCTION 16 /* partialobject.fn */
#define PYBUILTIN_BYTES	   64 /* of its name and a NUL; none is longer */

#define PYTYPE_FLAGS	    168
#define PYTYPE_IS_LONG	    (1ULL << 24)
#define PYTYPE_IS_STR	    (1ULL << 28)
#define PYSTR_COMPACT	    (1u << 5)
#define PYSTR_ASCII	    (1u << 6)
#define PYLONG_DIGIT_BITS   30
#define PYLONG_TAG_SHIFT    3 /* 3.12+: lv_tag >> 3 is the number of digits */

/* The record is made where frames were read: that is done by then. */
static __always_inline struct ev_task *pytask_record(struct scratch *s)
{
	_Static_assert(sizeof(struct ev_task) <= sizeof(s->buf), "room");
	return (struct ev_task *)s->buf.bytes;
}

/* The loop that the slot of a loop thread holds (struct loop_thread.slot_value). */
static __always_inline u64 pytask_loop(struct scratch *s, u64 slot_value)
{
	if (slot_value && s->layout.running_loop_holder)
		return read_user_u64(slot_value + s->layout.running_loop_holder);
	return slot_value;
}

static __always_inline int pytask_is_in_thread(const struct py_layout *l)
{
	return l->tstate_running_task && !l->has_cframe;
}

/* The task that the thread state names; 0: none of this loop's runs. */
static __always_inline u64 pytask_of_thread(struct scratch *s, u64 tstate_addr, u64 loop)
{
	u64 task = read_user_u64(tstate_addr + s->layout.tstate_running_task);

	return task && pyobject_u64(&s->layout, task, PYTASK_LOOP) == loop ? task : 0;
}

/* Points s at the entries of the dict. 0: there are some. */
static __always_inline int pytask_begin(struct scratch *s)
{
	u64 keys = pyobject_u64(&s->layout, s->layout.current_tasks_addr, PYDICT_KEYS), nr, size;

	s->dict_left = 0;
	if (!keys || read_user(s->buf.bytes, 40, keys))
		return -1;
	size = s->buf.words[1]; /* 3.11+: log2_size, log2_index_bytes, kind */
	if (s->layout.minor <= 10) {
		nr = s->buf.words[4];
		if (size > 0xffff)
			return -1;
		s->dict_entry_addr = keys + 40 + (size <= 0xff ? size : 2 * size);
	} else {
		nr = s->buf.words[3];
		if (size >> 16 & 0xff)
			return -1; /* empty, so made for str */
		s->dict_entry_addr = keys + 32 + (1ULL << (size >> 8 & 31));
	}
	s->dict_left = nr > PYTASK_AT_ONCE * PYTASK_MAX_READS ? PYTASK_AT_ONCE * PYTASK_MAX_READS
							      : (u32)nr;
	return s->dict_left ? 0 : -1;
}

/* Looks at the next few entries.  The task, 0: not among them; s->dict_left tells if more are left. */
static __always_inline u64 pytask_step(struct scratch *s, u64 loop)
{
	u32 nr = s->dict_left, bytes, i;

	if (nr > PYTASK_AT_ONCE)
		nr = PYTASK_AT_ONCE;
	bytes = nr * PYTASK_ENTRY_WORDS * 8;
	if (bytes > PYTASK_AT_ONCE * PYTASK_ENTRY_WORDS * 8 ||
	    read_user(s->buf.bytes, bytes, s->dict_entry_addr)) {
		s->dict_left = 0;
		return 0;
	}
	s->dict_entry_addr += bytes;
	s->dict_left -= nr;
	for (i = 0; i < PYTASK_AT_ONCE; i++) {
		u64 key = s->buf.words[i * PYTASK_ENTRY_WORDS + 1];
		u64 task = s->buf.words[i * PYTASK_ENTRY_WORDS + 2];

		if (i < nr && key == loop && task)
			return pyobject_u64(&s->layout, task, PYTASK_LOOP) == loop ? task : 0;
	}
	return 0;
}

/*
 * The task that a Handle steps or wakes: its callback is an object made for that, or the builtin
 * task_wakeup, bound to it (3.10+).  Known without the dict, so at once in a program that was looked at
 * before it imported asyncio; but a task that begins eagerly has no Handle.
 */
static __always_inline u64 pytask_of_callback(const struct py_layout *l, u64 callback, u64 loop)
{
	u64 type = pytype_name8(l, pyobject_type(l, callback)), at = PYSTEP_TASK, task;

	if (type == NAME8('b', 'u', 'i', 'l', 't', 'i', 'n', '_')) {
		if (read_user_u64(read_user_u64(pyobject_u64(l, callback, PYCFUNCTION_DEF))) !=
		    NAME8('t', 'a', 's', 'k', '_', 'w', 'a', 'k'))
			return 0;
		at = PYCFUNCTION_SELF;
	} else if (type != NAME8('T', 'a', 's', 'k', 'S', 't', 'e', 'p') &&
		   type != NAME8('T', 'a', 's', 'k', 'W', 'a', 'k', 'e') &&
		   type != NAME8('_', 'a', 's', 'y', 'n', 'c', 'i', 'o')) {
		return 0;
	}
	task = pyobject_u64(l, callback, at);
	return task && pyobject_u64(l, task, PYTASK_LOOP) == loop ? task : 0;
}

/* asyncio.Handle._callback. */
static __always_inline u64 pytask_callback_of(const struct py_layout *l, u64 handle)
{
	return pyobject_u64(l, handle, PYHANDLE_CALLBACK);
}

/* A function in C that a Handle calls, itself or in a functools.partial: its name, NUL-ended; 0: none. */
static __always_inline u64 pytask_builtin_of_callback(const struct py_layout *l, u64 callback)
{
	u64 type = pytype_name8(l, pyobject_type(l, callback));

	if (type == NAME8('f', 'u', 'n', 'c', 't', 'o', 'o', 'l')) {
		callback = pyobject_u64(l, callback, PYPARTIAL_FUNCTION);
		type = pytype_name8(l, pyobject_type(l, callback));
	}
	if (type != NAME8('b', 'u', 'i', 'l', 't', 'i', 'n', '_'))
		return 0;
	return read_user_u64(pyobject_u64(l, callback, PYCFUNCTION_DEF));
}

/* Its name is a number until someone asks for it (3.12+). */
static __always_inline int pytask_number(struct ev_task *ev, const u64 *head)
{
	u64 nr_digits = head[2] >> PYLONG_TAG_SHIFT;

	if (nr_digits > 2)
		return -1;
	ev->number = nr_digits ? (u32)head[3] : 0;
	if (nr_digits > 1)
		ev->number |= (head[3] >> 32) << PYLONG_DIGIT_BITS;
	return 0;
}

static __always_inline int pytask_text(struct scratch *s, struct ev_task *ev, u64 str_addr,
				       const u64 *head)
{
	u32 state = pystr_state_of(&s->layout, (u32)head[4]), kind = state >> 2 & 7, most;
	u64 length = head[2], data = str_addr, bytes;

	if (kind != 1 && kind != 2 && kind != 4)
		return -1;
	most = EV_TASK_NAME_BYTES / kind;
	ev->is_cut = length > most;
	if (length > most)
		length = most;
	bytes = length * kind;
	if (!(state & PYSTR_COMPACT))
		data = read_user_u64(str_addr + s->layout.str_compact_data);
	else if (state & PYSTR_ASCII)
		data += s->layout.str_ascii_data;
	else
		data += s->layout.str_compact_data;
	if (bytes > EV_TASK_NAME_BYTES || read_user(ev->name, (u32)bytes, data))
		return -1;
	ev->name_bytes = (u16)bytes;
	ev->kind = (u8)kind;
	return 0;
}

/* All of the name: an address is used again by the next task, whose name may differ in its end. */
static __always_inline void pytask_make_id(struct scratch *s, u64 hash)
{
	struct ev_task *ev = pytask_record(s);
	u32 i;

	hash = hash_mix(hash_mix(hash, ev->number), (u64)ev->is_callback << 48 | (u64)ev->kind << 32 |
							     (u64)ev->is_cut << 16 | ev->name_bytes);
	for (i = 0; i < EV_TASK_NAME_BYTES / 8; i++)
		hash = hash_mix(hash, s->buf.words[offsetof(struct ev_task, name) / 8 + i]);
	ev->task_id = hash | 1;
}

/* Writes the name of a function in C, and its id, into the record. 0: done. */
static __always_inline int pytask_builtin(struct scratch *s, u64 name_addr, u32 target_id)
{
	struct ev_task *ev = pytask_record(s);
	long bytes;

	__builtin_memset(ev, 0, sizeof(*ev));
	bytes = name_addr ? read_user_str(ev->name, PYBUILTIN_BYTES, name_addr) : 0;
	if (bytes < 2 || bytes > PYBUILTIN_BYTES)
		return -1;
	ev->name_bytes = (u16)(bytes - 1);
	ev->kind = 1;
	ev->is_callback = 1;
	pytask_make_id(s, target_id);
	return 0;
}

/* Writes a name, a str or a task's number, and its id into the record. 0: done. */
static __always_inline int pytask_object(struct scratch *s, u64 name, u64 hash)
{
	struct ev_task *ev = pytask_record(s);
	u64 head[5], flags;

	__builtin_memset(ev, 0, sizeof(*ev));
	if (!name || read_user(head, sizeof(head), pyobject(&s->layout, name)))
		return -1;
	flags = pyobject_u64(&s->layout, head[1], PYTYPE_FLAGS);
	if (flags & PYTYPE_IS_STR) {
		if (pytask_text(s, ev, name, head))
			return -1;
	} else if (!(flags & PYTYPE_IS_LONG) || s->layout.minor < 12 || pytask_number(ev, head)) {
		return -1;
	}
	pytask_make_id(s, hash);
	return 0;
}

/* Writes name and id of a task into the record. 0: done. */
static __always_inline int pytask_name(struct scratch *s, u64 task, u32 target_id)
{
	return pytask_object(s, read_user_u64(task + s->layout.task_name),
			     hash_mix(target_id, task));
}

#endif
