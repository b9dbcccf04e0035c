/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of hand-overs, and where on a stack one is looked for. */
#include "handover.h"

#include <string.h>

#include "site.h"
#include "util.h"

/* Bare names: up to 3.10 there are no qualified ones. */
static const struct {
	const char *file, *name;
} handovers[] = {
	{ "threading.py", "start" },		       /* waits for Thread._started */
	{ "concurrent/futures/thread.py", "submit" },  /* takes the pool's lock, starts workers */
	{ "concurrent/futures/process.py", "submit" }, /* the first one starts the workers */
	/* Who starts a process waits for its exec. */
	{ "asyncio/unix_events.py", "_start" },
	{ "asyncio/subprocess.py", "create_subprocess_exec" }, /* uvloop's own part of it has no frame */
	{ "asyncio/subprocess.py", "create_subprocess_shell" },
	{ "twisted/internet/process.py", "_fork" },
	{ "gevent/subprocess.py", "_execute_child" },
	{ "asyncio/base_events.py", "shutdown_default_executor" },
};

bool handover_is(const struct stack *stack, int nr_library)
{
	for (int i = 0; stack && i < nr_library && i < (int)stack->nr; i++)
		for (size_t k = 0; k < ARRAY_SIZE(handovers); k++)
			if (!strcmp(stack->frames[i].name, handovers[k].name) &&
			    site_path_ends(stack->frames[i].file, handovers[k].file))
				return true;
	return false;
}
