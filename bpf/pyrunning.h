/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Evidence that a thread runs an event loop: its running-loop slot, which asyncio sets and clears
 * (uvloop too), and the Python frames above its wait.  Same rules as pyframe.h.
 *
 * 3.13 and later keep the loop in the thread state.  3.9 to 3.12 keep it in the thread state's dict under a
 * fixed key; up to 3.11 inside a holder object, which is a new one whenever a loop starts or stops.
 */
#ifndef PYRUNNING_H
#define PYRUNNING_H

#include "pyframe.h"

#define PYRUNNING_MAX_ENTRIES 128 /* entries of the dict that are looked at; it has a handful */
#define PYRUNNING_AT_ONCE    16  /* by one function: see FRAMES_AT_ONCE */
#define PYRUNNING_KEY	      "__asyncio_running_event_loop__"
#define PYRUNNING_WAIT_FRAMES 4 /* _run_once is the caller of the selector's select(), so within the first few */

/* PyTypeObject and object header, the same from 3.9 to 3.15; free-threaded: see object_shift in pylayout.h. */
#define PYOBJECT_TYPE	8
#define PYTYPE_NAME	24
#define PYTYPE_BASE	256
#define PYDICT_KEYS	32
#define PYDICT_MAX_BASES 4

/* The first 8 bytes of the name of the type at addr, as a number. */
static __always_inline u64 pytype_name8(const struct py_layout *l, u64 type_addr)
{
	return read_user_u64(pyobject_u64(l, type_addr, PYTYPE_NAME));
}

static __always_inline u64 pyobject_type(const struct py_layout *l, u64 addr)
{
	return pyobject_u64(l, addr, PYOBJECT_TYPE);
}

/* "NoneType" and "uvloop." as little-endian numbers. */
#define NAME_NONETYPE 0x65707954656e6f4eULL
#define NAME_UVLOOP   0x002e706f6f6c7675ULL
#define NAME_7_BYTES  0x00ffffffffffffffULL

static __always_inline int pyrunning_begin_dict(struct scratch *s)
{
	u64 dict = read_user_u64(s->tstate_addr + s->layout.tstate_dict);
	u64 keys = pyobject_u64(&s->layout, dict, PYDICT_KEYS);
	u64 nr, indices;

	if (!keys)
		return -1;
	if (s->layout.minor <= 10) {
		u64 size = read_user_u64(keys + 8);

		if (size > 0xffff)
			return -1;
		nr = read_user_u64(keys + 32);
		indices = size <= 0xff ? size : 2 * size;
		s->dict_entry_addr = keys + 40 + indices;
		s->dict_is_unicode = 0;
	} else {
		u64 head = read_user_u64(keys + 8); /* log2_size, log2_index_bytes, kind */

		nr = read_user_u64(keys + 24);
		s->dict_entry_addr = keys + 32 + (1ULL << (head >> 8 & 31));
		s->dict_is_unicode = (head >> 16 & 0xff) != 0;
	}
	s->dict_entry_bytes = s->dict_is_unicode ? 16 : 24;
	s->dict_left = nr > PYRUNNING_MAX_ENTRIES ? PYRUNNING_MAX_ENTRIES : (u32)nr;
	return 0;
}

/* Prepares the search. 0: go on with pyrunning_dict_step() while dict_left. */
static __always_inline int pyrunning_begin(struct scratch *s)
{
	s->loop_addr = 0;
	s->slot_addr = 0;
	s->slot_value = 0;
	s->dict_left = 0;
	if (!s->layout.tstate_running_loop)
		return pyrunning_begin_dict(s);
	s->slot_addr = s->tstate_addr + s->layout.tstate_running_loop;
	s->slot_value = read_user_u64(s->slot_addr);
	return 0;
}

/* Looks at one entry of the dict. 1: found. */
static __always_inline int pyrunning_dict_step(struct scratch *s)
{
	u64 key_addr = s->dict_entry_addr + (s->dict_is_unicode ? 0 : 8);

	s->dict_entry_addr += s->dict_entry_bytes;
	s->dict_left--;
	if (!pystr_equals(s, read_user_u64(key_addr), PYRUNNING_KEY, sizeof(PYRUNNING_KEY) - 1))
		return 0;
	s->slot_addr = key_addr + 8;
	s->slot_value = read_user_u64(s->slot_addr);
	return 1;
}

/* 0: a loop runs. */
static __always_inline int pyrunning_end(struct scratch *s)
{
	u64 loop = s->slot_value;

	if (loop && s->layout.running_loop_holder)
		loop = read_user_u64(loop + s->layout.running_loop_holder);
	if (!loop || pytype_name8(&s->layout, pyobject_type(&s->layout, loop)) == NAME_NONETYPE)
		return -1;
	s->loop_addr = loop;
	return 0;
}

static __always_inline int pyrunning_is_uvloop(struct scratch *s)
{
	const struct py_layout *l = &s->layout;
	u64 type = pyobject_type(l, s->loop_addr);
	int i;

	for (i = 0; i < PYDICT_MAX_BASES && type; i++) {
		if ((pytype_name8(l, type) & NAME_7_BYTES) == NAME_UVLOOP)
			return 1;
		type = pyobject_u64(l, type, PYTYPE_BASE);
	}
	return 0;
}

static __always_inline int pyrunning_is_run_once(struct scratch *s, u32 index)
{
	u64 code = s->frames[frame_index(index)].code_addr;

	return pystr_equals(s, read_user_u64(code + s->layout.code_name), "_run_once", 9);
}

/* Handle._run, which _run_once calls for each callback: what waits above it is a callback, not the loop. */
static __always_inline int pyrunning_is_handle_run(struct scratch *s, u32 index)
{
	u64 code = s->frames[frame_index(index)].code_addr;

	return pystr_equals(s, read_user_u64(code + s->layout.code_name), "_run", 4);
}

/*
 * Is the walked stack that of a loop?  asyncio: BaseEventLoop._run_once is there; right above the
 * selector's select() if the thread is in its wait, anywhere if not; the caller looked for it and
 * says where (EV_MAX_FRAMES: nowhere).  uvloop runs callbacks without a Python frame of its own: its
 * loop is running, and the wait is called from no coroutine.
 * Leaves in s->nr the depth of the frame that runs iterations.
 */
static __always_inline int pyrunning_wait_kind(struct scratch *s, u32 is_in_wait, u32 run_once)
{
	if (run_once < EV_MAX_FRAMES) {
		if (is_in_wait && run_once && pyrunning_is_handle_run(s, run_once - 1))
			return LOOP_KIND_UNKNOWN;
		s->run_code = s->frames[frame_index(run_once)].code_addr;
		s->nr -= run_once;
		return LOOP_KIND_ASYNCIO;
	}
	if (!is_in_wait || !s->nr || !pyrunning_is_uvloop(s))
		return LOOP_KIND_UNKNOWN;
	if (pyframe_code_flags(s, s->frames[0].code_addr) & PY_CO_COROUTINE)
		return LOOP_KIND_UNKNOWN;
	s->run_code = s->frames[0].code_addr;
	return LOOP_KIND_UVLOOP;
}

#endif
