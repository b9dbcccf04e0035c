/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a scrape shows of the targets: sums that only grow, by process, worker and loop.  Pure.
 *
 * Labels are bounded by design.  A process is named by its container, its systemd unit or its
 * executable; the processes of one name are told apart by a small number, the worker, which a
 * successor inherits with all its sums; so are the loops of one worker.  What finds no room is
 * added to process="other". A worker without a process is kept for a while, so that a scrape sees
 * its last sums, and then dropped.
 */
#ifndef METRICS_H
#define METRICS_H

#include "exposition.h"
#include "model.h"
#include "rules.h"

#define METRICS_MAX_BUCKETS 32
#define METRICS_LABEL_LEN   128 /* each byte may be shown as three */

struct metrics_config {
	uint32_t max_workers;  /* distinct (process, worker) */
	uint32_t max_loops;    /* distinct (process, worker, loop) */
	uint64_t retention_ns; /* of a worker or loop that has ended */
	/* Upper ends of the histogram's buckets, ascending; each is an end of a bucket of
	 * loop_counters. */
	uint64_t bucket_ns[METRICS_MAX_BUCKETS];
	unsigned nr_buckets;
};
extern const struct metrics_config metrics_default_config;
/* The nearest end that a bucket can have: what the kernel half counts by. */
uint64_t metrics_bucket_near(uint64_t ns);

struct metrics;

int metrics_new(struct metrics **out, const struct metrics_config *config);
void metrics_free(struct metrics *metrics);

/* After model_add() of a record: new counters of a loop, ends of loops and processes, time. 0 or
 * -ENOMEM. */
int metrics_add_record(struct metrics *metrics, const struct model *model,
		       const struct ev_head *ev);
/* An iteration past a limit that has ended, and each of its findings that is no latent one. */
int metrics_add_iteration(struct metrics *metrics, const struct iteration *iteration,
			  const uint64_t asleep_by_cause[CAUSE_MAX]);
int metrics_add_finding(struct metrics *metrics, const struct finding *finding);

/* Writes all families of targets and of what was lost. O(series). */
void metrics_write(const struct metrics *metrics, const struct model *model, struct exposition *e);

/* Rows held, for tests and for the metrics of the daemon itself. */
struct metrics_size {
	uint32_t workers, loops;
	uint64_t overflows; /* additions that went to process="other" */
};
void metrics_get_size(const struct metrics *metrics, struct metrics_size *size);

#endif
