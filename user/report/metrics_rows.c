/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rows behind the series.  A row belongs to a name and a number, never to a process: a
 * reference leads from a live loop (target, number) to its row for as long as records about it can
 * still come.
 */
#include "metrics_rows.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "util.h"

#define NSEC_PER_MINUTE (60 * NSEC_PER_SEC)
/* An iteration waits for its names at most MODEL_NAME_WAIT_NS after its loop has ended. */
#define REF_KEEP_NS (4 * MODEL_NAME_WAIT_NS)
#define EXPIRE_NS   NSEC_PER_SEC /* all rows are looked through so often */

/*
 * Ends of the kernel half's own buckets, next to the usual 0.5 ms, 1 ms, 2.5 ms, ... 10 s: a count
 * by them is exact, and one by round numbers would not be.
 */
const struct metrics_config metrics_default_config = {
	.max_workers = 512,
	.max_loops = 1024,
	.retention_ns = 5 * NSEC_PER_MINUTE,
	.bucket_ns = { 524288, 1048576, 2621440, 5242880, 10485760, 25165824, 50331648, 100663296,
		       234881024, 469762048, 939524096, 2684354560, 5368709120, 10737418240 },
	.nr_buckets = 14,
};

uint64_t metrics_bucket_near(uint64_t ns)
{
	uint64_t best = hist_bucket_low_ns(1);

	for (unsigned i = 2; i < HIST_BUCKETS; i++) {
		uint64_t end = hist_bucket_low_ns(i);
		uint64_t off = end > ns ? end - ns : ns - end;

		if (off < (best > ns ? best - ns : ns - best))
			best = end;
	}
	return best;
}

static int check_config(const struct metrics_config *config)
{
	uint64_t before = 0;

	if (config->nr_buckets > METRICS_MAX_BUCKETS)
		return -EINVAL;
	for (unsigned i = 0; i < config->nr_buckets; i++) {
		uint64_t end = config->bucket_ns[i];

		if (end <= before || metrics_bucket_near(end) != end)
			return -EINVAL;
		before = end;
	}
	return 0;
}

static struct worker_row *new_worker(struct metrics *metrics, const char *process, uint32_t number)
{
	struct worker_row *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	snprintf(worker->process, sizeof(worker->process), "%s", process);
	worker->number = number;
	TAILQ_INIT(&worker->loops);
	TAILQ_INSERT_TAIL(&metrics->workers, worker, in);
	metrics->nr_workers++;
	return worker;
}

static struct loop_row *new_loop(struct metrics *metrics, struct worker_row *worker,
				 uint32_t number)
{
	struct loop_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->worker = worker;
	row->number = number;
	row->utilization = NAN;
	TAILQ_INSERT_TAIL(&worker->loops, row, in);
	metrics->nr_loops++;
	return row;
}

int metrics_new(struct metrics **out, const struct metrics_config *config)
{
	struct metrics *metrics;
	int err = check_config(config);

	if (err)
		return err;
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return -ENOMEM;
	metrics->config = *config;
	TAILQ_INIT(&metrics->workers);
	/* Past the bounds: made now, so that the last resort needs no memory; taken for good. */
	metrics->other = new_worker(metrics, METRICS_OTHER, 0);
	if (metrics->other) {
		metrics->other->target_id = UINT32_MAX;
		metrics->other_loop = new_loop(metrics, metrics->other, 0);
	}
	if (!metrics->other_loop) {
		metrics_free(metrics);
		return -ENOMEM;
	}
	*out = metrics;
	return 0;
}

static void free_worker(struct metrics *metrics, struct worker_row *worker)
{
	struct loop_row *row;

	while ((row = TAILQ_FIRST(&worker->loops))) {
		TAILQ_REMOVE(&worker->loops, row, in);
		metrics->nr_loops--;
		free(row);
	}
	TAILQ_REMOVE(&metrics->workers, worker, in);
	metrics->nr_workers--;
	free(worker);
}

void metrics_free(struct metrics *metrics)
{
	struct worker_row *worker;
	struct loop_ref *ref, *next;

	if (!metrics)
		return;
	HASH_ITER (hh, metrics->refs, ref, next) {
		HASH_DEL(metrics->refs, ref);
		free(ref);
	}
	while ((worker = TAILQ_FIRST(&metrics->workers)))
		free_worker(metrics, worker);
	free(metrics);
}

/* ---- names and numbers ---- */

/* The container, or the executable's last part, or what the process calls itself. */
static void name_process(const struct ev_target *info, char out[METRICS_LABEL_LEN])
{
	char exe[EV_PATH_LEN + 1];
	const char *slash;

	snprintf(exe, sizeof(exe), "%.*s", EV_PATH_LEN, info->exe);
	slash = strrchr(exe, '/');
	if (info->container[0])
		snprintf(out, METRICS_LABEL_LEN, "%.*s", (int)sizeof(info->container),
			 info->container);
	else if (exe[0])
		snprintf(out, METRICS_LABEL_LEN, "%.100s", slash ? slash + 1 : exe);
	else
		snprintf(out, METRICS_LABEL_LEN, "%.*s", EV_COMM_LEN, info->comm);
	if (!out[0])
		snprintf(out, METRICS_LABEL_LEN, "unknown");
}

/* The row with the smallest number that no process has now; a made one if all have. */
static struct worker_row *take_worker(struct metrics *metrics, const char *process)
{
	struct worker_row *worker, *best = NULL;
	uint32_t number = 0;
	bool is_taken;

