/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whether an interpreter ends: Py_Finalize() has begun to take it apart, after its atexit
 * functions.  What closes from then on was left open.  Same rules as pyframe.h.
 */
#ifndef PYENDING_H
#define PYENDING_H

#include "pyframe.h"

/* _PyRuntimeState._finalizing, the thread that does it; 3.13+:
 * _Py_DebugOffsets.runtime_state.finalizing says where. */
#define PYRUNTIME_FINALIZING_OLD 16 /* 3.9, 3.10 */
#define PYRUNTIME_FINALIZING	 24 /* 3.11, 3.12 */
#define PYOFFSETS_FINALIZING	 32

static __always_inline int pyending_is_ending(const struct py_layout *l)
{
	u64 at = PYRUNTIME_FINALIZING;

	if (!l->valid)
		return 0;
	if (l->minor >= 13)
		at = read_user_u64(l->runtime_addr + PYOFFSETS_FINALIZING);
	else if (l->minor <= 10)
		at = PYRUNTIME_FINALIZING_OLD;
	return at && read_user_u64(l->runtime_addr + at);
}

#endif
