/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where asyncio keeps the tasks of a target, remembered from one request to the next. */
#ifndef TASKTABLES_H
#define TASKTABLES_H

#include "protocol.h"
#include "readahead.h"
#include "tasks.h"

/*
 * Of the target that a PROTOCOL_TASKS is about; all zero if they cannot be found.  They are found by names or by a
 * section of a file, which takes longer than reading them does, and stay where they are while the target lives.
 * *list: of what its last count read, to be read ahead by this one.
 */
void tasktables_find(const struct protocol_request *request, struct mem *mem, struct task_tables *tables,
		     struct readahead_list **list);
/* What was found is of no use: it is looked for anew the next time. */
void tasktables_forget(uint32_t target_id);

#endif
