/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The JSON lines form, schema "loophound/1": one object a line, every key always there, null where
 * there is nothing to say.  Keys are added, never renamed.
 */
#include "report.h"

#include <string.h>

#include "connection_report.h"
#include "evidence.h"
#include "facts.h"
#include "holder.h"
#include "json.h"
#include "labels.h"
#include "located.h"

static void begin_line(struct json *json, const char *type)
{
	json_object(json, NULL);
	json_string(json, "schema", "loophound/1");
	json_string(json, "type", type);
}

static void end_line(struct json *json)
{
	json_object_end(json);
	json_line_end(json);
}

static void put_time(struct json *json, const char *key, const struct report_opts *opts,
		     uint64_t ts_ns)
{
	char text[FACTS_TIME_LEN];

	facts_time(&opts->session, ts_ns, text);
	json_string(json, key, text);
}

static void put_python(struct json *json, const char *key, uint32_t version)
{
	char text[FACTS_VERSION_LEN];

	facts_python(version, text);
	json_string(json, key, version ? text : NULL);
}

/* A text of fixed length that need not be ended; empty: null. */
static void put_fixed(struct json *json, const char *key, const char *text, size_t size)
{
	char copy[EV_PATH_LEN + 1];

	snprintf(copy, sizeof(copy), "%.*s", (int)size, text);
	json_string(json, key, copy[0] ? copy : NULL);
}
#define PUT_FIXED(json, key, array) put_fixed(json, key, array, sizeof(array))

void jsonl_frame_members(struct json *json, const struct frame *frame)
{
	bool is_named = frame->naming == FRAME_NAMED;

	json_string(json, "function", is_named ? frame->function : NULL);
	json_string(json, "file", is_named ? frame->file : NULL);
	if (frame->line > 0)
		json_i64(json, "line", frame->line);
	else
		json_null(json, "line");
}

static void put_frame(struct json *json, const char *key, const struct finding *finding, int index)
{
	if (!finding->stack || index < 0 || (uint32_t)index >= finding->stack->nr) {
		json_null(json, key);
		return;
	}
	json_object(json, key);
	jsonl_frame_members(json, &finding->stack->frames[index]);
	json_object_end(json);
}

/* A function in C has a name and no frame. */
static void put_callback(struct json *json, const struct finding *finding)
{
	const struct frame builtin = { .function = finding->builtin };

	if (!finding->builtin) {
		put_frame(json, "callback", finding, finding->callback);
		return;
	}
	json_object(json, "callback");
	jsonl_frame_members(json, &builtin);
	json_object_end(json);
}

static void put_stack(struct json *json, const struct finding *finding)
{
	uint32_t i;

	json_array(json, "stack");
	for (i = 0; finding->stack && i < finding->stack->nr; i++) {
		json_object(json, NULL);
		jsonl_frame_members(json, &finding->stack->frames[i]);
		json_bool(json, "coroutine", finding->stack->frames[i].is_coroutine);
		json_object_end(json);
	}
	json_array_end(json);
	json_string(json, "stack_status", facts_stack_status(finding));
}

static void put_split(struct json *json, const struct ev_iteration *ev)
{
	json_object(json, "split");
	json_u64(json, "on_cpu_ns", ev->on_cpu_ns - ev->gc_on_cpu_ns - ev->import_on_cpu_ns);
	json_u64(json, "syscall_ns", ev->off_ns[OFF_SYSCALL] - ev->import_asleep_ns);
	json_u64(json, "gil_wait_ns", ev->off_ns[OFF_GIL]);
	json_u64(json, "gc_ns", ev->gc_on_cpu_ns);
	json_u64(json, "import_ns", ev->import_on_cpu_ns + ev->import_asleep_ns);
	json_u64(json, "run_queue_ns", ev->run_queue_ns);
	json_u64(json, "page_fault_ns", ev->off_ns[OFF_FAULT]);
	json_u64(json, "other_ns", ev->off_ns[OFF_STOPPED] + ev->off_ns[OFF_OTHER]);
	json_object_end(json);
	json_u64(json, "iteration_ns", facts_iteration_ns(ev));
}

