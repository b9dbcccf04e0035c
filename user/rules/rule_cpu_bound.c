/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * cpu-bound: one callback or task step kept the thread on the CPU.  Samples say which, and on which
 * line: a step's time is its share of the samples.  Many short steps that add up are loop-overload's.
 */
#include "rule.h"

#include "site.h"
#include "steps.h"
#include "util.h"

#define NATIVE_MIN_SAMPLES 3 /* fewer can agree by chance */
#define NATIVE_MIN_PCT	   75 /* of a step's samples on one instruction; the rest is the way there and back */
#define MAX_SITES 64 /* told apart in one step */

struct hot_site {
	const struct stack *stack; /* of its first sample */
	struct site site;
	uint32_t nr;
};

/* The step with most samples; the first of them if several have as many. */
static struct step heaviest_step(const struct iteration *iteration)
{
	struct step steps[STEPS_MAX], best = { 0 };
	uint32_t nr_steps = steps_of(iteration, steps), k;

	for (k = 0; k < nr_steps; k++) {
		/* Among many callbacks it is the loop's own work between them. */
		if (!steps[k].id && nr_steps >= STEPS_MANY)
			continue;
		if (steps[k].nr > best.nr)
			best = steps[k];
	}
	return best;
}

/* The line that most samples of a step hit; .nr is 0 if no stack could be read. */
static struct hot_site hottest_site(const struct rules_config *config,
				    const struct iteration *iteration, uint64_t step)
{
	struct hot_site sites[MAX_SITES],
		best = { .site = { .site = -1, .coroutine = -1, .callback = -1 } };
	uint32_t nr_sites = 0, i, k;

	for (i = 0; i < iteration->nr_samples; i++) {
		const struct stack *stack = iteration->samples[i].stack;
		struct hot_site hot = { .stack = stack };

		if (iteration->samples[i].step != step || !stack ||
		    sample_is_within(&iteration->samples[i]))
			continue;
		site_find(config, iteration->loop, stack, &hot.site);
		if (hot.site.site < 0)
			continue;
		for (k = 0; k < nr_sites; k++) {
			const struct hot_site *other = &sites[k];

			if (site_is_same(&stack->frames[hot.site.site],
					 &other->stack->frames[other->site.site]))
				break;
		}
		if (k == MAX_SITES)
			continue;
		if (k == nr_sites)
			sites[nr_sites++] = hot;
		sites[k].nr++;
	}
	for (k = 0; k < nr_sites; k++) {
		if (sites[k].nr > best.nr)
			best = sites[k];
	}
	return best;
}

/*
 * Whether the bytecode stood still: most of a step's samples have the very same stack, down
 * to the instruction.  *still is set to that stack.  A majority is found by voting it against the
 * rest.
 */
static bool is_native(const struct iteration *iteration, uint64_t step, const struct stack **still)
{
	const struct stack *candidate = NULL;
	uint32_t votes = 0, nr = 0, nr_same = 0, i;

	for (i = 0; i < iteration->nr_samples; i++) {
		const struct stack *stack = iteration->samples[i].stack;

		if (iteration->samples[i].step != step || !stack || !stack->nr ||
		    sample_is_within(&iteration->samples[i]))
			continue;
		nr++;
		if (!votes)
			candidate = stack;
		votes += candidate->id == stack->id ? 1 : -1;
	}
	for (i = 0; i < iteration->nr_samples && candidate; i++) {
		const struct sample *sample = &iteration->samples[i];

		nr_same += sample->step == step && sample->stack &&
			   sample->stack->id == candidate->id && !sample_is_within(sample);
	}
	if (nr < NATIVE_MIN_SAMPLES || nr_same * 100 < nr * NATIVE_MIN_PCT)
		return false;
	*still = candidate;
	return true;
}

/* The task of a step: that of the sample which is shown of it. */
static void set_task(struct finding *finding, const struct iteration *iteration, uint64_t step)
{
	for (uint32_t i = 0; i < iteration->nr_samples; i++) {
		const struct sample *sample = &iteration->samples[i];

		if (sample->step != step || sample->stack != finding->stack ||
		    (!sample->task && !sample->builtin))
			continue;
		finding->task = sample->task;
		finding->builtin = sample->builtin;
		return;
	}
}

/* Samples of neither the collector nor an import. */
static uint32_t count_own(const struct iteration *iteration)
{
	uint32_t nr = 0, i;

	for (i = 0; i < iteration->nr_samples; i++)
		nr += !sample_is_within(&iteration->samples[i]);
	return nr;
}

unsigned int rule_cpu_bound(const struct rules_config *config, const struct iteration *iteration,
			    struct finding *findings, unsigned int cap)
{
	uint64_t limit_ns = config->limit_ns[RULE_CPU_BOUND];
	uint64_t duration_ns = iteration->ev.on_cpu_ns - iteration->ev.gc_on_cpu_ns -
			       iteration->ev.import_on_cpu_ns;
	uint32_t nr_own = count_own(iteration);
	struct step step = heaviest_step(iteration);
	struct hot_site hot = hottest_site(config, iteration, step.id);
	enum cause cause = CAUSE_PYTHON;

	/* uvloop runs plain callbacks without a frame of its own: many short ones look like one. */
	if (step.nr && !step.id && iteration->loop->info.kind == LOOP_KIND_UVLOOP)
		return 0;
	if (step.nr)
		duration_ns = (uint64_t)((double)duration_ns * step.nr / nr_own);
	if (!cap || duration_ns < limit_ns || (iteration->nr_samples && !nr_own))
		return 0;
	if (is_native(iteration, step.id, &hot.stack)) {
		cause = CAUSE_NATIVE;
		site_find(config, iteration->loop, hot.stack, &hot.site);
	}
	if (hot.site.site >= 0 && site_is_allowed(config, &hot.stack->frames[hot.site.site]))
		return 0;
	findings[0] = (struct finding){
		.rule = RULE_CPU_BOUND,
		.cause = cause,
		.iteration = iteration,
		.start_ns = iteration->ev.start_ns,
		.duration_ns = duration_ns,
		.calls = step.nr,
		.stack = hot.stack,
		.site = hot.site.site,
		.coroutine = hot.site.coroutine,
		.callback = hot.site.callback,
		.nr_library = hot.site.nr_library,
		.syscall = -1,
		.fd = -1,
	};
	set_task(&findings[0], iteration, step.id);
	return 1;
}
