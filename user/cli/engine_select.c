/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who a service watches, and by which rules: from its start on, and from a reload on. */
#include "engine_state.h"

#define MAX_ROUNDS 4

const struct rules_config *engine_rules_of(const struct engine *engine, uint32_t target_id)
{
	const struct engine_service *service = engine->opts->service;

	return service ? &policies_of(service->policies, target_id)->rules : &engine->opts->rules;
}

static bool wants_connections(const struct rules_config *config)
{
	return config->is_enabled[RULE_UNBOUNDED_CONCURRENCY] ||
	       config->is_enabled[RULE_CONNECTION_CHURN] ||
	       config->is_enabled[RULE_CONNECTION_LEAK];
}

void engine_fill_limits(const struct engine *engine, struct probes_config *config)
{
	const struct engine_service *service = engine->opts->service;
	cleanup_free struct rules_config *lowest = service ? malloc(sizeof(*lowest)) : NULL;
	const struct rules_config *limits = lowest ? lowest : &engine->opts->rules;

	if (lowest)
		policies_lowest(service->policies, lowest);
	config->report_asleep_ns = limits->limit_ns[RULE_BLOCKING_CALL];
	config->report_on_cpu_ns =
		min(limits->limit_ns[RULE_CPU_BOUND], limits->limit_ns[RULE_LOOP_OVERLOAD]);
	config->report_starved_ns = limits->limit_ns[RULE_HOST_STARVED];
	config->report_gil_ns = limits->limit_ns[RULE_GIL_WAIT];
	config->report_gc_ns = limits->limit_ns[RULE_GC_PAUSE];
	config->report_import_ns = limits->limit_ns[RULE_IMPORT_ON_LOOP];
	config->sample_after_ns = config->report_on_cpu_ns / 4;
	config->has_connections = wants_connections(limits);
}

static void tell_moves(struct engine *engine)
{
	const struct selection *selection = engine->opts->service->selection;

	probes_tell_moves(engine->probes, selection_has_places(selection),
			  selection_has_places(selection));
}

/* Its loops, if any, live on, and nobody looks at them any more; the kernel half gives their slots back. */
void engine_on_let_go(void *ctx, const struct ev_head *ev)
{
	struct engine *engine = ctx;

	for (uint32_t id = 0; id < probes_default_config.max_loops; id++)
		if (engine->is_loop_alive[id] && engine->loop_target[id] == ev->target_id) {
			engine->is_loop_alive[id] = false;
			host_unwatch(engine->host, ev->target_id);
		}
	engine_feed(engine, ev);
}

void engine_use_selection(struct engine *engine)
{
	const struct engine_service *service = engine->opts->service;

	targets_use_selection(engine->targets, service->selection, service->policies);
	tell_moves(engine);
}

static int add_pid(void *ctx, pid_t pid)
{
	return engine_watch_pid(ctx, pid, TARGETS_SEARCHED);
}

/* One that begins while /proc is read, and that the kernel half did not tell of, is found by the next look. */
int engine_search_selected(struct engine *engine)
{
	unsigned nr_before = 0, nr_now = 1;
	int nr = 0;

	for (int round = 0; round < MAX_ROUNDS && nr >= 0 && nr_now > nr_before; round++) {
		nr_before = engine_targets(engine);
		nr = targets_search_selected(engine->targets, false, add_pid, engine_now_ns());
		nr_now = engine_targets(engine);
	}
	return min(nr, 0);
}

int engine_reselect(struct engine *engine)
{
	struct probes_config limits = probes_default_config;
	int nr;

	engine_fill_limits(engine, &limits);
	probes_set_limits(engine->probes, &limits);
	tell_moves(engine);
	nr = targets_search_selected(engine->targets, true, add_pid, engine_now_ns());
	return min(nr, 0);
}

const char *engine_needs_restart(const struct engine *engine)
{
	struct probes_config limits = probes_default_config;

	engine_fill_limits(engine, &limits);
	return limits.has_connections && !probes_destinations(engine->probes)
		       ? "the first rule about connections"
		       : NULL;
}
