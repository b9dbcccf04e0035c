/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How many lines there may be a second: of one target, so that none takes all of the room, and of
 * all together. Pure.  What it remembers of a target goes once the target may have all of its lines
 * again.
 */
#ifndef RATION_H
#define RATION_H

#include <stdbool.h>
#include <stdint.h>

enum ration_verdict {
	RATION_GIVEN,
	RATION_TARGET,	/* not: the target has had its lines */
	RATION_OVERALL, /* not: all of them have */
};

/* Whose line it is. */
struct ration_of {
	uint32_t target_id;
	uint32_t pid;	     /* for people */
	uint64_t per_second; /* lines that it may have */
};

#define RATION_WORST 8
/* What was held back since it was told last. */
struct ration_held {
	uint64_t of_target, overall; /* lines, by why */
	struct {
		uint32_t pid;
		uint64_t lines; /* held back because of itself */
	} worst[RATION_WORST];	/* most lines first */
	unsigned nr_worst;
};

struct ration;

int ration_new(struct ration **out, uint64_t per_second);
void ration_free(struct ration *ration);
/* Of all together, from now on. */
void ration_set(struct ration *ration, uint64_t per_second);
enum ration_verdict ration_ask(struct ration *ration, const struct ration_of *of, uint64_t now_ns);
/*
 * With each tick.  True: something was held back, and for a second nothing was told of it; it
 * counts as told from here on.
 */
bool ration_tick(struct ration *ration, uint64_t now_ns, struct ration_held *held);

#endif
