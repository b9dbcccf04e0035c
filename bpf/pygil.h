/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Is a futex wait one for the GIL?  CPython waits on a condition within struct _gil_runtime_state.  With glibc the word
 * is in there.  musl (src/thread/pthread_cond_timedwait.c, 1.1.6 to 1.2.5) has each thread wait on a word of its own
 * stack, in a struct waiter { prev, next; int state, barrier; ... }; a condition has a list of its waiters, newest
 * first.  Works on read_user() only, as pyframe.h does.
 */
#ifndef PYGIL_H
#define PYGIL_H

#include "pymem.h"

/* Include/internal/pycore_gil.h: cond, mutex, switch_cond, switch_mutex follow each other. */
#define GIL_COND	 32
#define GIL_SWITCH_COND	 120
#define MUSL_COND_HEAD	 8 /* _c_head of a pthread_cond_t */
#define MUSL_WAITER_NEXT 8
#define MUSL_WAITER_WORD 20 /* barrier */
#define MUSL_MAX_WAITERS 8  /* that came after the one that asks, within the moment between */

static __always_inline bool py_musl_waits(u64 cond_addr, u64 word_addr)
{
	u64 waiter = read_user_u64(cond_addr + MUSL_COND_HEAD);

	for (u32 i = 0; i < MUSL_MAX_WAITERS && waiter; i++) {
		if (waiter == word_addr - MUSL_WAITER_WORD)
			return true;
		waiter = read_user_u64(waiter + MUSL_WAITER_NEXT);
	}
	return false;
}

static __always_inline bool py_musl_waits_for_gil(u64 gil_addr, u64 word_addr)
{
	return py_musl_waits(gil_addr + GIL_COND, word_addr) ||
	       py_musl_waits(gil_addr + GIL_SWITCH_COND, word_addr);
}

#endif
