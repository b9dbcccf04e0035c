/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * loop-overload: many callbacks, each of them short, kept the loop busy for long.  A step that is a
 * finding of cpu-bound by itself is left out of the sum, so that the two share the time and
 * neither speaks of the other's.
 */
#include "rule.h"

#include <stddef.h>
#include <string.h>

#include "site.h"
#include "steps.h"
#include "util.h"

#define MAX_CALLBACKS 64 /* kinds told apart in one iteration */
#define MAX_LINES     64
#define HOT_MIN_PCT   5 /* of the samples: what is less is not worth a line */

/* Samples of one kind of callback. */
struct hot_callback {
	const struct stack *stack; /* of its first sample */
	struct site site;
	int entry; /* the frame that names it */
	uint32_t nr;
};

static bool is_same_function(const struct frame *a, const struct frame *b)
{
	return !strcmp(a->function, b->function) && !strcmp(a->file, b->file);
}

static const struct frame *entry_of(const struct hot_callback *hot)
{
	return &hot->stack->frames[hot->entry];
}

static const struct frame *site_of(const struct hot_callback *hot)
{
	return &hot->stack->frames[hot->site.site];
}

/*
 * Finds the site of a stack, and what the loop called as the application knows it: its outermost frame,
 * since a server's tasks all begin in the server's library.  False: no frame to speak of.
 */
static bool look(const struct rules_config *config, const struct iteration *iteration,
		 struct hot_callback *hot)
{
	struct stdlib stdlib = site_stdlib_of(hot->stack);

	if (!hot->stack)
		return false;
	site_find(config, iteration->loop, hot->stack, &hot->site);
	for (hot->entry = hot->site.called; hot->entry > hot->site.site; hot->entry--) {
		const struct frame *frame = entry_of(hot);

		if (frame->naming == FRAME_NAMED && !site_is_library(config, &stdlib, frame->file))
			break;
	}
	if (hot->entry < hot->site.site)
		hot->entry = hot->site.site;
	return hot->site.site >= 0;
}

/* Of a step that takes this many samples or more, cpu-bound speaks. */
static bool is_long(const struct rules_config *config, const struct iteration *iteration,
		    uint32_t nr_samples)
{
	double ns = (double)iteration->ev.on_cpu_ns * nr_samples / iteration->nr_samples;

	return ns >= (double)config->limit_ns[RULE_CPU_BOUND];
}

static uint32_t samples_of(const struct step *steps, uint32_t nr, uint64_t id)
{
	uint32_t k;

	for (k = 0; k < nr; k++) {
		if (steps[k].id == id)
			return steps[k].nr;
	}
	return 0;
}

/* The callbacks that samples of short steps hit, the hottest first. */
static uint32_t find_callbacks(const struct rules_config *config, const struct iteration *iteration,
			       const struct step *steps, uint32_t nr_steps,
			       struct hot_callback callbacks[MAX_CALLBACKS])
{
	uint32_t nr = 0, i, k;

	for (i = 0; i < iteration->nr_samples; i++) {
		const struct sample *sample = &iteration->samples[i];
		struct hot_callback hot = { .stack = sample->stack };

		if (sample_is_within(sample) ||
		    is_long(config, iteration, samples_of(steps, nr_steps, sample->step)) ||
		    !look(config, iteration, &hot))
			continue;
		for (k = 0; k < nr && !is_same_function(entry_of(&callbacks[k]), entry_of(&hot)); k++)
			;
		if (k == MAX_CALLBACKS)
			continue;
		if (k == nr)
			callbacks[nr++] = hot;
		callbacks[k].nr++;
		for (; k && callbacks[k - 1].nr < callbacks[k].nr; k--) {
			hot = callbacks[k];
			callbacks[k] = callbacks[k - 1];
			callbacks[k - 1] = hot;
		}
	}
	return nr;
}

/* Moves a callback's stack and site to those of the line that most of its samples hit. */
static void find_line(const struct rules_config *config, const struct iteration *iteration,
		      struct hot_callback *callback)
{
	struct hot_callback lines[MAX_LINES], best = { .nr = 0 };
	uint32_t nr = 0, i, k;

	for (i = 0; i < iteration->nr_samples; i++) {
		struct hot_callback hot = { .stack = iteration->samples[i].stack };

		if (!look(config, iteration, &hot) ||
		    !is_same_function(entry_of(&hot), entry_of(callback)))
			continue;
		for (k = 0; k < nr && !site_is_same(site_of(&lines[k]), site_of(&hot)); k++)
			;
		if (k == MAX_LINES)
			continue;
		if (k == nr)
			lines[nr++] = hot;
		lines[k].nr++;
		if (lines[k].nr > best.nr)
			best = lines[k];
	}
	best.nr = callback->nr;
	*callback = best;
}

