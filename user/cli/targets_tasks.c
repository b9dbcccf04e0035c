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
#define SAME_MAX_NS	  (30 * NSEC_PER_SEC)

static bool has_tasks(const struct entry *entry)
{
	return entry->is_known && entry->info.status == TARGET_OK &&
	       entry->loop_kind != LOOP_KIND_UNKNOWN && !LOOP_KIND_IS_BY_FRAMES(entry->loop_kind);
}

/*
 * One whose numbers were the same again is counted half as often. Half of these turn steady a time later, so that it is
 * not all of them that are left out, and then none.
 */
static bool is_steady(const struct entry *entry)
{
	return entry->tasks_nr_same > entry->target_id % 2;
}

/* When an entry is to be counted; UINT64_MAX: never. */
static uint64_t due_ns(const struct targets *targets, const struct entry *entry)
{
	uint64_t every_ns = targets->counting_every_ns;

	if (!entry->tasks_ns || entry->tasks_ns == UINT64_MAX)
		return entry->tasks_ns;
	return entry->tasks_ns + (is_steady(entry) ? max(min(2 * every_ns, SAME_MAX_NS), every_ns) : every_ns);
}

/* Whose time it is, at most as many as are asked about at once: who have waited longest, in that order. */
static unsigned find_due(struct targets *targets, uint64_t now_ns, struct entry *due[MAX_AT_ONCE])
{
	unsigned nr = 0, at;

	targets->counting_due_ns = UINT64_MAX;
	for (struct entry *entry = targets->entries; entry; entry = entry->hh.next) {
		uint64_t at_ns = has_tasks(entry) ? due_ns(targets, entry) : UINT64_MAX;

		targets->counting_due_ns = min(targets->counting_due_ns, at_ns);
		if (at_ns > now_ns || (nr == MAX_AT_ONCE && at_ns >= due_ns(targets, due[nr - 1])))
			continue;
		nr += nr < MAX_AT_ONCE;
		for (at = nr - 1; at && due_ns(targets, due[at - 1]) > at_ns; at--)
			due[at] = due[at - 1];
		due[at] = entry;
	}
	return nr;
}

/* As many as the reader has time for, by what they took the last time. */
static void ask_some(struct targets *targets, uint64_t now_ns)
{
	int64_t left_ns = targets->counting_credit_ns;
	struct entry *due[MAX_AT_ONCE];
	unsigned nr = left_ns > 0 ? find_due(targets, now_ns, due) : 0;

	for (unsigned i = 0; i < nr && left_ns > 0; i++) {
		int err = reader_ask_tasks(targets->reader, &due[i]->info, now_ns);

		if (err == -ETIMEDOUT) { /* it has cost the reader its life */
			due[i]->tasks_ns = UINT64_MAX;
			continue;
		}
		if (err) /* no room, for anybody: its turn is the next tick's */
			return;
		due[i]->tasks_ns = now_ns;
		due[i]->is_counting = true;
		targets->nr_counting++;
		left_ns -= due[i]->tasks_took_ns ? due[i]->tasks_took_ns : FIRST_NS;
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

/* The same numbers have the same one, and others most likely another. */
static uint32_t sum_of(const struct ev_tasks *ev)
{
	const uint8_t *at = (const uint8_t *)&ev->status, *end = (const uint8_t *)&ev->loops[ev->nr_loops];
	uint32_t sum = 0;

	while (at < end)
		sum = sum * 31 + *at++;
	return sum;
}

void targets_on_tasks(struct targets *targets, const struct ev_tasks *ev)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);
	uint32_t sum = sum_of(ev);
	uint64_t took_ns = min((uint64_t)ev->took_ns, (uint64_t)NSEC_PER_SEC);

	targets->counting_credit_ns -= (int64_t)took_ns;
	if (!entry)
		return;
	entry->tasks_nr_same = entry->tasks_took_ns && sum == entry->tasks_sum ? entry->tasks_nr_same + 1 : 0;
	entry->tasks_sum = sum;
	entry->tasks_took_ns = (uint32_t)took_ns;
	targets_end_counting(targets, entry);
}

void targets_end_counting(struct targets *targets, struct entry *entry)
{
	targets->nr_counting -= entry->is_counting;
	entry->is_counting = false;
}
