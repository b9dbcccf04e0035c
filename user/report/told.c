/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A short table of stalls that were told, looked through whenever a long iteration ends. */
#include "told.h"

#include <errno.h>
#include <string.h>

#include "kept.h"
#include "site_key.h"
#include "util.h"

#define GRACE_NS (3 * NSEC_PER_SEC) /* an iteration waits for names: its end may be behind what says it is over */

#define SAID_NS	 (100 * NSEC_PER_MSEC) /* the patience with which it is told first */

static const char taken_back[] =
	"none needed: while it lasted it looked longer than its end shows it to be";

struct entry {
	struct kept *kept; /* what was said last */
	uint64_t site;	   /* hash of its site_key */
	uint64_t over_ns;  /* since when its iteration is known to be over; 0: it is not */
	bool is_ended;	   /* a finding of the ended iteration is its end */
};

struct told {
	told_emit *emit;
	void *context;
	unsigned int nr;
	struct entry entries[TOLD_MAX]; /* in order of their first lines */
};

int told_new(struct told **out, told_emit *emit, void *context)
{
	struct told *told = calloc(1, sizeof(*told));

	if (!told)
		return -ENOMEM;
	told->emit = emit;
	told->context = context;
	*out = told;
	return 0;
}

void told_free(struct told *told)
{
	for (unsigned int i = 0; told && i < told->nr; i++)
		free(told->entries[i].kept);
	free(told);
}

static void forget(struct told *told, unsigned int i)
{
	free(told->entries[i].kept);
	told->nr--;
	memmove(&told->entries[i], &told->entries[i + 1], (told->nr - i) * sizeof(told->entries[0]));
}

static bool is_loop(const struct entry *entry, const struct ev_head *loop)
{
	const struct ev_head *own = &entry->kept->loop.info.head;

	return own->target_id == loop->target_id && own->loop_id == loop->loop_id;
}

static bool is_iteration(const struct entry *entry, const struct iteration *iteration)
{
	return is_loop(entry, &iteration->loop->info.head) &&
	       entry->kept->iteration.ev.start_ns == iteration->ev.start_ns;
}

/* That the CPU was gone has two causes, and which it was may show late. */
static enum cause starved_by(const struct finding *finding)
{
	return finding->cause == CAUSE_THROTTLED ? CAUSE_RUN_QUEUE : finding->cause;
}

/*
 * Of one iteration: is the finding about the stall that was told?  Some rules have one finding of an iteration
 * whatever its site; of the others it is that of the site, or one that began at the same moment.
 */
static bool is_same_stall(const struct entry *entry, uint64_t site, const struct finding *finding)
{
	const struct finding *before = &entry->kept->finding;

	if (before->rule != finding->rule || finding->is_latent)
		return false;
	switch (finding->rule) {
	case RULE_CPU_BOUND:
	case RULE_GIL_WAIT:
	case RULE_LOOP_OVERLOAD: return true;
	case RULE_HOST_STARVED: return starved_by(before) == starved_by(finding);
	default: return entry->site == site || before->start_ns == finding->start_ns;
	}
}

static struct entry *find(struct told *told, const struct finding *finding)
{
	struct entry *found = NULL;
	struct site_key key;

	site_key_of(finding, &key);
	for (unsigned int i = 0; i < told->nr; i++) {
		struct entry *entry = &told->entries[i];

		if (entry->is_ended || !is_iteration(entry, finding->iteration) ||
		    !is_same_stall(entry, key.hash, finding))
			continue;
		if (entry->site == key.hash)
			return entry;
		if (!found)
			found = entry;
	}
	return found;
}

int told_add(struct told *told, struct finding *finding)
{
	struct entry *entry = find(told, finding);
	struct site_key key;
	struct kept *kept;

	if (!entry && told->nr >= TOLD_MAX)
		return 0;
	if (entry)
		finding->start_ns = entry->kept->finding.start_ns;
	kept = kept_new(finding);
	if (!kept)
		return -ENOMEM;
	if (!entry)
		entry = &told->entries[told->nr++];
	else
		free(entry->kept);
	site_key_of(finding, &key);
	*entry = (struct entry){ .kept = kept, .site = key.hash };
	return 1;
}

