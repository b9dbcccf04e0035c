/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How many callbacks an iteration has, and where one ends and the next begins, read at a sample. */
#ifndef CALLBACKS_BPF_H
#define CALLBACKS_BPF_H

#include "maps.bpf.h"

#include "pyframe.h"

/* callbacks.bpf.c. Functions of their own for the verifier. */
extern u64 callbacks_ready(struct scratch *s, u32 index);
extern u64 callbacks_context_switches(struct scratch *s);
/* Callbacks that wait now in the loop's queue, plus one; 0: not known. Of the current thread. */
extern u64 callbacks_waiting(struct loop_thread *th);

/* The same of a loop that is known by its frames, from a walk; index: of the frame right above the loop's. */
extern u64 callbacks_by_frames(struct scratch *s, u32 kind, u32 index);

#endif
