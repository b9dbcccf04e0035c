/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * gil-wait: the loop could have run and another thread held the GIL.  All waits of an iteration count
 * together, also those whose records are not there, but not while that thread had no CPU, which is the host's
 * doing (rule_host_starved.c); the site is where the loop waited most, the holder the
 * thread that it waited for most.
 */
#include "rule.h"

#include <string.h>

#include "site.h"
#include "util.h"

#define MAX_GROUPS 64 /* sites, and holders, told apart in one iteration */
#define NATIVE_PCT 50 /* of the wait for a holder, it had not moved since the look before */

/* Sleeps that share a line of the loop, or a holder. */
struct group {
	const struct sleep *heaviest;
	struct site site; /* of the loop's line */
	uint64_t blamed_ns, asleep_ns, total_ns, still_ns, queued_ns;
};

/* What is known of an iteration's waits for the GIL. */
struct waits {
	struct group sites[MAX_GROUPS], holders[MAX_GROUPS];
	unsigned int nr_sites, nr_holders;
	uint64_t first_ns;
	uint32_t calls;
};

static bool is_same_site(const struct group *group, const struct site *site,
			 const struct stack *stack)
{
	if (group->site.site < 0 || site->site < 0)
		return group->site.site < 0 && site->site < 0;
	return site_is_same(&group->heaviest->stack->frames[group->site.site],
			    &stack->frames[site->site]);
}

/* Of a wait: what is not the host's doing. */
static uint64_t blamed_ns(const struct ev_sleep *ev)
{
	return ev->asleep_ns - ev->holder_queued_ns;
}

static void add_to(struct group *group, const struct sleep *sleep)
{
	const struct ev_sleep *ev = &sleep->ev;

	if (!group->heaviest || blamed_ns(ev) > blamed_ns(&group->heaviest->ev))
		group->heaviest = sleep;
	group->blamed_ns += blamed_ns(ev);
	group->asleep_ns += ev->asleep_ns;
	group->total_ns += ev->total_ns;
	group->still_ns += ev->holder_still_us * NSEC_PER_USEC;
	group->queued_ns += ev->holder_queued_ns;
}

static void add_site(const struct rules_config *config, const struct iteration *iteration,
		     struct waits *waits, const struct sleep *sleep)
{
	struct group *group = NULL;
	struct site site;

	site_find(config, iteration->loop, sleep->stack, &site);
	for (unsigned int i = 0; i < waits->nr_sites && !group; i++)
		if (is_same_site(&waits->sites[i], &site, sleep->stack))
			group = &waits->sites[i];
	if (!group && waits->nr_sites < MAX_GROUPS)
		group = &waits->sites[waits->nr_sites++];
	if (!group)
		return;
	add_to(group, sleep);
	if (group->heaviest == sleep)
		group->site = site;
}

static void add_holder(struct waits *waits, const struct sleep *sleep)
{
	struct group *group = NULL;

	if (!sleep->ev.holder_ident)
		return;
	for (unsigned int i = 0; i < waits->nr_holders && !group; i++) {
		const struct ev_sleep *other = &waits->holders[i].heaviest->ev;

		if (other->holder_ident == sleep->ev.holder_ident &&
		    other->holder_tid == sleep->ev.holder_tid)
			group = &waits->holders[i];
	}
	if (!group && waits->nr_holders < MAX_GROUPS)
		group = &waits->holders[waits->nr_holders++];
	if (group)
		add_to(group, sleep);
}

/* The loop's own wait returned and did not get the GIL: no callback runs yet. */
static void drop_wait(const struct stack *stack, struct site *site)
{
	static const struct {
		const char *name, *file;
	} waits[] = {
		{ "select", "/selectors.py" },
		{ "get_events", "/trio/_core/_io_epoll.py" },
		{ "doPoll", "/twisted/internet/epollreactor.py" },
	};
	const struct frame *frame;

	if (!stack || site->callback < 0 || site->callback != site->site)
		return;
	frame = &stack->frames[site->callback];
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		if (!strcmp(frame->name, waits[i].name) && site_path_ends(frame->file, waits[i].file))
			site->callback = -1;
}

/* The one with most time to be blamed for; the first of equal ones; NULL: there is none. */
static const struct group *heaviest_of(const struct group *groups, unsigned int nr)
{
	const struct group *best = nr ? groups : NULL;

	for (unsigned int i = 1; i < nr; i++)
		if (groups[i].blamed_ns > best->blamed_ns)
			best = &groups[i];
	return best;
}

static void fill_holder(const struct rules_config *config, const struct waits *waits,
			struct finding_holder *holder)
{
	const struct group *group = heaviest_of(waits->holders, waits->nr_holders);
	const struct sleep *sleep;
	struct site site;

	holder->site = -1;
	if (!group)
		return;
	sleep = group->heaviest;
	site_find(config, NULL, sleep->holder_stack, &site);
	holder->ident = sleep->ev.holder_ident;
	holder->tid = sleep->ev.holder_tid;
	memcpy(holder->comm, sleep->holder_comm, sizeof(holder->comm));
	memcpy(holder->name, sleep->holder_name, sizeof(holder->name));
	holder->stack = sleep->holder_stack;
	holder->site = site.site;
	holder->waited_ns = group->asleep_ns;
	holder->run_queue_ns = group->queued_ns;
	holder->nr_others = waits->nr_holders - 1;
	holder->is_native = group->still_ns >= group->total_ns / 100 * NATIVE_PCT;
}

static bool is_allowed(const struct rules_config *config, const struct stack *stack, int site)
{
	return stack && site >= 0 && site_is_allowed(config, &stack->frames[site]);
}

unsigned int rule_gil_wait(const struct rules_config *config, const struct iteration *iteration,
			   struct finding *findings, unsigned int cap)
{
	uint64_t waited_ns = iteration->ev.off_ns[OFF_GIL] - iteration->ev.off_ns[OFF_HOLDER_QUEUED];
	struct waits waits; /* large: made when it is needed */
	struct site site = { .site = -1, .coroutine = -1, .callback = -1 };
	const struct sleep *sleep;
	const struct group *group;

	if (!cap || waited_ns < config->limit_ns[RULE_GIL_WAIT])
		return 0;
	waits = (struct waits){ .first_ns = UINT64_MAX };
	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		sleep = &iteration->sleeps[i];
		if (sleep->ev.off_class != OFF_GIL)
			continue;
		add_site(config, iteration, &waits, sleep);
		add_holder(&waits, sleep);
		waits.first_ns = min(waits.first_ns, (uint64_t)sleep->ev.first_ns);
		waits.calls += sleep->ev.count;
	}
	group = heaviest_of(waits.sites, waits.nr_sites);
	sleep = group ? group->heaviest : NULL;
	if (group) {
		site = group->site;
		drop_wait(sleep->stack, &site);
	}
	findings[0] = (struct finding){
		.rule = RULE_GIL_WAIT,
		.cause = CAUSE_GIL,
		.iteration = iteration,
		.start_ns = group ? waits.first_ns : (uint64_t)iteration->ev.start_ns,
		.duration_ns = waited_ns,
		.calls = waits.calls,
		.stack = sleep ? sleep->stack : NULL,
		.site = site.site,
		.coroutine = site.coroutine,
		.callback = site.callback,
		.nr_library = site.nr_library,
		.task = sleep ? sleep->task : NULL,
		.sleep = sleep,
		.syscall = -1,
		.fd = -1,
	};
	fill_holder(config, &waits, &findings[0].holder);
	return !is_allowed(config, findings[0].stack, site.site) &&
	       !is_allowed(config, findings[0].holder.stack, findings[0].holder.site);
}
