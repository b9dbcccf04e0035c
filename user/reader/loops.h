/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counts the event loops that run in a process, by the same evidence as the kernel half. */
#ifndef LOOPS_H
#define LOOPS_H

#include "procmem.h"

#include "events.h"

/*
 * Threads of the main interpreter that run a loop: whose running-loop slot is set, or whose stack is that of a
 * loop of another kind (pyloops.h).  A list that cannot be read counts as it goes.  *kinds is set to those of
 * them, 1 << enum loop_kind each.
 */
unsigned loops_count(struct mem *mem, uint64_t runtime_addr, const struct py_layout *layout,
		     uint16_t *kinds);

/* A loop of asyncio, or one that uses its tasks, while a thread runs it. */
struct running_loop {
	uint64_t loop_addr;
	uint64_t task_addr; /* in whose step it is; 0: in none's */
	uint32_t ns_tid;    /* the thread's number as the target has it; 0: not known */
};

/* Those of the main interpreter, up to room; returns how many. */
unsigned loops_running(struct mem *mem, const struct py_layout *layout, struct running_loop *loops, unsigned room);

#define LOOPS_BUDGET_BYTES (16ULL << 20)

/* Which threads these are and which kind of loop each runs. All of *ev but its pid is set. */
void loops_list(struct mem *mem, const struct py_layout *layout, struct ev_loops *ev);

#endif
