/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What uvloop runs.  It calls a Handle from C, with no Python frame of its own, and keeps it nowhere but in
 * a local of C: on the thread's native stack.  That is looked through from its innermost end for an object
 * of the type uvloop.loop.Handle or TimerHandle; where its callback is in that object differs from release to
 * release and is found by the callback's own type.  Same rules as pyframe.h; works in s->buf and s->code.
 *
 * A slot of the stack that nobody has written yet may still hold the Handle of an earlier call: one counts
 * if it is seen twice, which C code that was called through it leaves (its own frame and its caller's), and
 * is alive.
 */
#ifndef PYHANDLE_H
#define PYHANDLE_H

#include "pytask.h"

#define PYHANDLE_CHUNK	  32 /* words of the stack that are read at once */
#define PYHANDLE_CHUNKS	  32 /* 8 KiB in all; seen: within 1 KiB below a callback in C */
#define PYHANDLE_MAX_SEEN 8
#define PYHANDLE_FIRST	  3 /* words of a Handle that may be its callback: behind head and method table */
#define PYHANDLE_LAST	  13
#define PYHANDLE_LOWEST	  0x10000 /* no object is lower */
/* Free-threaded: the word with ob_ref_local in its upper half; ob_ref_shared is where ob_refcnt is counted to be. */
#define PYOBJECT_LOCAL_REFS 8

_Static_assert(PYHANDLE_CHUNK <= sizeof(((struct scratch *)0)->buf.words) / 8, "room");

static __always_inline int pyhandle_is_type(const struct py_layout *l, u64 type)
{
	u64 name = pyobject_u64(l, type, PYTYPE_NAME);

	if (read_user_u64(name) != NAME8('u', 'v', 'l', 'o', 'o', 'p', '.', 'l'))
		return 0;
	name = read_user_u64(name + sizeof("uvloop.loop.") - 1);
	return (name & NAME_7_BYTES) == NAME8('H', 'a', 'n', 'd', 'l', 'e', 0, 0) ||
	       name == NAME8('T', 'i', 'm', 'e', 'r', 'H', 'a', 'n');
}

/* Whether a word of the stack that begins at sp is a live Handle. */
static __always_inline int pyhandle_is_one(const struct py_layout *l, u64 word, u64 sp)
{
	u64 head[2];

	if (word & 7 || word < PYHANDLE_LOWEST || word >> 47 || word - sp < 1 << 20)
		return 0;
	if (read_user(head, sizeof(head), pyobject(l, word)))
		return 0;
	if (!head[0] && !(l->object_shift && read_user_u64(word + PYOBJECT_LOCAL_REFS) >> 32))
		return 0;
	return pyhandle_is_type(l, head[1]);
}

/* Whether that Handle was seen before; it is now.  Those seen are in s->code, s->dict_left is their number. */
static __always_inline int pyhandle_see(struct scratch *s, u64 handle)
{
	u32 nr = s->dict_left, i;

	for (i = 0; i < PYHANDLE_MAX_SEEN; i++)
		if (i < nr && s->code.words[i] == handle)
			return 1;
	if (nr < PYHANDLE_MAX_SEEN) {
		s->code.words[nr] = handle;
		s->dict_left = nr + 1;
	}
	return 0;
}

/* Reads one chunk of the stack into s->buf. 0: done. */
static __always_inline int pyhandle_read(struct scratch *s, u64 sp, u32 chunk)
{
	return read_user(s->buf.bytes, PYHANDLE_CHUNK * 8, sp + (u64)chunk * PYHANDLE_CHUNK * 8) ? -1 : 0;
}

/* Whether a word of the chunk that was read is the Handle. */
static __always_inline int pyhandle_is_running(struct scratch *s, u64 word, u64 sp)
{
	return pyhandle_is_one(&s->layout, word, sp) && pyhandle_see(s, word);
}

#endif
