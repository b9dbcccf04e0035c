/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Free-threaded builds stop the world: one thread, mostly to collect garbage, has all others wait (PEP 703).  Each
 * of them then has SUSPENDED in its thread state and waits for that word to change, in CPython's parking lot
 * (Python/pystate.c, tstate_wait_attach(); Python/parking_lot.c).  The futex it sleeps on is the semaphore of a
 * struct wait_entry on its own stack, and the word before that is the address it waits for: so a wait for the
 * world is told from one for a lock.  Same rules as pyframe.h.
 */
#ifndef PYWORLD_H
#define PYWORLD_H

#include "pyframe.h"

#define PYTSTATE_NEXT	   8
#define PYTSTATE_SUSPENDED 2 /* _Py_THREAD_SUSPENDED, Include/internal/pycore_pystate.h */
#define PYPARK_ADDR	   8 /* before wait_entry.sema: .addr */

/* PyThreadState.state, Include/cpython/pystate.h; _Py_DebugOffsets does not tell it. */
static __always_inline u32 pyworld_state_at(const struct py_layout *l)
{
	return l->minor <= 13 ? 40 : l->minor == 14 ? 44 : 48;
}

/* Is a thread that sleeps on that futex kept from running until the world goes on? */
static __always_inline int pyworld_is_stopped_for(const struct py_layout *l, u64 tstate_addr, u64 futex_addr)
{
	return l->object_shift && read_user_u64(futex_addr - PYPARK_ADDR) == tstate_addr + pyworld_state_at(l);
}

/*
 * The collector runs, says its flag: in this thread, which has the CPU, or in another?  With a GIL in this
 * one.  Without it, in this one if it has stopped all others; 0 too while it lets them run on, to call
 * finalizers.
 */
static __always_inline int pyworld_is_ours(const struct py_layout *l, u64 tstate_addr)
{
	u64 other;
	u32 state = 0;

	if (!l->object_shift)
		return 1;
	other = read_user_u64(tstate_addr + PYTSTATE_NEXT);
	if (!other)
		other = read_user_u64(tstate_addr); /* PyThreadState.prev */
	if (!other) /* there is no other */
		return 1;
	return !read_user(&state, sizeof(state), other + pyworld_state_at(l)) && state == PYTSTATE_SUSPENDED;
}

#endif
