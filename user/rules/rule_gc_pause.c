/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * gc-pause: the collector ran in the loop's thread.  Runs that began on one line add up; the line is
 * the one that ran when the collector started, which need not be the one that made the garbage.  Time
 * that no record of a run explains (short runs, builds without probes) goes to lines by samples.
 */
#include "rule.h"

#include "site.h"
#include "util.h"

#define MAX_GROUPS 32

struct group {
	const struct stack *stack; /* of the longest run; NULL: none could be read */
	struct site site;
	const char *task, *builtin; /* that ran at first */
	enum cause cause;
	uint64_t total_ns, longest_ns, first_ns, collected;
	uint32_t generation, nr_runs, nr_samples;
};

struct groups {
	struct group of[MAX_GROUPS];
	unsigned int nr;
};

static bool is_same(const struct group *group, const struct stack *stack, const struct site *site,
		    enum cause cause)
{
	if (group->cause != cause || (group->site.site < 0) != (site->site < 0))
		return false;
	return site->site < 0 || site_is_same(&group->stack->frames[group->site.site],
					      &stack->frames[site->site]);
}

/* The group of that line; past the bound the last one. */
static struct group *find_group(struct groups *groups, const struct rules_config *config,
				const struct iteration *iteration, const struct stack *stack,
				enum cause cause, uint64_t ts_ns)
{
	struct group *group;
	struct site site;
	unsigned int i;

	site_find(config, iteration->loop, stack, &site);
	for (i = 0; i < groups->nr; i++)
		if (is_same(&groups->of[i], stack, &site, cause))
			return &groups->of[i];
	if (groups->nr == MAX_GROUPS)
		return &groups->of[MAX_GROUPS - 1];
	group = &groups->of[groups->nr++];
	*group = (struct group){
		.stack = stack, .site = site, .cause = cause, .first_ns = ts_ns
	};
	return group;
}

static void add_runs(struct groups *groups, const struct rules_config *config,
		     const struct iteration *iteration)
{
	uint32_t i;

	for (i = 0; i < iteration->nr_gcs; i++) {
		const struct ev_gc *ev = &iteration->gcs[i].ev;
		struct group *group = find_group(groups, config, iteration, iteration->gcs[i].stack,
						 ev->is_explicit ? CAUSE_EXPLICIT : CAUSE_AUTOMATIC,
						 ev->start_ns);

		if (!group->nr_runs) {
			group->task = iteration->gcs[i].task;
			group->builtin = iteration->gcs[i].builtin;
		}
		group->total_ns += ev->total_ns;
		group->nr_runs++;
		group->collected += ev->nr_collected > 0 ? (uint64_t)ev->nr_collected : 0;
		group->generation = max(group->generation, (uint32_t)ev->generation);
		group->longest_ns = max(group->longest_ns, (uint64_t)ev->total_ns);
	}
}

/* What no record explains, shared out by samples; without any it is nobody's. */
static void add_rest(struct groups *groups, const struct rules_config *config,
		     const struct iteration *iteration)
{
	uint64_t known_ns = 0, rest_ns;
	struct group *group;
	uint32_t nr = 0, i;

	for (i = 0; i < groups->nr; i++)
		known_ns += groups->of[i].total_ns;
	if (known_ns >= iteration->ev.gc_on_cpu_ns)
		return;
	rest_ns = iteration->ev.gc_on_cpu_ns - known_ns;
	for (i = 0; i < iteration->nr_samples; i++) {
		const struct sample *sample = &iteration->samples[i];

		if (!(sample->within & IN_GC))
			continue;
		nr++;
		group = find_group(groups, config, iteration, sample->stack,
				   sample->within & IN_COLLECT ? CAUSE_EXPLICIT : CAUSE_AUTOMATIC,
				   sample->ts_ns);
		if (!group->nr_samples++ && !group->nr_runs) {
			group->task = sample->task;
			group->builtin = sample->builtin;
		}
	}
	if (!nr)
		find_group(groups, config, iteration, NULL, CAUSE_AUTOMATIC, iteration->ev.start_ns)->total_ns +=
			rest_ns;
	for (i = 0; i < groups->nr; i++)
		groups->of[i].total_ns +=
			nr ? (uint64_t)((double)rest_ns * groups->of[i].nr_samples / nr) : 0;
}

/* Of the loop's thread, stopped by another that collects.  Its runs are not told apart. */
static void add_waits(struct groups *groups, const struct rules_config *config,
		      const struct iteration *iteration)
{
	uint32_t i;

	for (i = 0; i < iteration->nr_sleeps; i++) {
		const struct sleep *sleep = &iteration->sleeps[i];
		struct group *group;

		if (sleep->ev.off_class != OFF_OTHER || !(sleep->ev.within & IN_GC))
			continue;
		group = find_group(groups, config, iteration, sleep->stack, CAUSE_OTHER_THREAD,
				   sleep->ev.first_ns);
		if (!group->total_ns) {
			group->task = sleep->task;
			group->builtin = sleep->builtin;
		}
		group->total_ns += sleep->ev.asleep_ns;
	}
}

static void to_finding(const struct iteration *iteration, const struct group *group,
		       struct finding *finding)
{
	*finding = (struct finding){
		.rule = RULE_GC_PAUSE,
		.cause = group->cause,
		.iteration = iteration,
		.start_ns = group->first_ns,
		.duration_ns = group->total_ns,
		.calls = group->nr_runs,
		.stack = group->stack,
		.site = group->site.site,
		.coroutine = group->site.coroutine,
		.callback = group->site.callback,
		.nr_library = group->site.nr_library,
		.task = group->task,
		.builtin = group->builtin,
		.syscall = -1,
		.fd = -1,
		.is_estimated = !group->nr_runs && group->cause != CAUSE_OTHER_THREAD,
		.gc = { .generation = group->generation, .collected = group->collected },
	};
}

unsigned int rule_gc_pause(const struct rules_config *config, const struct iteration *iteration,
			   struct finding *findings, unsigned int cap)
{
	struct groups groups; /* large: made when it is needed */
	unsigned int nr = 0, i;

	if (iteration->ev.gc_on_cpu_ns < config->limit_ns[RULE_GC_PAUSE] &&
	    iteration->ev.off_ns[OFF_OTHER] < config->limit_ns[RULE_GC_PAUSE])
		return 0;
	groups = (struct groups){ .nr = 0 };
	add_runs(&groups, config, iteration);
	add_rest(&groups, config, iteration);
	add_waits(&groups, config, iteration);
	for (i = 0; i < groups.nr && nr < cap; i++) {
		const struct group *group = &groups.of[i];

		if (group->total_ns < config->limit_ns[RULE_GC_PAUSE])
			continue;
		if (group->site.site >= 0 &&
		    site_is_allowed(config, &group->stack->frames[group->site.site]))
			continue;
		to_finding(iteration, group, &findings[nr++]);
	}
	return nr;
}
