/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the probes may ask about the Python of the current thread. */
#ifndef PYSTACK_BPF_H
#define PYSTACK_BPF_H

#include "maps.bpf.h"
#include "pyframe.h"

/* Walks all frames of s->tstate_addr into s->frames, s->nr, s->hash, s->status. */
extern int py_walk(struct scratch *s, u32 target_id);
/* Finds the running loop of s->tstate_addr: 0 and s->loop_addr, s->slot_addr, s->slot_value; or -1. */
extern int py_running_loop(struct scratch *s);
/* Sends the names of the walk's frames that will not stay; s->stack.head is filled in. */
extern int py_send_codes(struct scratch *s, u64 now_ns);
/*
 * After both: is this thread in (or, is_in_wait == 0, below) a loop's own iteration?  The kind, with
 * the depth of the frame that runs iterations in s->nr; or LOOP_KIND_UNKNOWN.
 */
extern int py_wait_kind(struct scratch *s, u32 is_in_wait);

/* Room for the context that asks. */
static __always_inline struct scratch *scratch_get(u32 context)
{
	return bpf_map_lookup_elem(&scratches, &context);
}

#endif
