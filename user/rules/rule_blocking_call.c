/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * blocking-call: the loop's thread slept in system calls that are not its loop's wait.  Sleeps of
 * one line for one cause add up; what counts against the limit is time asleep, without the wait for
 * a CPU after it, which is the host's.
 */
#include "rule.h"

#include "cause.h"
#include "handover.h"
#include "site.h"
#include "util.h"

#define MAX_GROUPS \
	128 /* sites told apart in one iteration; what is past it is named by none of them */

/* Sleeps of one site and cause. */
struct group {
	const struct sleep *heaviest; /* NULL: only sleeps whose records were lost */
	struct site site;	      /* of the heaviest; .site is -1: no stack could be read */
	bool is_rest;		      /* sleeps past the bound and lost ones: heaviest stays NULL */
	enum cause cause;
	uint64_t first_ns, asleep_ns, total_ns;
	uint32_t calls;
};

static bool is_same_group(const struct group *group, enum cause cause, const struct frame *frame)
{
	if (group->is_rest || group->cause != cause || (group->site.site < 0) != !frame)
		return false;
	return !frame || site_is_same(&group->heaviest->stack->frames[group->site.site], frame);
}

/* The group that has no site: always the last one, and there is room for it. */
static struct group *rest_group(struct group *groups, unsigned int *nr)
{
	if (!*nr || !groups[*nr - 1].is_rest)
		groups[(*nr)++] = (struct group){
			.site = { .site = -1, .coroutine = -1, .callback = -1 },
			.cause = CAUSE_OTHER,
			.is_rest = true,
			.first_ns = UINT64_MAX,
		};
	return &groups[*nr - 1];
}

static struct group *find_group(struct group *groups, unsigned int *nr, const struct site *site,
				enum cause cause, const struct sleep *sleep)
{
	const struct frame *frame = site->site >= 0 ? &sleep->stack->frames[site->site] : NULL;
	unsigned int i;

	for (i = 0; i < *nr; i++) {
		if (is_same_group(&groups[i], cause, frame))
			return &groups[i];
	}
	if (*nr >= MAX_GROUPS)
		return rest_group(groups, nr);
	groups[*nr] = (struct group){ .site = *site, .cause = cause, .first_ns = UINT64_MAX };
	return &groups[(*nr)++];
}

static void add_sleep(struct group *group, const struct site *site, const struct sleep *sleep)
{
	const struct ev_sleep *ev = &sleep->ev;

	group->asleep_ns += ev->asleep_ns;
	group->total_ns += ev->total_ns;
	group->calls += ev->count;
	group->first_ns = min(group->first_ns, (uint64_t)ev->first_ns);
	if (group->is_rest)
		return;
	if (!group->heaviest || ev->asleep_ns > group->heaviest->ev.asleep_ns) {
		group->heaviest = sleep;
		group->site = *site;
	}
}

/*
 * If records were lost, the sleeps that are left do not explain the iteration's time asleep.  What
 * is missing still happened: it counts, without a stack.
 */
static void add_lost(const struct iteration *iteration, struct group *groups, unsigned int *nr)
{
	uint64_t asleep_ns = iteration->ev.off_ns[OFF_SYSCALL], known_ns = 0;
	struct group *rest;
	uint32_t i;

	for (i = 0; i < iteration->nr_sleeps; i++)
		if (iteration->sleeps[i].ev.off_class != OFF_GIL &&
		    iteration->sleeps[i].ev.off_class != OFF_OTHER)
			known_ns += iteration->sleeps[i].ev.asleep_ns;
	if ((!iteration->is_incomplete && !iteration->nr_refused) || known_ns >= asleep_ns)
		return;
	rest = rest_group(groups, nr);
	rest->first_ns = min(rest->first_ns, (uint64_t)iteration->ev.start_ns);
	rest->asleep_ns += asleep_ns - known_ns;
	rest->total_ns += asleep_ns - known_ns;
}

static void to_finding(const struct iteration *iteration, const struct group *group,
		       struct finding *finding)
{
	const struct ev_sleep *ev = group->heaviest ? &group->heaviest->ev : NULL;

	*finding = (struct finding){
		.rule = RULE_BLOCKING_CALL,
		.cause = group->cause,
		.iteration = iteration,
		.start_ns = group->first_ns,
		.duration_ns = group->total_ns,
		.calls = group->calls,
		.stack = group->heaviest ? group->heaviest->stack : NULL,
		.site = group->site.site,
		.coroutine = group->site.coroutine,
		.callback = group->site.callback,
		.nr_library = group->site.nr_library,
		.task = group->heaviest ? group->heaviest->task : NULL,
		.builtin = group->heaviest ? group->heaviest->builtin : NULL,
		.sleep = group->heaviest,
		.syscall = ev ? ev->syscall : -1,
		.fd = ev ? ev->fd : -1,
	};
}

/* Costliest first; of equal ones the first seen. */
static void sort_groups(struct group *groups, unsigned int nr)
{
	unsigned int i, k;

	for (i = 1; i < nr; i++) {
		struct group group = groups[i];

		for (k = i; k && groups[k - 1].total_ns < group.total_ns; k--)
			groups[k] = groups[k - 1];
		groups[k] = group;
	}
}

static uint64_t limit_of(const struct rules_config *config, const struct group *group)
{
	uint64_t limit_ns = config->limit_ns[RULE_BLOCKING_CALL];

	if (group->heaviest && handover_is(group->heaviest->stack, group->site.nr_library))
		return limit_ns * HANDOVER_PATIENCE;
	return limit_ns;
}

/* Leaves the groups that break the guideline. */
static unsigned int keep_breaches(const struct rules_config *config, struct group *groups,
				  unsigned int nr)
{
	unsigned int i, nr_kept = 0;

	for (i = 0; i < nr; i++) {
		const struct group *group = &groups[i];

		if (group->asleep_ns < limit_of(config, group))
			continue;
		if (group->site.site >= 0 &&
		    site_is_allowed(config, &group->heaviest->stack->frames[group->site.site]))
			continue;
		groups[nr_kept++] = *group;
	}
	return nr_kept;
}

unsigned int rule_blocking_call(const struct rules_config *config,
				const struct iteration *iteration, struct finding *findings,
				unsigned int cap)
{
	struct group groups[MAX_GROUPS + 1];
	unsigned int nr = 0, i;

	if (iteration->ev.off_ns[OFF_SYSCALL] < config->limit_ns[RULE_BLOCKING_CALL] &&
	    !iteration->nr_sleeps)
		return 0;
	for (i = 0; i < iteration->nr_sleeps; i++) {
		const struct sleep *sleep = &iteration->sleeps[i];
		enum cause cause;
		struct site site;

		if (sleep_is_latent(sleep))
			continue;
		if (sleep->ev.off_class == OFF_GIL || sleep->ev.off_class == OFF_OTHER ||
		    (sleep->ev.within & IN_IMPORT))
			continue; /* gil-wait's, gc-pause's and import-on-loop's */
		cause = cause_of_sleep(&sleep->ev, sleep->stack);
		site_find(config, iteration->loop, sleep->stack, &site);
		add_sleep(find_group(groups, &nr, &site, cause, sleep), &site, sleep);
	}
	add_lost(iteration, groups, &nr);
	nr = keep_breaches(config, groups, nr);
	sort_groups(groups, nr);
	for (i = 0; i < nr && i < cap; i++)
		to_finding(iteration, &groups[i], &findings[i]);
	for (i = cap; cap && i < nr; i++) {
		findings[cap - 1].duration_ns += groups[i].total_ns;
		findings[cap - 1].calls += groups[i].calls;
	}
	return min(nr, cap);
}
