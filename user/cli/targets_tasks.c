/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When the reader is asked how many tasks a target has.  It has more urgent things to read, names of stalls, and does
 * one after the other: so it is asked about one target at a time, and for a hundredth of its time only.
 */
#include <errno.h>

#include "targets_state.h"
#include "util.h"

#define CREDIT_OF_TICK_NS  (1 * NSEC_PER_MSEC) /* ten ticks a second */
#define CREDIT_MAX_NS	   (2 * CREDIT_OF_TICK_NS) /* what was not used is not saved up */

static bool has_tasks(const struct entry *entry)
{
	return entry->is_known && entry->info.status == TARGET_OK &&
	       entry->loop_kind != LOOP_KIND_UNKNOWN && !LOOP_KIND_IS_BY_FRAMES(entry->loop_kind);
}

static bool is_due(const struct targets *targets, const struct entry *entry, uint64_t now_ns)
{
	return !entry->tasks_ns ||
	       (entry->tasks_ns <= now_ns && now_ns - entry->tasks_ns >= targets->counting_every_ns);
}

/* Who has waited longest; NULL: it is nobody's time. */
static struct entry *find_next(const struct targets *targets, uint64_t now_ns)
{
	struct entry *entry, *next = NULL;

	for (entry = targets->entries; entry; entry = entry->hh.next)
		if (has_tasks(entry) && is_due(targets, entry, now_ns) &&
		    (!next || entry->tasks_ns < next->tasks_ns))
			next = entry;
	return next;
}

static void ask_next(struct targets *targets, uint64_t now_ns)
{
	struct entry *entry;
	int err = -ETIMEDOUT;

	/* The answer about one that is gone does not come. */
	if (targets->counting && targets_entry(targets, targets->counting))
		return;
	targets->counting = 0;
	while (err == -ETIMEDOUT && targets->counting_credit_ns > 0 && (entry = find_next(targets, now_ns))) {
		err = reader_ask_tasks(targets->reader, &entry->info, now_ns);
		/* Who has cost the reader its life is not asked about again. */
		entry->tasks_ns = err == -ETIMEDOUT ? UINT64_MAX : now_ns;
		if (!err)
			targets->counting = entry->target_id;
	}
}

void targets_count_tasks(struct targets *targets, uint64_t every_ns, uint64_t now_ns)
{
	targets->counting_every_ns = every_ns;
	targets->counting_credit_ns = min(targets->counting_credit_ns + (int64_t)CREDIT_OF_TICK_NS,
					  (int64_t)CREDIT_MAX_NS);
	ask_next(targets, now_ns);
}

void targets_on_tasks(struct targets *targets, const struct ev_tasks *ev, uint64_t now_ns)
{
	if (ev->head.target_id == targets->counting)
		targets->counting = 0;
	targets->counting_credit_ns -= (int64_t)min((uint64_t)ev->took_ns, (uint64_t)NSEC_PER_SEC);
	ask_next(targets, now_ns);
}
