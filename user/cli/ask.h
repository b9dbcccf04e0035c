/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Asks the reader what processes are, and waits for the answers: for commands that watch nothing. */
#ifndef ASK_H
#define ASK_H

#include <stddef.h>
#include <sys/types.h>

#include "events.h"

/* Fills answers[i] for pids[i]. 0 or a negative errno; a process that is stuck is answered as such. */
int ask_targets(const pid_t *pids, size_t nr, struct ev_target *answers);

/* Which loops run in them; of one whose status is not TARGET_OK none. answers[i] is of targets[i]. */
int ask_loops(const struct ev_target *targets, size_t nr, struct ev_loops *answers);

/* Where its USDT probes are; waits for the answer. */
int ask_probes(const struct ev_target *target, struct ev_probes *answer);

#endif
