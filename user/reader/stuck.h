/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Targets that cost a reader its life: nobody is asked about them again. */
#ifndef STUCK_H
#define STUCK_H

#include <stdbool.h>
#include <stdint.h>

#define STUCK_MAX 1024

/* All zero: none. */
struct stuck {
	uint32_t ids[STUCK_MAX]; /* of targets, the oldest overwritten; 0: of none */
	unsigned nr, next;
};

bool stuck_has(const struct stuck *stuck, uint32_t target_id);
void stuck_add(struct stuck *stuck, uint32_t target_id);
/* Its number may be another's from now on. */
void stuck_remove(struct stuck *stuck, uint32_t target_id);

#endif
