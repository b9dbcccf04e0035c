/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counts the tasks of asyncio in a process's memory, by loop and state. */
#ifndef TASKS_H
#define TASKS_H

#include <stdint.h>

#include "events.h"
#include "procmem.h"

/* Bounds of one read: tasks looked at, bytes (of several tries), time; a page may have to come from a disk. */
#define TASKS_MAX	   65536
#define TASKS_BUDGET_BYTES (1ULL << 30)
#define TASKS_MAX_NS	   (100 * 1000000ULL)

/* Where asyncio keeps them. */
struct task_tables {
	/* To 3.13: the `set`s of weak references, and (3.12+) of those that begin; 0: none. */
	uint64_t set_addr[2];
	uint64_t lists_addr;  /* 3.14+: AsyncioDebug, which says where the lists are; 0: not known */
};

/* To 3.13, by name out of sys.modules; nothing of it moves while the process lives.  0 or -ENOENT. */
int tasks_find_sets(struct mem *mem, const struct py_layout *layout, struct task_tables *tables);

/* A record without numbers. */
void tasks_begin(enum tasks_status status, uint32_t pid, struct ev_tasks *ev);

/*
 * Counts; sets all of *ev but pid and took_ns, which are 0.  The target runs on: what is counted was there at one
 * time within the read.  At end_ns, of clock_host_ns(), it stops with what it has.
 */
void tasks_read(struct mem *mem, const struct py_layout *layout, const struct task_tables *tables,
		uint64_t end_ns, struct ev_tasks *ev);

#endif
