/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A small cache of the reader process: by a target's number, which is of one image of one process.  What it holds is
 * no secret and no truth: each address is checked for what it leads to whenever it is used.
 */
#include "tasktables.h"

#include "identify.h"
#include "util.h"

#define TARGETS_KNOWN 1024

static struct {
	uint32_t target_id; /* 0: none */
	struct task_tables tables;
	struct readahead_list list;
} known[TARGETS_KNOWN];

void tasktables_find(const struct protocol_request *request, struct mem *mem, struct task_tables *tables,
		     struct readahead_list **list)
{
	unsigned i = request->target_id % TARGETS_KNOWN;

	*list = &known[i].list;

	if (known[i].target_id == request->target_id && request->target_id) {
		*tables = known[i].tables;
		return;
	}
	*tables = (struct task_tables){ 0 };
	if (request->layout.minor <= 13)
		(void)tasks_find_sets(mem, &request->layout, tables);
	else
		tables->lists_addr = identify_asyncio(request->pid);
	known[i].target_id = request->target_id;
	known[i].tables = *tables;
	known[i].list.nr = 0;
}

void tasktables_forget(uint32_t target_id)
{
	unsigned i = target_id % TARGETS_KNOWN;

	if (known[i].target_id == target_id)
		known[i].target_id = 0;
}
