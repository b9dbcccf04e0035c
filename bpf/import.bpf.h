/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the probes may ask about the import that a loop's thread is in. */
#ifndef IMPORT_BPF_H
#define IMPORT_BPF_H

#include "maps.bpf.h"

/*
 * Sends the name of the module that the current thread imports, unless it is the one that was sent last
 * in this iteration; nothing if it imports none.  After loop_take_stack(), whose frames it leaves as they
 * are; overwrites pytask_record(s).
 */
extern int import_note(struct loop_thread *th, struct scratch *s, u64 now_ns);

#endif
