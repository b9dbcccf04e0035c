/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The rows behind the series: metrics_rows.c finds them, metrics.c fills them, metrics_write.c
 * shows them. */
#ifndef METRICS_ROWS_H
#define METRICS_ROWS_H

#include <sys/queue.h>
#include <uthash.h>

#include "metrics.h"

#define METRICS_OTHER "other"

/* Where the time of long iterations went: causes of sleeps by their number, then these. */
enum lost {
	LOST_ON_CPU = CAUSE_OTHER + 1,
	LOST_GIL,
	LOST_GC,
	LOST_RUN_QUEUE,
	LOST_PAGE_FAULT,
	LOST_STOPPED,
	LOST_UNKNOWN,
	LOST_MAX
};

struct breach_sum {
	uint64_t count, total_ns;
};

struct loop_row {
	TAILQ_ENTRY(loop_row) in;
	struct worker_row *worker;
	uint32_t number, kind;
	bool is_alive;
	uint64_t free_since_ns;
	uint64_t iterations, busy_ns, idle_ns;
	uint64_t hist[METRICS_MAX_BUCKETS + 1]; /* not cumulative; the last is what is longer */
	uint64_t lost_ns[LOST_MAX];
	struct breach_sum breaches[RULE_MAX][CAUSE_MAX];
	struct loop_tasks tasks; /* as of the latest counters, like the share that it was busy; NAN: not known */
	double utilization;
};

struct worker_row {
	TAILQ_ENTRY(worker_row) in;
	TAILQ_HEAD(, loop_row) loops; /* by number */
	char process[METRICS_LABEL_LEN];
	uint32_t number;
	uint32_t target_id; /* 0: none now */
	uint64_t free_since_ns;
	/* Of rules about connections, which are nobody's loop. */
	struct breach_sum breaches[RULE_MAX][CAUSE_MAX];
	bool has_connections;
};

/* From a loop of a target to its row. */
struct loop_ref {
	UT_hash_handle hh;
	uint64_t key; /* target_id << 32 | number within the target */
	uint32_t loop_id;
	uint64_t ended_ns; /* 0: it runs */
	struct loop_row *row;
	struct loop_counters last;
};

struct metrics {
	struct metrics_config config;
	TAILQ_HEAD(, worker_row) workers;
	struct worker_row *other;
	struct loop_row *other_loop;
	struct loop_ref *refs;
	uint32_t nr_workers, nr_loops; /* with those of process="other" */
	uint64_t nr_overflows, now_ns;
	uint64_t expire_ns; /* when it is looked for what to drop again */
	uint64_t task_reads[TASKS_STATUS_MAX], task_reads_ns; /* times that tasks were counted, and how long it took */
	struct ev_loss loss;
};

/* The row of a process, made if need be; NULL: no room. */
struct worker_row *metrics_worker_of(struct metrics *metrics, const struct target *target);
/* The way to the row of a loop, likewise; NULL: no memory. */
struct loop_ref *metrics_ref_of(struct metrics *metrics, const struct loop *loop);
bool metrics_is_other(const struct metrics *metrics, const struct loop_row *row);
/* Loops ended; loop_id EV_NO_LOOP: all of the target's, whose process has. */
void metrics_end_loops(struct metrics *metrics, uint32_t target_id, uint32_t loop_id,
		       uint64_t now_ns);
/* Drops what has been without an owner for long enough; looks for it once a second. */
void metrics_expire(struct metrics *metrics, uint64_t now_ns);

/* Begins a sample that is of a worker and of none of its loops. */
void metrics_begin_worker(struct exposition *e, const struct worker_row *worker);
/* The families of connections, by destination (metrics_connections.c). */
void metrics_write_connections(const struct metrics *metrics, const struct model *model,
			       struct exposition *e);

#endif
