/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "stuck.h"

#include "util.h"

bool stuck_has(const struct stuck *stuck, uint32_t target_id)
{
	for (unsigned i = 0; target_id && i < stuck->nr; i++) {
		if (stuck->ids[i] == target_id)
			return true;
	}
	return false;
}

void stuck_add(struct stuck *stuck, uint32_t target_id)
{
	if (stuck_has(stuck, target_id))
		return;
	stuck->ids[stuck->next] = target_id;
	stuck->next = (stuck->next + 1) % STUCK_MAX;
	stuck->nr = min(stuck->nr + 1u, (unsigned)STUCK_MAX);
}

void stuck_remove(struct stuck *stuck, uint32_t target_id)
{
	for (unsigned i = 0; i < stuck->nr; i++) {
		/* The place is free until the ring comes round. */
		if (stuck->ids[i] == target_id)
			stuck->ids[i] = 0;
	}
}
