/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The model as a whole: its birth and death, and which table each record goes to.  What the tables
 * do with them is in processes.c, stacks.c, names.c and iteration.c.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

const struct model_bounds model_default_bounds = {
	.targets = 4096,
	.loops = 2048,
	.codes = 32768,
	.stacks = 20480, /* more than the kernel half remembers to have sent */
	.stack_bytes = 64ULL * 1024 * 1024, /* all of them, if they have 38 frames each */
	.sleeps = 64,
	.samples = 256,
	.tasks = 8192, /* likewise */
	.waiting = 1024,
	.threads = 1024,
	.name_bytes = 32ULL * 1024 * 1024,
	.connections = 4096,
};

int model_new(struct model **out, const struct model_bounds *bounds)
{
	struct model *model = calloc(1, sizeof(*model));
	int err;

	if (!model)
		return -ENOMEM;
	model->bounds = *bounds;
	TAILQ_INIT(&model->wants);
	TAILQ_INIT(&model->idle_codes);
	TAILQ_INIT(&model->idle_stacks);
	TAILQ_INIT(&model->tasks_used);
	TAILQ_INIT(&model->threads_by_age);
	TAILQ_INIT(&model->waiting);
	TAILQ_INIT(&model->ready);
	TAILQ_INIT(&model->spare);
	connections_new(model);
	err = processes_new(model);
	if (err) {
		model_free(model);
		return err;
	}
	*out = model;
	return 0;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	iteration_free(model);
	connections_free(model);
	processes_free(model);
	stacks_free(model);
	tasks_free(model);
	names_free(model);
	threads_free(model);
	free(model);
}

/* What ended and would only be shown by a summary, if there is none to come. */
static void forget_ended(struct model *model)
{
	uint64_t keep_ns = model->bounds.keep_ended_ns;

	if (!keep_ns || model->now_ns < keep_ns)
		return;
	connections_expire(model, model->now_ns - keep_ns);
	processes_expire(model, model->now_ns - keep_ns);
}

static int dispatch(struct model *model, const struct ev_head *ev)
{
	switch (ev->type) {
	case EV_SLEEP: return iteration_add_sleep(model, (const struct ev_sleep *)ev);
	case EV_LATENT: return latent_add(model, (const struct ev_latent *)ev);
	case EV_SAMPLE: return iteration_add_sample(model, (const struct ev_sample *)ev);
	case EV_GC: return iteration_add_gc(model, (const struct ev_gc *)ev);
	case EV_IMPORT: return iteration_add_import(model, (const struct ev_import *)ev);
	case EV_ITERATION: return iteration_add_end(model, (const struct ev_iteration *)ev);
	case EV_ONGOING: return iteration_add_ongoing(model, (const struct ev_ongoing *)ev);
	case EV_STACK: return stacks_add(model, (const struct ev_stack *)ev);
	case EV_TASK: return tasks_add(model, (const struct ev_task *)ev);
	case EV_CODE: return names_add(model, (const struct ev_code *)ev);
	case EV_THREAD: threads_add(model, (const struct ev_thread *)ev); break;
	case EV_TASKS: processes_add_tasks(model, (const struct ev_tasks *)ev); break;
	case EV_HOST: return processes_add_host(model, (const struct ev_host *)ev);
	case EV_LOOP: processes_add_loop(model, (const struct ev_loop *)ev); break;
	case EV_LOOP_EXIT: processes_end_loop(model, (const struct ev_loop_exit *)ev); break;
	case EV_LOOP_STATS:
		processes_add_stats(model, (const struct ev_loop_stats *)ev);
		latent_settle(model, (const struct ev_loop_stats *)ev);
		break;
	case EV_TARGET: processes_add_target(model, (const struct ev_target *)ev); break;
	case EV_FORK: processes_add_fork(model, (const struct ev_fork *)ev); break;
	case EV_EXEC: processes_add_exec(model, (const struct ev_exec *)ev); break;
	case EV_EXIT: processes_end_target(model, ev->target_id); break;
	case EV_LOSS: /* an older one has fewer counters */
		memset(&model->loss, 0, sizeof(model->loss));
		memcpy(&model->loss, ev, min((size_t)ev->size, sizeof(model->loss)));
		break;
	case EV_CONNECTION: return connections_add(model, (const struct ev_connection *)ev);
	case EV_CONNECT: return connections_add_connect(model, (const struct ev_connect *)ev);
	case EV_END:
		latent_end(model);
		connections_end(model);
		model->ended = true;
		break;
	case EV_TICK: forget_ended(model); break;
	default: break;
	}
	return 0;
}