bool told_is_said(struct told *told, const struct finding *finding)
{
	const struct ev_iteration *ev = &finding->iteration->ev;
	const struct entry *entry = ev->end == ITERATION_UNSEEN ? find(told, finding) : NULL;

	return entry && ev->end_ns - entry->kept->iteration.ev.end_ns < SAID_NS;
}

bool told_end(struct told *told, struct finding *finding)
{
	struct entry *entry = told->nr ? find(told, finding) : NULL;

	if (!entry)
		return false;
	entry->is_ended = true;
	finding->start_ns = entry->kept->finding.start_ns;
	return true;
}

/* How long it was after all; 0: nothing of the kind is left. */
static uint64_t real_duration_ns(const struct rules_config *limits, const struct entry *entry,
				 const struct iteration *iteration)
{
	struct rules_config config = *limits;
	struct finding findings[RULES_MAX_FINDINGS];
	unsigned int nr, i;

	for (i = 0; i < RULE_MAX; i++)
		config.is_enabled[i] = i == entry->kept->finding.rule;
	config.limit_ns[entry->kept->finding.rule] = 1;
	nr = rules_eval(&config, iteration, findings, ARRAY_SIZE(findings));
	for (i = 0; i < nr; i++) {
		struct site_key key;

		site_key_of(&findings[i], &key);
		if (is_same_stall(entry, key.hash, &findings[i]))
			return findings[i].duration_ns;
	}
	return 0;
}

static void take_back(struct told *told, const struct rules_config *limits, struct entry *entry,
		      const struct iteration *iteration)
{
	struct kept *kept = entry->kept;
	struct breach breach = { .finding = &kept->finding, .asleep_by_cause = kept->asleep_by_cause };

	kept->finding.duration_ns = real_duration_ns(limits, entry, iteration);
	kept->finding.asleep_ns = min(kept->finding.asleep_ns, kept->finding.duration_ns);
	kept->finding.advice = taken_back;
	kept->finding.lint[0] = NULL;
	kept->iteration.ev = iteration->ev;
	kept->iteration.ev.end = ITERATION_WAIT;
	rules_asleep_by_cause(iteration, kept->asleep_by_cause);
	told->emit(told->context, &breach);
}

/* Nothing more will be known of it. */
static void end_as_known(struct told *told, struct entry *entry)
{
	struct kept *kept = entry->kept;
	struct breach breach = {
		.finding = &kept->finding,
		.count = 1,
		.total_ns = kept->finding.duration_ns,
		.max_ns = kept->finding.duration_ns,
		.asleep_by_cause = kept->asleep_by_cause,
	};

	kept->iteration.ev.end = ITERATION_WAIT;
	told->emit(told->context, &breach);
}

void told_close(struct told *told, const struct rules_config *limits, const struct iteration *iteration)
{
	for (unsigned int i = 0; i < told->nr;) {
		struct entry *entry = &told->entries[i];

		if (!is_iteration(entry, iteration)) {
			i++;
			continue;
		}
		if (!entry->is_ended)
			take_back(told, limits, entry, iteration);
		forget(told, i);
	}
}

/* Does the record say that the iteration is over that the entry is about? */
static bool is_over(const struct entry *entry, const struct ev_head *ev)
{
	const struct loop_counters *counters;

	if (ev->type == EV_LOOP_EXIT)
		return is_loop(entry, ev);
	if (ev->type == EV_EXIT || ev->type == EV_EXEC)
		return entry->kept->loop.info.head.target_id == ev->target_id;
	if (ev->type != EV_LOOP_STATS || !is_loop(entry, ev))
		return false;
	counters = &((const struct ev_loop_stats *)ev)->counters;
	return counters->in_wait || counters->since_ns != entry->kept->iteration.ev.start_ns;
}

void told_look(struct told *told, const struct ev_head *ev)
{
	for (unsigned int i = 0; i < told->nr;) {
		struct entry *entry = &told->entries[i];

		if (!entry->over_ns && is_over(entry, ev))
			entry->over_ns = ev->ts_ns;
		if (!entry->over_ns || ev->type != EV_TICK || ev->ts_ns < entry->over_ns + GRACE_NS) {
			i++;
			continue;
		}
		end_as_known(told, entry);
		forget(told, i);
	}
}

void told_finish(struct told *told)
{
	for (; told->nr; forget(told, 0))
		end_as_known(told, &told->entries[0]);
}
