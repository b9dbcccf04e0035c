/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a CPython tells of its own layout, for debuggers: _Py_DebugOffsets (3.13+), AsyncioDebug (3.14+). */
#ifndef DEBUGOFFSETS_H
#define DEBUGOFFSETS_H

#include <stdint.h>

#include "layout.h"
#include "procmem.h"

/*
 * Corrects the row by the table that _PyRuntime begins with; its cookie and version were checked when
 * the version was read.  Returns -EBADMSG for offsets that no CPython would have.
 */
int debugoffsets_read(struct mem *mem, uint64_t runtime_addr, struct layout_row *row);

/* Likewise by the table of _asyncio at addr; 0: it is not there, or not yet. */
int debugoffsets_read_asyncio(struct mem *mem, uint64_t addr, struct layout_row *row);

/* Where asyncio of 3.14+ keeps its tasks: lists of struct llist_node, which begins with next and prev. */
struct task_lists {
	uint16_t task_node;	/* in a task */
	uint32_t interp_head;	/* in the interpreter: tasks of threads that ended */
	uint32_t tstate_head;	/* in each thread state: those that were made there */
};

/* By the same table, at addr; -EBADMSG as above. */
int debugoffsets_read_task_lists(struct mem *mem, uint64_t addr, struct task_lists *lists);

#endif
