/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "callbacks.bpf.h"

#include "pycallbacks.h"

/* Callbacks that asyncio had ready when the iteration began; 0: not known. s holds the walk. */
__noinline u64 callbacks_ready(struct scratch *s, u32 base_depth)
{
	u32 index;

	if (!s)
		return 0;
	index = s->nr - base_depth;
	if (!base_depth || s->nr < base_depth || index >= EV_MAX_FRAMES)
		return 0;
	return pycallbacks_ready(&s->layout, s->frame_addrs[index & (EV_MAX_FRAMES - 1)]);
}

/* Differs from one callback of the thread to the next; 0: not known. */
__noinline u64 callbacks_context_switches(struct scratch *s)
{
	if (!s)
		return 0;
	return pycallbacks_context_switches(&s->layout, s->tstate_addr);
}