static void put_asleep(struct json *json, const uint64_t by_cause[CAUSE_MAX])
{
	int cause;

	json_object(json, "asleep_by_cause");
	for (cause = CAUSE_SLEEP; cause <= CAUSE_OTHER; cause++)
		json_u64(json, cause_names[cause], by_cause[cause]);
	json_object_end(json);
}

static void put_syscall(struct json *json, const struct finding *finding)
{
	if (finding->syscall < 0) {
		json_null(json, "syscall");
		return;
	}
	json_object(json, "syscall");
	json_string(json, "name", syscall_name(finding->syscall));
	if (finding->fd >= 0)
		json_i64(json, "fd", finding->fd);
	else
		json_null(json, "fd");
	json_string(json, "target", finding->object[0] ? finding->object : NULL);
	json_object_end(json);
}

/* What the collector did; of an estimate only that it ran. */
static void put_gc(struct json *json, const struct finding *finding)
{
	if (finding->rule != RULE_GC_PAUSE) {
		json_null(json, "gc");
		return;
	}
	json_object(json, "gc");
	if (finding->calls) {
		json_u64(json, "generation", finding->gc.generation);
		json_u64(json, "collected", finding->gc.collected);
		json_u64(json, "runs", finding->calls);
	} else {
		json_null(json, "generation");
		json_null(json, "collected");
		json_null(json, "runs");
	}
	json_bool(json, "estimated", finding->is_estimated);
	json_object_end(json);
}

static void put_process(struct json *json, const struct loop *loop)
{
	const struct ev_target *target = &loop->target->info;

	json_u64(json, "pid", loop->info.pid);
	json_u64(json, "tid", loop->info.tid);
	json_u64(json, "ns_pid", target->ns_pid);
	PUT_FIXED(json, "comm", target->comm);
	PUT_FIXED(json, "exe", target->exe);
	put_python(json, "python", target->version);
	json_string(json, "loop", facts_loop_kind(loop->info.kind));
	json_u64(json, "loop_number", loop->number);
	PUT_FIXED(json, "container", target->container);
	located_json(json, target);
}

static void put_advice(struct json *json, const struct finding *finding)
{
	int i;

	json_string(json, "advice", finding->advice);
	json_array(json, "lint");
	for (i = 0; finding->lint[i]; i++)
		json_string(json, NULL, finding->lint[i]);
	json_array_end(json);
}

static void print_session(const struct report_opts *opts)
{
	struct json json = { .out = opts->out };
	int rule;

	begin_line(&json, "session");
	PUT_FIXED(&json, "version", opts->session.version);
	PUT_FIXED(&json, "host", opts->session.host);
	PUT_FIXED(&json, "kernel", opts->session.kernel);
	PUT_FIXED(&json, "command", opts->session.command);
	json_u64(&json, "start_ns", opts->session.start_ns);
	put_time(&json, "time", opts, opts->session.start_ns);
	json_array(&json, "rules");
	for (rule = 0; rule < RULE_MAX; rule++) {
		json_object(&json, NULL);
		json_string(&json, "rule", rules[rule].id);
		json_bool(&json, "enabled", opts->rules->is_enabled[rule]);
		if (rules[rule].unit == RULE_UNIT_NS)
			json_u64(&json, "limit_ns", opts->rules->limit_ns[rule]);
		else
			json_null(&json, "limit_ns");
		json_u64(&json, "limit", opts->rules->limit_ns[rule]);
		json_string(&json, "unit", rules_unit_name(rules[rule].unit));
		json_object_end(&json);
	}
	json_array_end(&json);
	end_line(&json);
}

