/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A finding that outlives the iteration, and the model's names, that it is about. */
#ifndef KEPT_H
#define KEPT_H

#include "model.h"
#include "rules.h"

/* A finding with its iteration, loop, target, stack and names in one allocation. */
struct kept {
	struct finding finding;
	struct iteration iteration;
	struct loop loop;
	struct target target;
	uint64_t asleep_by_cause[CAUSE_MAX];
	struct stack stack; /* last: only stack.nr frames of it are there, the holder's, then strings */
};

/* A copy of the finding, which is described first. The caller's, to free(); NULL: no memory. */
struct kept *kept_new(struct finding *finding);

#endif
