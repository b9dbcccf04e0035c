/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the probes may ask about the Python of the current thread. */
#ifndef PYSTACK_BPF_H
#define PYSTACK_BPF_H

#include "maps.bpf.h"
#include "pyframe.h"

/* Walks all frames of s->tstate_addr into s->frames, s->nr, s->hash, s->status. */
extern int py_walk(struct scratch *s, u32 target_id);
/* Adds the frame at s->frame_addr, and steps outward.  0: go on; 1: that was the last, or s->status says why not. */
extern int py_step(struct scratch *s);
/* Finds the running loop of s->tstate_addr: 0 and s->loop_addr, s->slot_addr, s->slot_value; or -1. */
extern int py_running_loop(struct scratch *s);
/* Sends the names of the walk's frames that will not stay; s->stack.head is filled in. */
extern int py_send_codes(struct scratch *s, u64 now_ns);
/*
 * After both: is this thread in (or, is_in_wait == 0, below) a loop's own iteration?  The kind, with
 * the depth of the frame that runs iterations in s->nr; or LOOP_KIND_UNKNOWN.
 */
extern int py_wait_kind(struct scratch *s, u32 is_in_wait);
/*
 * The same of loops that are known by their frames (pyloops.h), and walks by itself.  s->slot_value: the
 * code object of the function that waits, 1 if the thread is not in it; s->slot_addr is 0.
 */
extern int py_loop_by_frames(struct scratch *s, u32 target_id, u32 is_in_wait);
/* Is the walked stack that of a callback of such a loop?  1 + the depth of its loop's frame, and s->run_code; or 0. */
extern int py_is_in_callback(struct scratch *s, u32 kind);

/* Room for the context that asks. */
static __always_inline struct scratch *scratch_get(u32 context)
{
	return bpf_map_lookup_elem(&scratches, &context);
}

#endif
