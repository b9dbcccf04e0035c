/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where a thread of a target finds its PyThreadState: a place at a fixed distance from its FS base. */
#ifndef TSTATESLOT_H
#define TSTATESLOT_H

#include <stdint.h>

#include "procmem.h"

/*
 * To 3.14: a pthread-specific value; key_addr is that of its key (gilstate.autoTSSkey._key).
 * Returns -EAGAIN before it is made, -EBADMSG for a key that the C library does not have there.
 */
int tstateslot_of_key(struct mem *mem, uint64_t key_addr, int32_t *slot);

/* Some thread of the target, to find the slot with, or to try it on. */
struct tstateslot_thread {
	uint64_t fs_base;
	uint64_t tstate_addr;
};

/* Likewise on musl, which keeps the values elsewhere; -ENOTSUP: not where it is looked for. */
int tstateslot_of_musl_key(struct mem *mem, uint64_t key_addr, const struct tstateslot_thread *thread,
			   int32_t *slot);

/*
 * 3.15: a thread-local variable.  getter_addr is PyGILState_GetThisThreadState, which does nothing but
 * return it; 0: not known.  Returns -ENOTSUP if it cannot be found out, -EAGAIN if the thread has not
 * set it.
 */
int tstateslot_of_variable(struct mem *mem, uint64_t getter_addr,
			   const struct tstateslot_thread *thread, int32_t *slot);

#endif
