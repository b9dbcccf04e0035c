/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the probes may ask about the task of the current thread. */
#ifndef PYTASK_BPF_H
#define PYTASK_BPF_H

#include "maps.bpf.h"
#include "pytask.h"

/* asyncio's task that a loop thread runs, in s->loop_addr; 0: none, or not known.  task_find() is for all loops. */
extern u64 task_current(struct loop_thread *th, struct scratch *s);
/* The task that the callback which stands at that address wakes; 0: none. */
extern u64 task_of_callback(struct scratch *s, u64 at, u64 loop);
/*
 * Finds the task (or callback in C) that a loop thread runs: 1 and its record in pytask_record(s), not
 * sent; 0: none, or not known.  After loop_take_stack(), whose layout it uses and whose frames it leaves
 * as they are.
 */
extern int task_find(struct loop_thread *th, struct scratch *s, u64 now_ns);
/* The same for the sleep at sites[site] that begins: into its task_id and tasks[site]. */
extern int task_note(struct loop_thread *th, struct scratch *s, u32 site, u64 now_ns);
/* Sends the record unless it was sent before. */
extern int task_send(struct ev_task *ev);

/*
 * Adds the coroutines that wait for the current task to what was walked, so before it is sent: the program's own are
 * among them where a library connects in a task of its own.
 */
extern int await_walk(struct loop_thread *th, struct scratch *s);

#endif
