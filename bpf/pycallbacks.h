/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads what a loop of CPython is at: asyncio's count of ready callbacks, the thread's context.  Also
 * compiled for the host by tests.
 */
#ifndef PYCALLBACKS_H
#define PYCALLBACKS_H

#include "pyrunning.h"

#define PYLONG_IMMORTAL 4 /* _PyLong_IMMORTALITY_BIT_MASK, Include/cpython/longintrepr.h */

/*
 * A small non-negative int; 0 for anything else. Up to 3.11 its size and digits, from 3.12 on a tag (bits 0
 * and 1: sign, 2: one of those that are made once, 3.14+; from 3 on: digits) and digits; a digit has 30 bits.
 */
static __always_inline u32 pycallbacks_int(const struct py_layout *l, u64 addr)
{
	u64 size = 0;
	u32 digit = 0;

	if (!addr || read_user(&size, sizeof(size), pyobject(l, addr) + 16) ||
	    read_user(&digit, sizeof(digit), pyobject(l, addr) + 24))
		return 0;
	if (l->minor >= 14)
		size &= ~(u64)PYLONG_IMMORTAL;
	if (size != (l->minor >= 12 ? 1 << 3 : 1) || digit >= 1u << 30)
		return 0;
	return digit;
}

/* The local `ntodo` of a frame that runs BaseEventLoop._run_once; its index by version: co_varnames. */
static __always_inline u64 pycallbacks_ready(const struct py_layout *l, u64 run_once_frame)
{
	u64 index = l->run_once_ntodo ? l->run_once_ntodo : l->minor >= 13 ? 7 : 8;

	return pycallbacks_int(l, read_user_u64(run_once_frame + l->frame_locals + index * 8) & ~PY_REF_TAGS);
}

/*
 * The queue of ready callbacks, a collections.deque.  BaseEventLoop.__init__ makes it as the fourth attribute,
 * so it is the first deque among the first values of the object's dict; uvloop has it as a field of its C
 * struct, so it is the first one in there.
 */
#define PYREADY_VALUES	   8  /* of a dict */
#define PYREADY_WORDS	   48 /* of uvloop's object */
#define PYREADY_LENGTH	   16 /* PyVarObject.ob_size of the deque */
#define PYTYPE_BASICSIZE   32
#define PYTYPE_DICTOFFSET  288
#define PYDICT_VALUES	   40
#define PYDICT_OLD_ENTRIES 40 /* 3.9, 3.10: of PyDictKeysObject, then the indices */
#define PYDICT_NEW_ENTRIES 32

/* The words to look through: count of them, the first one's address, the distance between two. */
struct pyready_words {
	u64 addr;
	u32 stride, nr;
};

/* Of a dict whose values are its own; split: they are an array. */
static __always_inline void pyready_of_dict(const struct py_layout *l, u64 dict, struct pyready_words *w)
{
	u64 keys = pyobject_u64(l, dict, PYDICT_KEYS), values = pyobject_u64(l, dict, PYDICT_VALUES), head;

	w->nr = keys ? PYREADY_VALUES : 0;
	if (values) {
		w->stride = 8;
		w->addr = values + (l->minor >= 13 ? 8 : 0); /* behind the array's head */
		return;
	}
	head = read_user_u64(keys + 8);
	if (l->minor <= 10) {
		w->stride = 24;
		w->addr = keys + PYDICT_OLD_ENTRIES + (head <= 0xff ? head : 2 * head) + 16;
	} else {
		w->stride = head >> 16 & 0xff ? 16 : 24;
		w->addr = keys + PYDICT_NEW_ENTRIES + (1ULL << (head >> 8 & 31)) + w->stride - 8;
	}
}

/*
 * Of an asyncio loop. Where a Python object keeps its attributes: 3.9, 3.10 in a dict (tp_dictoffset); 3.11
 * in an array or, once somebody asked for it, a dict, before the object; 3.12 likewise, in one word;
 * 3.13 in an array behind the object, until the dict has them.
 */
static __always_inline void pyready_of_object(const struct py_layout *l, u64 loop,
					      struct pyready_words *w)
{
	u64 type = pyobject_type(l, loop), dict = 0, size, word;
	bool is_dict = true; /* its values, so that the verifier walks what reads them once */

	w->stride = 8;
	w->nr = PYREADY_VALUES;
	if (l->minor <= 10) {
		word = read_user_u64(type + PYTYPE_DICTOFFSET);
		dict = word < 4096 ? read_user_u64(loop + word) : 0;
	} else if (l->minor == 11) {
		w->addr = read_user_u64(loop - 4 * 8);
		is_dict = !w->addr;
		dict = is_dict ? read_user_u64(loop - 3 * 8) : 0;
	} else if (l->minor == 12) {
		word = read_user_u64(loop - 3 * 8);
		w->addr = word + 1;
		is_dict = !(word & 1);
		dict = word;
	} else {
		/* Free-threaded builds have no collector's head in between. */
		word = read_user_u64(loop - (l->object_shift ? 8 : 3 * 8));
		size = pyobject_u64(l, type, PYTYPE_BASICSIZE);
		w->addr = loop + (size & 0xffff) + 8;
		is_dict = word != 0;
		dict = word;
	}
	if (is_dict)
		pyready_of_dict(l, dict, w);
}

/* Whether that is a deque. */
static __always_inline int pyready_is_queue(const struct py_layout *l, u64 object)
{
	u64 type, name;

	if (!object || object & 7)
		return 0;
	type = pyobject_type(l, object);
	name = type && !(type & 7) ? pyobject_u64(l, type, PYTYPE_NAME) : 0;
	return name && read_user_u64(name) == 0x697463656c6c6f63ULL && /* "collecti" */
	       read_user_u64(name + 8) == 0x757165642e736e6fULL;	/* "ons.dequ" */
}

/* Callbacks that wait in a queue, plus one; 0: not known. */
static __always_inline u32 pyready_length(u64 queue)
{
	u64 length;

	if (!queue || read_user(&length, sizeof(length), queue + PYREADY_LENGTH) || length >= 1u << 31)
		return 0;
	return (u32)length + 1;
}

/*
 * What the locals of a frame refer to, as a number: the function of twisted that calls the callbacks has
 * what it calls among its first eight (runUntilCurrent: call, f; doPoll: selectable, event).
 */
#define PYCALLBACKS_LOCALS 8
static __always_inline u64 pycallbacks_locals(const struct py_layout *l, u64 frame)
{
	u64 locals[PYCALLBACKS_LOCALS], hash = frame;
	u32 i;

	if (read_user(locals, sizeof(locals), frame + l->frame_locals))
		return 0;
	for (i = 0; i < PYCALLBACKS_LOCALS; i++)
		hash = hash_mix(hash, locals[i]);
	return hash;
}

/*
 * PyThreadState.context_ver: the interpreter counts it up whenever a context is entered or left, which
 * uvloop does around each callback. 0: not known.
 */
static __always_inline u64 pycallbacks_context_switches(const struct py_layout *l, u64 tstate_addr)
{
	u64 offset = l->minor <= 10 ? 248 : l->minor == 11 ? 232 : l->minor <= 14 ? 216 : 240;

	if (l->minor > 15)
		return 0;
	return read_user_u64(tstate_addr + offset);
}

#endif