	do {
		is_taken = false;
		TAILQ_FOREACH(worker, &metrics->workers, in)
		{
			if (worker->number != number || strcmp(worker->process, process))
				continue;
			is_taken = worker->target_id != 0;
			best = worker;
			break;
		}
		if (!worker) /* nobody has had this number yet */
			return metrics->nr_workers <= metrics->config.max_workers
				       ? new_worker(metrics, process, number)
				       : NULL;
		number += is_taken;
	} while (is_taken);
	return best;
}

struct worker_row *metrics_worker_of(struct metrics *metrics, const struct target *target)
{
	char process[METRICS_LABEL_LEN];
	struct worker_row *worker;
	uint32_t id = target->info.head.target_id;

	TAILQ_FOREACH(worker, &metrics->workers, in)
	if (worker->target_id == id && id)
		return worker;
	name_process(&target->info, process);
	worker = id ? take_worker(metrics, process) : NULL;
	if (worker) {
		worker->target_id = id;
		worker->free_since_ns = 0;
	}
	return worker;
}

static struct loop_row *take_loop(struct metrics *metrics, struct worker_row *worker)
{
	struct loop_row *row;
	uint32_t number = 0;

	/* In order of their numbers: new ones are added at the end. */
	TAILQ_FOREACH(row, &worker->loops, in)
	{
		if (!row->is_alive)
			return row;
		number++;
	}
	if (metrics->nr_loops > metrics->config.max_loops)
		return NULL;
	return new_loop(metrics, worker, number);
}

static struct loop_ref *find_ref(const struct metrics *metrics, uint32_t target_id, uint32_t number)
{
	uint64_t key = (uint64_t)target_id << 32 | number;
	struct loop_ref *ref;

	HASH_FIND(hh, metrics->refs, &key, sizeof(key), ref);
	return ref;
}

bool metrics_is_other(const struct metrics *metrics, const struct loop_row *row)
{
	return row == metrics->other_loop;
}

static void end_ref(struct metrics *metrics, struct loop_ref *ref, uint64_t now_ns)
{
	if (ref->ended_ns)
		return;
	ref->ended_ns = now_ns;
	if (metrics_is_other(metrics, ref->row))
		return;
	ref->row->is_alive = false;
	ref->row->free_since_ns = now_ns;
}

/* loop_id EV_NO_LOOP: all of the target's, whose process has ended. */
void metrics_end_loops(struct metrics *metrics, uint32_t target_id, uint32_t loop_id,
		       uint64_t now_ns)
{
	struct worker_row *worker;
	struct loop_ref *ref, *next;

	HASH_ITER (hh, metrics->refs, ref, next)
		if (ref->key >> 32 == target_id &&
		    (loop_id == EV_NO_LOOP || ref->loop_id == loop_id))
			end_ref(metrics, ref, now_ns);
	if (loop_id != EV_NO_LOOP)
		return;
	TAILQ_FOREACH(worker, &metrics->workers, in)
	{
		if (worker->target_id != target_id)
			continue;
		worker->target_id = 0;
		worker->free_since_ns = now_ns;
	}
}

/* The row of a loop, made if need be; NULL: no memory. */
struct loop_ref *metrics_ref_of(struct metrics *metrics, const struct loop *loop)
{
	uint32_t target_id = loop->target->info.head.target_id;
	struct loop_ref *ref = find_ref(metrics, target_id, loop->number);
	struct worker_row *worker;
	struct loop_row *row = NULL;

	if (ref)
		return ref;
	ref = calloc(1, sizeof(*ref));
	if (!ref)
		return NULL;
	worker = metrics_worker_of(metrics, loop->target);
	if (worker)
		row = take_loop(metrics, worker);
	ref->key = (uint64_t)target_id << 32 | loop->number;
	ref->loop_id = loop->info.head.loop_id;
	ref->row = row ? row : metrics->other_loop;
	HASH_ADD(hh, metrics->refs, key, sizeof(ref->key), ref);
	if (!ref->hh.tbl) {
		free(ref);
		return NULL;
	}
	if (row) {
		row->is_alive = true;
		row->kind = loop->info.kind;
		row->free_since_ns = 0;
	}
	/* Its last iterations waited for their names, or its first ones were its last. */
	if (loop->target->ended)
		metrics_end_loops(metrics, target_id, EV_NO_LOOP, metrics->now_ns);
	else if (loop->ended)
		end_ref(metrics, ref, metrics->now_ns);
	return ref;
}

/* Whatever has been without an owner for long enough. */
void metrics_expire(struct metrics *metrics, uint64_t now_ns)
{
	uint64_t keep_ns = metrics->config.retention_ns;
	struct worker_row *worker, *next_worker;
	struct loop_ref *ref, *next;

	if (now_ns < metrics->expire_ns)
		return;
	metrics->expire_ns = now_ns + EXPIRE_NS;
	HASH_ITER (hh, metrics->refs, ref, next) {
		if (!ref->ended_ns || now_ns - ref->ended_ns < REF_KEEP_NS)
			continue;
		HASH_DEL(metrics->refs, ref);
		free(ref);
	}
	for (worker = TAILQ_FIRST(&metrics->workers); worker; worker = next_worker) {
		next_worker = TAILQ_NEXT(worker, in);
		if (worker->free_since_ns &&
		    now_ns - worker->free_since_ns >= max(keep_ns, REF_KEEP_NS))
			free_worker(metrics, worker);
	}
}