static void print_target(const struct report_opts *opts, const struct target *target,
			 uint64_t ts_ns)
{
	const struct ev_target *info = &target->info;
	struct json json = { .out = opts->out };

	begin_line(&json, "target");
	json_u64(&json, "ts_ns", ts_ns);
	put_time(&json, "time", opts, ts_ns);
	json_u64(&json, "pid", info->pid);
	json_u64(&json, "ns_pid", info->ns_pid);
	json_string(&json, "status", facts_target_status(info->status));
	put_python(&json, "python", info->version);
	PUT_FIXED(&json, "comm", info->comm);
	PUT_FIXED(&json, "exe", info->exe);
	PUT_FIXED(&json, "reason", info->reason);
	PUT_FIXED(&json, "container", info->container);
	located_json(&json, info);
	json_bool(&json, "usdt", info->flags & TARGET_USDT);
	json_bool(&json, "static", info->flags & TARGET_STATIC);
	json_bool(&json, "free_threaded", info->flags & TARGET_FREE_THREADED);
	if (info->flags & TARGET_FREE_THREADED)
		json_bool(&json, "gil", facts_has_gil(info->flags));
	labels_json(&json, opts->policies, target);
	end_line(&json);
}

static void print_breach(const struct report_opts *opts, const struct breach *breach)
{
	const struct finding *finding = breach->finding;
	const struct iteration *iteration = finding->iteration;
	struct json json = { .out = opts->out };

	begin_line(&json, "breach");
	json_string(&json, "rule", rules[finding->rule].id);
	json_string(&json, "severity", finding->is_latent ? "latent" : "breach");
	json_string(&json, "cause", cause_names[finding->cause]);
	json_u64(&json, "start_ns", finding->start_ns);
	/* The same in all lines of an iteration, while it lasts and after. */
	json_u64(&json, "iteration_start_ns", iteration->ev.start_ns);
	json_u64(&json, "duration_ns", finding->duration_ns);
	put_time(&json, "time", opts, finding->start_ns);
	json_bool(&json, "ongoing", iteration_is_ongoing(iteration));
	json_u64(&json, "count", breach->count);
	json_u64(&json, "total_ns", breach->total_ns);
	json_u64(&json, "max_ns", breach->max_ns);
	json_u64(&json, "calls", finding->calls);
	put_process(&json, iteration->loop);
	labels_json(&json, opts->policies, iteration->loop->target);
	put_split(&json, &iteration->ev);
	put_asleep(&json, breach->asleep_by_cause);
	json_bool(&json, "partial", iteration->ev.flags & ITERATION_PARTIAL);
	json_bool(&json, "incomplete", facts_is_incomplete(finding));
	put_syscall(&json, finding);
	put_gc(&json, finding);
	put_fixed(&json, "module", finding->module, sizeof(finding->module));
	json_bool(&json, "estimated", facts_is_estimated(finding));
	put_frame(&json, "site", finding, finding->site);
	put_frame(&json, "leaf", finding, 0);
	put_frame(&json, "coroutine", finding, finding->coroutine);
	put_callback(&json, finding);
	json_string(&json, "task", finding->task);
	put_stack(&json, finding);
	holder_json(&json, finding);
	evidence_json(&json, finding);
	evidence_json_callbacks(&json, finding);
	put_advice(&json, finding);
	evidence_json_ready_at_end(&json, finding);
	connection_json(&json, finding);
	end_line(&json);
}

static void print_connections(const struct report_opts *opts, const struct connection *connection)
{
	struct json json = { .out = opts->out };

	begin_line(&json, "connections");
	json_u64(&json, "ts_ns", connection->ev.head.ts_ns);
	put_time(&json, "time", opts, connection->ev.head.ts_ns);
	connection_json_members(&json, connection);
	end_line(&json);
}

static void put_loop_members(struct json *json, const struct loop *loop)
{
	const struct loop_counters *counters = &loop->counters;

	json_u64(json, "pid", loop->info.pid);
	json_u64(json, "tid", loop->info.tid);
	json_u64(json, "loop", loop->number);
	json_string(json, "kind", facts_loop_kind(loop->info.kind));
	json_u64(json, "iterations", counters->iterations);
	json_u64(json, "busy_ns", counters->busy_ns);
	json_u64(json, "idle_ns", counters->idle_ns);
	json_u64(json, "max_ns", counters->max_ns);
	json_u64(json, "long_iterations", loop->nr_long);
}

