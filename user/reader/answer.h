/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Answers of the reader: checked before anyone sees them, because what the reader reads may have
 * got the better of it; and made up where it gave none.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol.h"

/* Is the record, of so many bytes, a well-formed answer to the request? */
bool answer_is_valid(const struct protocol_request *request, const struct ev_head *record,
		     size_t bytes);
/* Does it say what was asked for: a readable target, a named code object? */
bool answer_is_ok(const struct ev_head *record);
/* Room for an answer without names. */
union answer_stuck {
	struct ev_head head;
	struct ev_target target;
	struct ev_code code;
	struct ev_thread thread;
	struct ev_probes probes;
	struct ev_loops loops;
	struct ev_tasks tasks;
};
/* CODE_STUCK, TARGET_STUCK, TASKS_STUCK, a thread without a name, no probes, or no loops. */
void answer_make_stuck(const struct protocol_request *request, union answer_stuck *stuck);

#endif
