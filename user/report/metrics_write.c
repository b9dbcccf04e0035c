/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Rows to series: one function a family, each goes once over the rows. */
#include <math.h>

#include "facts.h"
#include "metrics_rows.h"
#include "util.h"

/* The causes that a rule can have: their series are there, at 0, from a loop's first scrape on. */
static const struct {
	enum cause first, last;
} causes_of[RULE_MAX] = {
	[RULE_BLOCKING_CALL] = { CAUSE_SLEEP, CAUSE_OTHER },
	[RULE_CPU_BOUND] = { CAUSE_PYTHON, CAUSE_NATIVE },
	[RULE_GIL_WAIT] = { CAUSE_GIL, CAUSE_GIL },
	[RULE_GC_PAUSE] = { CAUSE_AUTOMATIC, CAUSE_OTHER_THREAD },
	[RULE_IMPORT_ON_LOOP] = { CAUSE_IMPORT, CAUSE_IMPORT },
	[RULE_LOOP_OVERLOAD] = { CAUSE_CALLBACKS, CAUSE_CALLBACKS },
	[RULE_HOST_STARVED] = { CAUSE_RUN_QUEUE, CAUSE_STOPPED },
	[RULE_UNBOUNDED_CONCURRENCY] = { CAUSE_CONCURRENT, CAUSE_ITERATION },
	[RULE_CONNECTION_CHURN] = { CAUSE_SHORT_LIVED, CAUSE_SHORT_LIVED },
	[RULE_CONNECTION_LEAK] = { CAUSE_CLOSE_WAIT, CAUSE_COLLECTOR },
};

static const char *lost_name(int lost)
{
	static const char *const names[LOST_MAX] = {
		[LOST_ON_CPU] = "on-cpu",
		[LOST_GIL] = "gil",
		[LOST_GC] = "gc",
		[LOST_RUN_QUEUE] = "run-queue",
		[LOST_PAGE_FAULT] = "page-fault",
		[LOST_STOPPED] = "stopped",
		[LOST_UNKNOWN] = "unknown",
	};

	return lost <= CAUSE_OTHER ? cause_names[lost] : names[lost];
}

/* The row of what found no room has series only once something did. */
static bool is_shown(const struct metrics *metrics, const struct loop_row *row)
{
	return row != metrics->other_loop || metrics->nr_overflows;
}

#define FOR_EACH_ROW(metrics, worker, row)             \
	TAILQ_FOREACH(worker, &(metrics)->workers, in) \
	TAILQ_FOREACH(row, &(worker)->loops, in)       \
	if (is_shown(metrics, row))

void metrics_begin_worker(struct exposition *e, const struct worker_row *worker)
{
	exposition_sample(e, NULL);
	exposition_label(e, "process", worker->process);
	exposition_label_u64(e, "worker", worker->number);
}

static void begin(struct exposition *e, const char *suffix, const struct loop_row *row)
{
	if (exposition_sample_of(e, suffix, row))
		return;
	exposition_label(e, "process", row->worker->process);
	exposition_label_u64(e, "worker", row->worker->number);
	exposition_label_u64(e, "loop", row->number);
	exposition_keep(e, row);
}

static void put_histogram(const struct metrics *metrics, struct exposition *e,
			  const struct loop_row *row)
{
	unsigned nr = metrics->config.nr_buckets;
	uint64_t sum = 0;

	for (unsigned i = 0; i <= nr; i++) {
		sum += row->hist[i];
		begin(e, "_bucket", row);
		if (i < nr)
			exposition_label_seconds(e, "le", metrics->config.bucket_ns[i]);
		else
			exposition_label(e, "le", "+Inf");
		exposition_u64(e, sum);
	}
	begin(e, "_sum", row);
	exposition_seconds(e, row->busy_ns);
	begin(e, "_count", row);
	exposition_u64(e, sum);
}

static void write_iterations(const struct metrics *metrics, struct exposition *e)
{
	const struct worker_row *worker;
	const struct loop_row *row;

	exposition_family(e, "loop_iteration_duration_seconds", EXPOSITION_HISTOGRAM,
			  "Length of the loop's iterations, from the end of one wait to the next.");
	FOR_EACH_ROW(metrics, worker, row)
	put_histogram(metrics, e, row);
	exposition_family(e, "loop_busy_seconds", EXPOSITION_COUNTER,
			  "Time that the loop spent in iterations that have ended.");
	FOR_EACH_ROW(metrics, worker, row)
	{
		begin(e, NULL, row);
		exposition_seconds(e, row->busy_ns);
	}
	exposition_family(e, "loop_idle_seconds", EXPOSITION_COUNTER,
			  "Time that the loop spent in waits that have ended.");
	FOR_EACH_ROW(metrics, worker, row)
	{
		begin(e, NULL, row);
		exposition_seconds(e, row->idle_ns);
	}
	exposition_family(e, "loop_utilization_ratio", EXPOSITION_GAUGE,
			  "Share of the last seconds that the loop was busy.");
	FOR_EACH_ROW(metrics, worker, row)
	{
		if (!row->is_alive || isnan(row->utilization))
			continue;
		begin(e, NULL, row);
		exposition_double(e, row->utilization);
	}
	exposition_family(e, "loop_lost_seconds", EXPOSITION_COUNTER,
			  "Time of iterations past a limit, by where it went.");
	FOR_EACH_ROW(metrics, worker, row)
	for (int lost = 0; lost < LOST_MAX; lost++) {
		begin(e, NULL, row);
		exposition_label(e, "cause", lost_name(lost));
		exposition_seconds(e, row->lost_ns[lost]);
	}
}

