/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Waits that belong to handing work over: the right thing to do, and short on an idle machine. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>

#include "model.h"

/* How many times its limit such a wait may take before it is called blocking. */
#define HANDOVER_PATIENCE 10

/*
 * The sleeping frame, or its caller among the library frames above the site, hands work to a thread
 * or a process: Thread.start() until the thread runs, the start of an asyncio subprocess.  How long
 * it takes is up to the machine's load, and await has no better way to do it.
 */
bool handover_is(const struct stack *stack, int nr_library);

#endif
