/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * import-on-loop: modules were imported while the loop ran.  What one statement imported adds up, with
 * the file reads and the modules that it caused: one finding, and none of blocking-call or cpu-bound
 * beside it.  By the probes' records; what they do not see (importlib.import_module(), builds without
 * probes) by sleeps and samples below importlib's frames.
 */
#include "rule.h"

#include <string.h>

#include "site.h"
#include "util.h"

#define MAX_GROUPS  32
#define MAX_MODULES 16 /* that one statement imports in one iteration: of more, the first count */

struct module {
	const char *name;
	uint64_t total_ns;
};

struct group {
	const struct stack *stack; /* of the heaviest part */
	struct site site;
	const char *task, *builtin; /* that ran at first */
	uint64_t total_ns, first_ns, asleep_ns;
	uint32_t calls;
	bool is_estimated;
	struct module modules[MAX_MODULES];
	unsigned int nr_modules;
	char guess[EV_MODULE_LEN];
};

struct groups {
	const struct rules_config *config;
	const struct iteration *iteration;
	struct group of[MAX_GROUPS];
	unsigned int nr;
};

/* One import, sleep or sample of it. */
struct part {
	const struct stack *stack; /* NULL: not known */
	const char *module; /* NULL: not known */
	const char *task, *builtin;
	int first;		   /* -1: no frame of it is outside of importlib */
	uint64_t on_cpu_ns, asleep_ns, ts_ns;
	bool is_estimated;
};

static bool is_same(const struct group *group, const struct part *part, const struct site *site)
{
	if ((group->site.site < 0) != (site->site < 0))
		return false;
	return site->site < 0 || site_is_same(&group->stack->frames[group->site.site],
					      &part->stack->frames[site->site]);
}

static struct group *find_group(struct groups *groups, const struct part *part)
{
	struct site site = { .site = -1, .coroutine = -1, .callback = -1, .called = -1 };
	struct group *group;
	unsigned int i;

	if (part->stack && part->first >= 0)
		site_find_from(groups->config, groups->iteration->loop, part->stack, part->first,
			       &site);
	for (i = 0; i < groups->nr; i++)
		if (is_same(&groups->of[i], part, &site))
			return &groups->of[i];
	if (groups->nr == MAX_GROUPS)
		return &groups->of[MAX_GROUPS - 1];
	group = &groups->of[groups->nr++];
	*group = (struct group){ .stack = part->stack,
				 .site = site,
				 .task = part->task,
				 .builtin = part->builtin,
				 .first_ns = UINT64_MAX };
	return group;
}

static void add_module(struct group *group, const char *name, uint64_t part_ns)
{
	unsigned int i;

	for (i = 0; i < group->nr_modules; i++)
		if (!strcmp(group->modules[i].name, name))
			break;
	if (i == MAX_MODULES)
		return;
	if (i == group->nr_modules)
		group->modules[group->nr_modules++] = (struct module){ .name = name };
	group->modules[i].total_ns += part_ns;
}

/* Adds to its group, which it returns. */
static struct group *add(struct groups *groups, const struct part *part)
{
	struct group *group = find_group(groups, part);
	uint64_t part_ns = part->on_cpu_ns + part->asleep_ns;

	group->total_ns += part_ns;
	group->asleep_ns += part->asleep_ns;
	group->calls++;
	group->first_ns = min(group->first_ns, part->ts_ns);
	group->is_estimated |= part->is_estimated;
	if (part->module)
		add_module(group, part->module, part_ns);
	return group;
}

/* What took most of the time; a guess if no name came. */
static const char *module_of(const struct group *group)
{
	const struct module *most = &group->modules[0];
	unsigned int i;

	for (i = 1; i < group->nr_modules; i++)
		if (group->modules[i].total_ns > most->total_ns)
			most = &group->modules[i];
	return group->nr_modules ? most->name : group->guess;
}

/* What was imported at that time, by the loader's own frames; NULL: its name did not come. */
static const char *module_at(const struct iteration *iteration, uint64_t ts_ns)
{
	const char *name = NULL;
	uint32_t i;

	for (i = 0; i < iteration->nr_imports; i++) {
		const struct ev_import *ev = &iteration->imports[i].ev;

		if (ev->within & IN_ESTIMATED && ev->start_ns <= ts_ns)
			name = ev->module;
	}
	return name && name[0] ? name : NULL;
}

/*
 * The module that the statement asked for, should its name not have come, by the file whose code runs
 * first below it: /srv/shop/reports/__init__.py is reports.  A guess: a package above it may be missing.
 */
static void guess_module(const struct stack *stack, int first, char out[EV_MODULE_LEN])
{
	const char *file, *end, *name;
	size_t len;
	int i;

	for (i = first - 1; i >= 0; i--)
		if (!strcmp(stack->frames[i].name, "<module>") && stack->frames[i].file[0] == '/')
			break;
	if (i < 0)
		return;
	file = stack->frames[i].file;
	len = strlen(file);
	end = file + len;
	if (site_path_ends(file, "/__init__.py"))
		end -= strlen("/__init__.py");
	else if (len > 3 && !strcmp(end - 3, ".py"))
		end -= 3;
	for (name = end; name > file && name[-1] != '/'; name--)
		;
	snprintf(out, EV_MODULE_LEN, "%.*s", (int)(end - name), name);
}

