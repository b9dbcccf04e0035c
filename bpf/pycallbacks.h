/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads what a loop of CPython is at: asyncio's count of ready callbacks, the thread's context.  Also
 * compiled for the host by tests.
 */
#ifndef PYCALLBACKS_H
#define PYCALLBACKS_H

#include "pymem.h"

/*
 * A small non-negative int; 0 for anything else. Up to 3.11 its size and digits, from 3.12 on a tag (bits 0
 * and 1: sign, from 3 on: digits) and digits; a digit has 30 bits.
 */
static __always_inline u32 pycallbacks_int(const struct py_layout *l, u64 addr)
{
	u64 size = 0;
	u32 digit = 0;

	if (!addr || read_user(&size, sizeof(size), addr + 16) ||
	    read_user(&digit, sizeof(digit), addr + 24))
		return 0;
	if (size != (l->minor >= 12 ? 1 << 3 : 1) || digit >= 1u << 30)
		return 0;
	return digit;
}

/* The local `ntodo` of a frame that runs BaseEventLoop._run_once; its index by version: co_varnames. */
static __always_inline u64 pycallbacks_ready(const struct py_layout *l, u64 run_once_frame)
{
	u64 index = l->run_once_ntodo ? l->run_once_ntodo : l->minor >= 13 ? 7 : 8;

	return pycallbacks_int(l, read_user_u64(run_once_frame + l->frame_locals + index * 8));
}

/*
 * PyThreadState.context_ver: the interpreter counts it up whenever a context is entered or left, which
 * uvloop does around each callback. 0: not known.
 */
static __always_inline u64 pycallbacks_context_switches(const struct py_layout *l, u64 tstate_addr)
{
	u64 offset = l->minor <= 10 ? 248 : l->minor == 11 ? 232 : 216;

	if (l->minor > 13)
		return 0;
	return read_user_u64(tstate_addr + offset);
}

#endif
