/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What happens, added to the rows that it belongs to. */
#include "metrics_rows.h"

#include <errno.h>

#include "facts.h"
#include "util.h"

/* The counters of a new loop begin at 0; of one that was known, where they stood last. */
static void add_counters(struct metrics *metrics, struct loop_ref *ref, const struct loop *loop)
{
	const struct loop_counters *now = &loop->counters, *before = &ref->last;
	struct loop_row *row = ref->row;
	unsigned bucket = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		while (bucket < metrics->config.nr_buckets &&
		       metrics->config.bucket_ns[bucket] <= hist_bucket_low_ns(i))
			bucket++;
		row->hist[bucket] += now->hist[i] - min(before->hist[i], now->hist[i]);
	}
	row->iterations += now->iterations - min(before->iterations, now->iterations);
	row->busy_ns += now->busy_ns - min(before->busy_ns, now->busy_ns);
	row->idle_ns += now->idle_ns - min(before->idle_ns, now->idle_ns);
	ref->last = *now;
	if (metrics_is_other(metrics, row)) {
		metrics->nr_overflows++;
	} else {
		row->tasks = loop->tasks;
		row->utilization = facts_interval_utilization(loop);
	}
}

/* The first of a process gives it a number; its counters are read from the model at a scrape. */
static void add_connections(struct metrics *metrics, const struct model *model,
			    const struct ev_head *ev)
{
	const struct target *target = model_find_target(model, ev->target_id);
	struct worker_row *worker = target && !target->ended ? metrics_worker_of(metrics, target) : NULL;

	if (worker)
		worker->has_connections = true;
}

static int add_loop_stats(struct metrics *metrics, const struct model *model,
			  const struct ev_head *ev)
{
	const struct loop *loop = model_find_loop(model, ev->target_id, ev->loop_id);
	struct loop_ref *ref;

	if (!loop)
		return 0;
	ref = metrics_ref_of(metrics, loop);
	if (!ref)
		return -ENOMEM;
	add_counters(metrics, ref, loop);
	return 0;
}

/* The numbers themselves are the model's. */
static void add_tasks(struct metrics *metrics, const struct ev_tasks *ev)
{
	metrics->task_reads[ev->status]++;
	metrics->task_reads_ns += ev->took_ns;
}

int metrics_add_record(struct metrics *metrics, const struct model *model, const struct ev_head *ev)
{
	metrics->now_ns = max(metrics->now_ns, (uint64_t)ev->ts_ns);
	switch (ev->type) {
	case EV_LOOP_STATS: return add_loop_stats(metrics, model, ev);
	case EV_CONNECTION: add_connections(metrics, model, ev); break;
	case EV_TASKS: add_tasks(metrics, (const struct ev_tasks *)ev); break;
	case EV_LOOP_EXIT: metrics_end_loops(metrics, ev->target_id, ev->loop_id, ev->ts_ns); break;
	case EV_EXEC:
	case EV_EXIT: metrics_end_loops(metrics, ev->target_id, EV_NO_LOOP, ev->ts_ns); break;
	case EV_LOSS: model_loss(model, &metrics->loss); break;
	/* By the latest of all times: a tick may be older than the exits that it follows. */
	case EV_TICK: metrics_expire(metrics, metrics->now_ns); break;
	}
	return 0;
}

int metrics_add_iteration(struct metrics *metrics, const struct iteration *iteration,
			  const uint64_t asleep_by_cause[CAUSE_MAX])
{
	const struct ev_iteration *ev = &iteration->ev;
	struct loop_ref *ref = metrics_ref_of(metrics, iteration->loop);
	uint64_t *lost, asleep = 0;

	if (!ref)
		return -ENOMEM;
	lost = ref->row->lost_ns;
	for (int cause = CAUSE_SLEEP; cause <= CAUSE_OTHER; cause++) {
		lost[cause] += asleep_by_cause[cause];
		asleep += asleep_by_cause[cause];
	}
	/* What no sleep's record explains. */
	lost[CAUSE_OTHER] +=
		ev->off_ns[OFF_SYSCALL] - min(asleep, (uint64_t)ev->off_ns[OFF_SYSCALL]);
	lost[LOST_ON_CPU] += ev->on_cpu_ns - min(ev->gc_on_cpu_ns, ev->on_cpu_ns);
	lost[LOST_GC] += ev->gc_on_cpu_ns;
	lost[LOST_GIL] += ev->off_ns[OFF_GIL];
	lost[LOST_RUN_QUEUE] += ev->run_queue_ns;
	lost[LOST_PAGE_FAULT] += ev->off_ns[OFF_FAULT];
	lost[LOST_STOPPED] += ev->off_ns[OFF_STOPPED];
	lost[LOST_UNKNOWN] += ev->off_ns[OFF_OTHER];
	return 0;
}

/* A process may have connections and no loop: then it gets its number by them. */
static void add_connection_finding(struct metrics *metrics, const struct finding *finding)
{
	const struct target *target = finding->iteration->loop->target;
	struct worker_row *worker = metrics_worker_of(metrics, target);
	struct breach_sum *sum;

	if (!worker) {
		worker = metrics->other;
		metrics->nr_overflows++;
	}
	worker->has_connections = true;
	sum = &worker->breaches[finding->rule][finding->cause];
	sum->count++;
	sum->total_ns += finding->duration_ns;
	if (target->ended)
		metrics_end_loops(metrics, target->info.head.target_id, EV_NO_LOOP,
				  metrics->now_ns);
}

int metrics_add_finding(struct metrics *metrics, const struct finding *finding)
{
	struct breach_sum *sum;
	struct loop_ref *ref;

	if (finding->connection.is_set) {
		add_connection_finding(metrics, finding);
		return 0;
	}
	ref = metrics_ref_of(metrics, finding->iteration->loop);
	if (!ref)
		return -ENOMEM;
	sum = &ref->row->breaches[finding->rule][finding->cause];
	sum->count++;
	sum->total_ns += finding->duration_ns;
	return 0;
}

void metrics_get_size(const struct metrics *metrics, struct metrics_size *size)
{
	*size = (struct metrics_size){
		.workers = metrics->nr_workers - 1, /* process="other" is always there */
		.loops = metrics->nr_loops - 1,
		.overflows = metrics->nr_overflows,
	};
}
