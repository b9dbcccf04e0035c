/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whose interpreter's a thread is.  Since 3.12 each of a process can have a GIL of its own (PEP 684), and a
 * collector: the layout has where those of the main one are, and in another they are as far from that one's
 * beginning.  Same rules as pyframe.h.
 */
#ifndef PYINTERP_H
#define PYINTERP_H

#include "pylayout.h"
#include "pymem.h"

#define PYTSTATE_INTERP 16 /* PyThreadState.interp, Include/cpython/pystate.h */

/* _PyRuntime.interpreters.main, Include/internal/pycore_runtime.h; 3.14+: pycore_runtime_structs.h */
static __always_inline u32 pyinterp_main_at(const struct py_layout *l)
{
	return l->minor == 12 ? 48 : l->minor == 13 ? 640 : l->minor == 14 ? 816 : 944;
}

/* From what the main interpreter has to what this thread's has; 0: it is the main one's, or not known. */
static __always_inline u64 pyinterp_shift(const struct py_layout *l, u64 tstate_addr)
{
	u64 own, main;

	if (l->minor < 12 || l->object_shift)
		return 0;
	own = read_user_u64(tstate_addr + PYTSTATE_INTERP);
	main = read_user_u64(l->runtime_addr + pyinterp_main_at(l));
	return own && main ? own - main : 0;
}

#endif