int model_add(struct model *model, const struct ev_head *ev)
{
	int err;

	iteration_recycle(model);
	model->now_ns = max(model->now_ns, ev->ts_ns);
	if (ev->type == EV_TICK || ev->type == EV_CODE || ev->type == EV_TARGET)
		model->wants_held = false;
	err = dispatch(model, ev);
	/* Here and not where they are taken: when one comes out must not depend on who asks. */
	iteration_settle(model);
	connections_settle(model);
	return err;
}

bool model_next_want(struct model *model, struct model_want *want)
{
	struct code *code;

	while (!model->wants_held && (code = TAILQ_POP(&model->wants, ask))) {
		const struct target_entry *target = processes_find(model, code->key.target_id);

		code->state = CODE_STATE_ASKED;
		if (!target)
			continue; /* forgotten meanwhile */
		want->target = &target->target.info;
		want->code_addr = code->key.code_addr;
		want->fingerprint = code->key.fingerprint;
		return true;
	}
	return false;
}

uint64_t model_nr_unwanted(const struct model *model)
{
	return model->wants_put_back;
}

const struct loop *model_loop(const struct model *model, uint32_t n)
{
	return n < model->nr_loops ? &model->loop_order[n]->loop : NULL;
}

const struct target *model_target(const struct model *model, uint32_t n)
{
	return n < model->nr_targets ? &model->target_order[n]->target : NULL;
}

const struct loop *model_find_loop(const struct model *model, uint32_t target_id, uint32_t loop_id)
{
	const struct loop_entry *entry;

	HASH_FIND(hh, model->slots, &loop_id, sizeof(loop_id), entry);
	return entry && !entry->loop.ended && entry->target->id == target_id ? &entry->loop : NULL;
}

const struct target *model_find_target(const struct model *model, uint32_t target_id)
{
	const struct target_entry *entry = processes_find(model, target_id);

	return entry ? &entry->target : NULL;
}

void model_sizes(const struct model *model, struct model_size sizes[MODEL_TABLES])
{
	const struct model_bounds *bounds = &model->bounds;
	const struct model_size all[MODEL_TABLES] = {
		{ "targets", model->nr_targets, bounds->targets, 0, 0 },
		{ "loops", model->nr_loops, bounds->loops, 0, 0 },
		{ "connections", model->nr_connections, bounds->connections, 0, 0 },
		{ "stacks", model->nr_stacks, bounds->stacks, model->stack_bytes, bounds->stack_bytes },
		{ "code", model->nr_codes, bounds->codes, model->name_bytes, bounds->name_bytes },
		{ "tasks", model->nr_tasks, bounds->tasks, 0, 0 },
	};

	memcpy(sizes, all, sizeof(all));
}

void model_loss(const struct model *model, struct ev_loss *loss)
{
	__u64 *stats = loss->stats;

	*loss = model->loss;
	stats[STAT_NAMES_ASKED] = max(stats[STAT_NAMES_ASKED], model->names_asked);
	stats[STAT_NAMES_FAILED] = max(stats[STAT_NAMES_FAILED], model->names_failed);
	stats[STAT_NAMES_REFUSED] = max(stats[STAT_NAMES_REFUSED], model->names_refused);
	stats[STAT_BREACHES_INCOMPLETE] =
		max(stats[STAT_BREACHES_INCOMPLETE], model->breaches_incomplete);
	stats[STAT_LOOPS_REFUSED] += model->loops_refused;
	stats[STAT_TARGETS_REFUSED] += model->targets_refused;
}

uint64_t model_now_ns(const struct model *model)
{
	return model->now_ns;
}
