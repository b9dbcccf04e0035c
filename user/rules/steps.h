/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The callbacks and task steps that an iteration's samples hit. */
#ifndef STEPS_H
#define STEPS_H

#include "rules.h"

#define STEPS_MAX 256 /* as many as the model keeps samples of one iteration */
#define STEPS_MANY 8 /* so many that were hit are a crowd */

struct step {
	uint64_t id;
	uint32_t nr; /* samples */
};

/* Writes up to STEPS_MAX steps in the order of their first samples; returns how many. */
uint32_t steps_of(const struct iteration *iteration, struct step steps[STEPS_MAX]);

#endif
