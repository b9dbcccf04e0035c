/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a process is: a CPython whose stacks can be read, or why it is not. */
#ifndef IDENTIFY_H
#define IDENTIFY_H

#include <stdint.h>
#include <sys/types.h>

#include "events.h"

/*
 * Fills in all of the record but head.ts_ns and head.target_id; it never fails, status says what
 * is.
 */
void identify_process(pid_t pid, struct ev_target *target);

/* Where its runtime's file has USDT probes; nr_sites is 0 if it has none, or is not to be read. */
void identify_probes(pid_t pid, struct ev_probes *probes);

/* Where the table AsyncioDebug (3.14+) is in its memory; 0: asyncio is not loaded, or too old, or not to be read. */
uint64_t identify_asyncio(pid_t pid);

/* The sentence for people that belongs to a status; an empty one for TARGET_OK. */
const char *identify_reason(enum target_status status);

#endif