/* How many callbacks ran: as the loop counted them, else at least those that were seen. How many wait. */
static void count_callbacks(const struct iteration *iteration, uint32_t nr_steps,
			    struct finding *finding)
{
	finding->callbacks = max(iteration->ev.nr_callbacks, nr_steps);
	finding->callbacks_exact = iteration->ev.nr_callbacks != 0;
	finding->ready_at_end = (int64_t)iteration->ev.nr_waiting - 1;
}

/* The time of short steps and of the loop's work between them; *nr_short is set to the steps that are. */
static uint64_t short_ns(const struct rules_config *config, const struct iteration *iteration,
			 const struct step *steps, uint32_t nr_steps, uint32_t *nr_short)
{
	const struct ev_iteration *ev = &iteration->ev;
	uint64_t within = ev->gc_on_cpu_ns + ev->import_on_cpu_ns; /* of other rules */
	uint64_t busy_ns = ev->on_cpu_ns - min(ev->on_cpu_ns, within);
	uint32_t nr = 0, k;

	*nr_short = 0;
	for (k = 0; k < nr_steps; k++) {
		bool is_step = steps[k].id;

		/* Which of uvloop's plain callbacks a sample hit may not be known. */
		if (is_step ? is_long(config, iteration, steps[k].nr) :
			      iteration->loop->info.kind == LOOP_KIND_UVLOOP)
			continue;
		nr += steps[k].nr;
		*nr_short += is_step;
	}
	return iteration->nr_samples ? (uint64_t)((double)busy_ns * nr / iteration->nr_samples) : 0;
}

/*
 * The wait of a loop that the timer found was not seen yet: if it is a poll that does not sleep (see
 * LOOP_KIND_ASYNCIO_POLL), what looks like one iteration is many.
 */
static bool may_be_many(const struct iteration *iteration)
{
	return iteration->ev.flags & ITERATION_PARTIAL && iteration->loop->info.wait_fd < 0;
}

unsigned int rule_loop_overload(const struct rules_config *config, const struct iteration *iteration,
				struct finding *findings, unsigned int cap)
{
	struct hot_callback hot[MAX_CALLBACKS];
	struct step steps[STEPS_MAX];
	uint32_t nr_steps, nr_short, nr, i;
	uint64_t duration_ns;

	if (!cap || iteration->ev.on_cpu_ns < config->limit_ns[RULE_LOOP_OVERLOAD] ||
	    may_be_many(iteration))
		return 0;
	nr_steps = steps_of(iteration, steps);
	duration_ns = short_ns(config, iteration, steps, nr_steps, &nr_short);
	if (duration_ns < config->limit_ns[RULE_LOOP_OVERLOAD] || nr_short < STEPS_MANY)
		return 0;
	nr = find_callbacks(config, iteration, steps, nr_steps, hot);
	for (i = 0; i < nr && i < FINDING_MAX_HOT; i++)
		find_line(config, iteration, &hot[i]);
	if (nr && site_is_allowed(config, site_of(&hot[0])))
		return 0;
	findings[0] = (struct finding){
		.rule = RULE_LOOP_OVERLOAD,
		.cause = CAUSE_CALLBACKS,
		.iteration = iteration,
		.start_ns = iteration->ev.start_ns,
		.duration_ns = duration_ns,
		.calls = iteration->nr_samples,
		.stack = nr ? hot[0].stack : NULL,
		.site = nr ? hot[0].site.site : -1,
		.coroutine = nr ? hot[0].site.coroutine : -1,
		.callback = nr ? hot[0].site.callback : -1,
		.nr_library = nr ? hot[0].site.nr_library : 0,
		.syscall = -1,
		.fd = -1,
	};
	count_callbacks(iteration, nr_short, &findings[0]);
	for (i = 0; i < nr && i < FINDING_MAX_HOT; i++) {
		if (i && hot[i].nr * 100 < iteration->nr_samples * HOT_MIN_PCT)
			break;
		findings[0].hot[i].frame = *entry_of(&hot[i]);
		findings[0].hot[i].share = (double)hot[i].nr / iteration->nr_samples;
		findings[0].nr_hot++;
	}
	return 1;
}
