/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the probes may ask about the import that a loop's thread is in. */
#ifndef IMPORT_BPF_H
#define IMPORT_BPF_H

#include "emit.bpf.h"
#include "maps.bpf.h"

/*
 * Sends the name of the module that the current thread imports, unless it is the one that was sent last
 * in this iteration; nothing if it imports none.  After loop_take_stack(), whose frames it leaves as they
 * are; overwrites pytask_record(s).
 */
extern int import_note(struct loop_thread *th, struct scratch *s, u64 now_ns);

/* A record of the iteration under way, all else of it 0; NULL: no room. As of emit_begin(). */
static __always_inline struct ev_import *import_begin(struct loop_thread *th, u64 now_ns)
{
	struct ev_import *ev = emit_begin(sizeof(*ev));

	if (!ev)
		return NULL;
	__builtin_memset(ev, 0, sizeof(*ev));
	head_init(&ev->head, EV_IMPORT, sizeof(*ev), now_ns, th->target_id, th->loop_id);
	ev->iteration = th->iteration + 1;
	return ev;
}

#endif