static void put_tasks(struct json *json, const struct loop *loop, uint64_t now_ns)
{
	if (!model_has_tasks(loop->tasks.ns, now_ns)) {
		json_null(json, "tasks");
		return;
	}
	json_object(json, "tasks");
	for (int state = 0; state < TASK_STATE_MAX; state++)
		json_u64(json, facts_task_state(state), loop->tasks.nr[state]);
	json_object_end(json);
}

/* Utilization and quantiles are those of the interval since the line before; the rest is
 * cumulative. */
static void print_loop(const struct report_opts *opts, const struct loop *loop, uint64_t ts_ns)
{
	struct json json = { .out = opts->out };
	struct loop_facts facts;

	facts_loop(loop, &facts);
	begin_line(&json, "loop");
	json_u64(&json, "ts_ns", ts_ns);
	put_time(&json, "time", opts, ts_ns);
	put_loop_members(&json, loop);
	labels_json(&json, opts->policies, loop->target);
	json_ratio(&json, "utilization", facts.interval_utilization);
	if (facts.interval_iterations) {
		json_u64(&json, "p50_ns", facts.interval_p50_ns);
		json_u64(&json, "p99_ns", facts.interval_p99_ns);
	} else {
		json_null(&json, "p50_ns");
		json_null(&json, "p99_ns");
	}
	put_tasks(&json, loop, ts_ns);
	end_line(&json);
}

static void put_summary_loop(struct json *json, const struct loop *loop)
{
	struct loop_facts facts;

	facts_loop(loop, &facts);
	json_object(json, NULL);
	put_loop_members(json, loop);
	json_ratio(json, "utilization", facts.utilization);
	json_u64(json, "p50_ns", facts.p50_ns);
	json_u64(json, "p99_ns", facts.p99_ns);
	json_bool(json, "ended", loop->ended);
	json_object_end(json);
}

static void put_site(struct json *json, const struct site_total *site)
{
	json_object(json, NULL);
	json_string(json, "function", site->function[0] ? site->function : NULL);
	json_string(json, "file", site->file[0] ? site->file : NULL);
	if (site->line > 0)
		json_i64(json, "line", site->line);
	else
		json_null(json, "line");
	json_string(json, "rule", rules[site->rule].id);
	json_string(json, "cause", cause_names[site->cause]);
	json_u64(json, "count", site->count);
	json_u64(json, "total_ns", site->total_ns);
	json_u64(json, "max_ns", site->max_ns);
	json_string(json, "severity", site->is_latent ? "latent" : "breach");
	json_object_end(json);
}

static void print_summary(const struct report_opts *opts, const struct report_summary *summary)
{
	struct json json = { .out = opts->out };
	const struct loop *loop;
	unsigned int i;

	begin_line(&json, "summary");
	json_u64(&json, "watched_ns", summary->watched_ns);
	json_u64(&json, "breaches", summary->nr_breaches);
	json_u64(&json, "lines", summary->nr_lines);
	json_u64(&json, "latent", summary->nr_latent);
	json_array(&json, "loops");
	for (i = 0; (loop = model_loop(summary->model, i)); i++)
		put_summary_loop(&json, loop);
	json_array_end(&json);
	json_array(&json, "sites");
	for (i = 0; i < summary->nr_sites; i++)
		put_site(&json, &summary->sites[i]);
	json_array_end(&json);
	json_u64(&json, "sites_refused", summary->nr_sites_refused);
	connection_json_all(&json, summary->model);
	json_object(&json, "lost");
	for (i = 0; i < STAT_MAX; i++)
		json_u64(&json, facts_stat_names[i], summary->loss.stats[i]);
	json_object_end(&json);
	end_line(&json);
}

const struct reporter report_jsonl = {
	.name = "jsonl",
	.session = print_session,
	.target = print_target,
	.breach = print_breach,
	.loop = print_loop,
	.connections = print_connections,
	.summary = print_summary,
};