/* Whose place that process has; NULL: it has none. */
static const struct worker_row *find_worker(const struct metrics *metrics, const struct target *target)
{
	const struct worker_row *worker;

	TAILQ_FOREACH(worker, &metrics->workers, in)
	if (worker->target_id == target->info.head.target_id)
		break;
	return worker;
}

static void put_tasks(struct exposition *e, const struct loop_row *row)
{
	for (int state = 0; state < TASK_STATE_MAX; state++) {
		begin(e, NULL, row);
		exposition_label(e, "state", facts_task_state(state));
		exposition_u64(e, row->tasks.nr[state]);
	}
}

/* What is not known has no series: a 0 is one that was counted. */
static void write_tasks(const struct metrics *metrics, const struct model *model, struct exposition *e)
{
	const struct worker_row *worker;
	const struct loop_row *row;
	const struct target *target;

	exposition_family(e, "tasks", EXPOSITION_GAUGE,
			  "Tasks of the loop that are not done, by state.");
	FOR_EACH_ROW(metrics, worker, row)
	if (row->is_alive && model_has_tasks(row->tasks.ns, metrics->now_ns))
		put_tasks(e, row);
	exposition_family(e, "tasks_uncounted", EXPOSITION_GAUGE,
			  "Tasks of the process that are of no running loop, or were too many to look at.");
	for (uint32_t i = 0; (target = model_target(model, i)); i++) {
		if (target->ended || !model_has_tasks(target->tasks_ns, metrics->now_ns))
			continue;
		worker = find_worker(metrics, target);
		if (!worker)
			continue;
		metrics_begin_worker(e, worker);
		exposition_u64(e, target->tasks_uncounted);
	}
	exposition_family(e, "task_reads", EXPOSITION_COUNTER,
			  "Times that the tasks of a process were counted, by what came of it.");
	for (int status = 0; status < TASKS_STATUS_MAX; status++) {
		exposition_sample(e, NULL);
		exposition_label(e, "result", facts_tasks_status(status));
		exposition_u64(e, metrics->task_reads[status]);
	}
	exposition_family(e, "task_read_seconds", EXPOSITION_COUNTER, "Time that the reader took for it.");
	exposition_sample(e, NULL);
	exposition_seconds(e, metrics->task_reads_ns);
}

static void put_breach(struct exposition *e, int rule, int cause, const struct breach_sum *sum,
		       bool is_time)
{
	exposition_label(e, "rule", rules[rule].id);
	exposition_label(e, "cause", cause_names[cause]);
	if (is_time)
		exposition_seconds(e, sum->total_ns);
	else
		exposition_u64(e, sum->count);
}

/* Of a loop, or (row NULL) of what is said of a worker's connections. */
static void put_breaches(struct exposition *e, const struct worker_row *worker,
			 const struct loop_row *row, bool is_time)
{
	for (int rule = 0; rule < RULE_MAX; rule++) {
		if (rules_is_about_connections(rule) != !row)
			continue;
		for (int cause = causes_of[rule].first; cause <= (int)causes_of[rule].last;
		     cause++) {
			if (row)
				begin(e, NULL, row);
			else
				metrics_begin_worker(e, worker);
			put_breach(e, rule, cause,
				   row ? &row->breaches[rule][cause]
				       : &worker->breaches[rule][cause],
				   is_time);
		}
	}
}

static void write_breach_family(const struct metrics *metrics, struct exposition *e, bool is_time)
{
	const struct worker_row *worker;
	const struct loop_row *row;

	FOR_EACH_ROW(metrics, worker, row)
	put_breaches(e, worker, row, is_time);
	TAILQ_FOREACH(worker, &metrics->workers, in)
	if (worker->has_connections)
		put_breaches(e, worker, NULL, is_time);
}

static void write_breaches(const struct metrics *metrics, struct exposition *e)
{
	exposition_family(e, "breaches", EXPOSITION_COUNTER,
			  "Times that a limit was crossed, by rule and cause; of connections "
			  "without a loop.");
	write_breach_family(metrics, e, false);
	exposition_family(
		e, "breach_seconds", EXPOSITION_COUNTER,
		"Time that breaches took, by rule and cause; of connections without a loop.");
	write_breach_family(metrics, e, true);
}

