/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the walk of a Python stack works on (pyframe.h): too big for the 512 bytes of a BPF stack.  Free
 * of BPF, so that tests compile the walk for the host; whoever includes it has u8 to u64 already.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "events.h"

/* Names and line table of one code object (pycode.bpf.c): three names of 255 bytes, a table of 16 KiB - 1. */
#define SOURCE_NAME_MASK  255u
#define SOURCE_TABLE_MASK 16383u
#define SOURCE_BYTES	  (3 * SOURCE_NAME_MASK + SOURCE_TABLE_MASK)

/* Room to read a stack and to build its record. */
struct scratch {
	struct py_layout layout;
	u64 tstate_addr;
	u64 frame_addr;	   /* next frame to read */
	u64 loop_addr;	   /* the running loop, once found */
	u64 slot_addr, slot_value;
	u64 run_code;	   /* see struct loop_thread */
	u64 dict_entry_addr;
	u32 dict_entry_bytes, dict_left, dict_is_unicode;
	u32 status, flags, nr;
	u32 is_taken; /* of those that several may want at once */
	/* pyawait.h */
	u32 nr_noted, await_is_cells;
	u64 await_of, await_enter, await_into; /* a future, the beginning of a type's name, an object */
	u16 nr_awaiting, awaiting_at; /* for struct ev_stack */
	u64 hash;
	u64 passing[EV_MAX_FRAMES / 64]; /* a bit for each frame whose code object will not stay */
	union {
		u8 bytes[256];
		u64 words[32];
	} buf, code;
	u64 frame_addrs[EV_MAX_FRAMES];
	struct ev_stack stack;
	struct ev_frame frames[EV_MAX_FRAMES]; /* right behind stack: they leave as one record */
	struct {
		struct ev_code ev;
		u8 data[SOURCE_BYTES + 1];
	} source; /* likewise one record */
};

/*
 * A frame's number, in bounds.  The compiler, which may know that it is, must not leave that out: the verifier of
 * 6.1 forgets the bounds of a difference.
 */
static __always_inline u32 frame_index(u32 index)
{
	asm volatile("" : "+r"(index));
	return index & (EV_MAX_FRAMES - 1);
}

#endif
