/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When the reader is asked how many tasks targets have.  It has more urgent things to read, names
 * of stalls, and does one after the other: so it is asked about as many as it counts in a
 * millisecond, and for a hundredth of its time only. About many at once, since to wake it, and then
 * the daemon, costs twice what a count does.
 */
#include <errno.h>

#include "targets_state.h"
#include "util.h"

#define CREDIT_OF_TICK_NS (1 * NSEC_PER_MSEC)	  /* ten ticks a second */
#define CREDIT_MAX_NS	  (2 * CREDIT_OF_TICK_NS) /* what was not used is not saved up */
#define FIRST_NS	  (CREDIT_OF_TICK_NS / 2) /* what one takes that was never counted */
#define MAX_AT_ONCE	  24

static bool has_tasks(const struct entry *entry)
{
	return entry->is_known && entry->info.status == TARGET_OK &&
	       entry->loop_kind != LOOP_KIND_UNKNOWN && !LOOP_KIND_IS_BY_FRAMES(entry->loop_kind);
}

/* When an entry is to be counted; UINT64_MAX: never. */
static uint64_t due_ns(const struct targets *targets, const struct entry *entry)
{
	if (!entry->tasks_ns || entry->tasks_ns == UINT64_MAX)
		return entry->tasks_ns;
	return entry->tasks_ns + targets->counting_every_ns;
}

/* Who has waited longest; NULL: it is nobody's time, nor will it be before counting_due_ns. */
static struct entry *find_next(struct targets *targets, uint64_t now_ns)
{
	struct entry *entry, *next = NULL;

	for (entry = targets->entries; entry; entry = entry->hh.next)
		if (has_tasks(entry) && (!next || entry->tasks_ns < next->tasks_ns))
			next = entry;
	targets->counting_due_ns = next ? due_ns(targets, next) : UINT64_MAX;
	return targets->counting_due_ns <= now_ns ? next : NULL;
}

/* As many as the reader has time for, by what they took the last time. */
static void ask_some(struct targets *targets, uint64_t now_ns)
{
	int64_t left_ns = targets->counting_credit_ns;
	struct entry *entry;

	while (left_ns > 0 && targets->nr_counting < MAX_AT_ONCE &&
	       (entry = find_next(targets, now_ns))) {
		int err = reader_ask_tasks(targets->reader, &entry->info, now_ns);

		if (err == -ETIMEDOUT) { /* it has cost the reader its life */
			entry->tasks_ns = UINT64_MAX;
			continue;
		}
		if (err) /* no room, for anybody: its turn is the next tick's */
			return;
		entry->tasks_ns = now_ns;
		entry->is_counting = true;
		targets->nr_counting++;
		left_ns -= entry->tasks_took_ns ? entry->tasks_took_ns : FIRST_NS;
	}
}

void targets_count_tasks(struct targets *targets, uint64_t every_ns, uint64_t now_ns)
{
	if (targets->counting_every_ns != every_ns)
		targets->counting_due_ns = 0;
	targets->counting_every_ns = every_ns;
	targets->counting_credit_ns = min(targets->counting_credit_ns + (int64_t)CREDIT_OF_TICK_NS,
					  (int64_t)CREDIT_MAX_NS);
	if (!targets->nr_counting && now_ns >= targets->counting_due_ns)
		ask_some(targets, now_ns);
}

void targets_on_tasks(struct targets *targets, const struct ev_tasks *ev)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);
	uint64_t took_ns = min((uint64_t)ev->took_ns, (uint64_t)NSEC_PER_SEC);

	targets->counting_credit_ns -= (int64_t)took_ns;
	if (!entry)
		return;
	entry->tasks_took_ns = (uint32_t)took_ns;
	targets_end_counting(targets, entry);
}

void targets_end_counting(struct targets *targets, struct entry *entry)
{
	targets->nr_counting -= entry->is_counting;
	entry->is_counting = false;
}