/* Which process is behind a worker at the moment: the only place where a pid is a label. */
static void write_targets(const struct metrics *metrics, const struct model *model,
			  struct exposition *e)
{
	uint64_t by_status[TARGET_STATUS_MAX] = {};
	const struct worker_row *worker;
	const struct target *target;
	char python[FACTS_VERSION_LEN];

	exposition_family(e, "target", EXPOSITION_INFO,
			  "The process behind a worker at the moment.");
	for (uint32_t i = 0; (target = model_target(model, i)); i++) {
		const struct ev_target *info = &target->info;

		if (target->ended)
			continue;
		by_status[info->status < TARGET_STATUS_MAX ? info->status : TARGET_PENDING]++;
		worker = find_worker(metrics, target);
		if (!worker)
			continue;
		facts_python(info->version, python);
		exposition_sample(e, NULL);
		exposition_label(e, "process", worker->process);
		exposition_label_u64(e, "worker", worker->number);
		exposition_label_u64(e, "pid", info->pid);
		exposition_label(e, "python", python);
		exposition_label(e, "loop_kind",
				 TAILQ_EMPTY(&worker->loops)
					 ? ""
					 : facts_loop_kind(TAILQ_FIRST(&worker->loops)->kind));
		exposition_label(e, "usdt", info->flags & TARGET_USDT ? "true" : "false");
		exposition_u64(e, 1);
	}
	exposition_family(e, "targets", EXPOSITION_GAUGE,
			  "Processes that are followed, by what is known of them.");
	for (int status = 0; status < TARGET_STATUS_MAX; status++) {
		exposition_sample(e, NULL);
		exposition_label(e, "state", facts_target_status(status));
		exposition_u64(e, by_status[status]);
	}
}

static void put_counter(struct exposition *e, const char *name, const char *help, uint64_t value)
{
	exposition_family(e, name, EXPOSITION_COUNTER, help);
	exposition_sample(e, NULL);
	exposition_u64(e, value);
}

static void write_losses(const struct metrics *metrics, struct exposition *e)
{
	static const struct {
		enum stat_id stat;
		const char *name, *help;
	} rows[] = {
		{ STAT_RECORDS_MADE, "events_seen", "Records that the kernel half had to make." },
		{ STAT_RECORDS_SUBMITTED, "events_submitted", "Of which the ring took." },
		{ STAT_RECORDS_CONSUMED, "ring_events_consumed", "Taken out of the ring." },
		{ STAT_RECORDS_INVALID, "ring_decode_errors", "Records that the decoder refused." },
		{ STAT_EVENTS_MISSED, "events_missed",
		  "Events that the kernel did not deliver; found out and made good." },
		{ STAT_STACKS_TAKEN, "stacks_taken", "Python stacks walked." },
		{ STAT_STACKS_UNREADABLE, "stacks_unreadable",
		  "Of which could not be read whole." },
		{ STAT_STACKS_TRUNCATED, "stacks_truncated",
		  "Of which were too deep to be whole." },
		{ STAT_NAMES_ASKED, "memory_reads", "Code objects that were asked of the reader." },
		{ STAT_NAMES_FAILED, "memory_read_errors", "Of which could not be named." },
		{ STAT_READER_RESTARTS, "read_watchdog_kills",
		  "Readers that were killed, or died." },
		{ STAT_BREACHES_INCOMPLETE, "breaches_incomplete",
		  "Breaches that were reported without all their names." },
	};
	static const struct {
		enum stat_id stat;
		const char *reason;
	} drops[] = {
		{ STAT_RING_FULL, "ring_full" },
		{ STAT_LOOPS_REFUSED, "loops_full" },
		{ STAT_TARGETS_REFUSED, "targets_full" },
		{ STAT_NAMES_REFUSED, "names_full" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		put_counter(e, rows[i].name, rows[i].help, metrics->loss.stats[rows[i].stat]);
	exposition_family(e, "events_dropped", EXPOSITION_COUNTER,
			  "What was lost because there was no room, by where.");
	for (size_t i = 0; i < ARRAY_SIZE(drops); i++) {
		exposition_sample(e, NULL);
		exposition_label(e, "reason", drops[i].reason);
		exposition_u64(e, metrics->loss.stats[drops[i].stat]);
	}
	put_counter(e, "label_overflow",
		    "Additions to process=\"other\", for want of room for their own.",
		    metrics->nr_overflows);
}

void metrics_write(const struct metrics *metrics, const struct model *model, struct exposition *e)
{
	write_iterations(metrics, e);
	write_tasks(metrics, model, e);
	write_breaches(metrics, e);
	metrics_write_connections(metrics, model, e);
	write_targets(metrics, model, e);
	write_losses(metrics, e);
}