static void add_records(struct groups *groups)
{
	const struct iteration *iteration = groups->iteration;
	struct group *group;
	uint32_t i;

	for (i = 0; i < iteration->nr_imports; i++) {
		const struct import_run *import = &iteration->imports[i];
		struct part part = {
			.stack = import->stack,
			.task = import->task,
			.builtin = import->builtin,
			.first = stack_importer_frame(iteration->loop, import->stack),
			.on_cpu_ns = import->ev.on_cpu_ns,
			.asleep_ns = import->ev.asleep_ns,
			.ts_ns = import->ev.start_ns,
			.module = import->ev.module[0] ? import->ev.module : NULL,
		};
		/* Below an import_module(), which no probe sees, it is only a part of what was asked for. */
		bool is_part = stack_import_frame(iteration->loop, import->stack) >= 0;

		if (import->ev.within & IN_ESTIMATED)
			continue;
		if (is_part)
			part.module = module_at(iteration, import->ev.start_ns + import->ev.total_ns);
		group = add(groups, &part);
		if (is_part && !group->guess[0])
			guess_module(import->stack, part.first, group->guess);
	}
}

static void add_estimate(struct groups *groups, struct part part)
{
	struct group *group;

	part.first = stack_import_frame(groups->iteration->loop, part.stack);
	part.is_estimated = true;
	part.module = module_at(groups->iteration, part.ts_ns);
	group = add(groups, &part);
	if (!group->guess[0] && part.first >= 0)
		guess_module(part.stack, part.first, group->guess);
}

/* Whether a sleep or sample is in no record: estimated, or of an import that has not ended. */
static bool is_guess(const struct iteration *iteration, uint32_t within)
{
	return within & IN_IMPORT && (within & IN_ESTIMATED || iteration_is_ongoing(iteration));
}

static void add_estimates(struct groups *groups)
{
	const struct iteration *iteration = groups->iteration;
	uint32_t nr = 0, i;

	for (i = 0; i < iteration->nr_samples; i++)
		nr += is_guess(iteration, iteration->samples[i].within);
	for (i = 0; i < iteration->nr_samples; i++) {
		const struct sample *sample = &iteration->samples[i];

		if (is_guess(iteration, sample->within))
			add_estimate(groups, (struct part){ .stack = sample->stack,
							    .task = sample->task,
							    .builtin = sample->builtin,
							    .on_cpu_ns = iteration->import_guess_ns / nr,
							    .ts_ns = sample->ts_ns });
	}
	for (i = 0; i < iteration->nr_sleeps; i++) {
		const struct sleep *sleep = &iteration->sleeps[i];

		if (is_guess(iteration, sleep->ev.within))
			add_estimate(groups, (struct part){ .stack = sleep->stack,
							    .task = sleep->task,
							    .builtin = sleep->builtin,
							    .asleep_ns = sleep->ev.asleep_ns,
							    .ts_ns = sleep->ev.first_ns });
	}
}

static void to_finding(const struct iteration *iteration, const struct group *group,
		       struct finding *finding)
{
	*finding = (struct finding){
		.rule = RULE_IMPORT_ON_LOOP,
		.cause = CAUSE_IMPORT,
		.iteration = iteration,
		.start_ns = group->first_ns,
		.duration_ns = group->total_ns,
		.calls = group->calls,
		.stack = group->stack,
		.site = group->site.site,
		.coroutine = group->site.coroutine,
		.callback = group->site.callback,
		.nr_library = group->site.nr_library,
		.task = group->task,
		.builtin = group->builtin,
		.syscall = -1,
		.fd = -1,
		.is_estimated = group->is_estimated,
		.asleep_ns = group->asleep_ns,
	};
	snprintf(finding->module, sizeof(finding->module), "%s", module_of(group));
}

unsigned int rule_import_on_loop(const struct rules_config *config,
				 const struct iteration *iteration, struct finding *findings,
				 unsigned int cap)
{
	struct groups groups; /* large: made when it is needed */
	const struct ev_iteration *ev = &iteration->ev;
	unsigned int nr = 0, i;

	if (ev->import_on_cpu_ns + ev->import_asleep_ns < config->limit_ns[RULE_IMPORT_ON_LOOP])
		return 0;
	groups = (struct groups){ .config = config, .iteration = iteration };
	add_records(&groups);
	add_estimates(&groups);
	for (i = 0; i < groups.nr && nr < cap; i++) {
		const struct group *group = &groups.of[i];

		if (group->total_ns < config->limit_ns[RULE_IMPORT_ON_LOOP])
			continue;
		if (group->site.site >= 0 &&
		    site_is_allowed(config, &group->stack->frames[group->site.site]))
			continue;
		to_finding(iteration, group, &findings[nr++]);
	}
	return nr;
}
