/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `ps --live`: a short watch of everything listed, with a reporter that keeps what the loops did. */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "log.h"
#include "ps.h"

static struct ps_table *table; /* being filled: a reporter has no context of its own */

static struct ps_row *find_row(uint32_t pid)
{
	for (unsigned i = 0; i < table->nr; i++)
		if (table->rows[i].target.pid == pid)
			return &table->rows[i];
	return NULL;
}

/* The loop as the reader listed it, or a new one: it was started since. */
static struct ps_loop *find_loop(struct ps_row *row, uint32_t ns_tid)
{
	for (unsigned i = 0; i < row->nr_loops; i++)
		if (row->loops[i].ns_tid == ns_tid)
			return &row->loops[i];
	return ps_add_loop(row);
}

static void keep_loop(const struct loop *loop)
{
	const struct loop_counters *counters = &loop->counters;
	struct ps_row *row = find_row(loop->info.pid);
	struct ps_loop *kept = row ? find_loop(row, loop->info.ns_tid) : NULL;
	/* From when its process was known: before it was found, a loop that sleeps does not show. */
	uint64_t from_ns = loop->target->info.head.ts_ns, to_ns = loop->counters_ns;
	uint64_t busy_ns = counters->busy_ns;

	if (!kept)
		return;
	kept->tid = loop->info.tid;
	kept->ns_tid = loop->info.ns_tid;
	kept->kind = loop->info.kind;
	if (to_ns <= from_ns)
		return;
	if (!counters->in_wait && counters->since_ns && counters->since_ns < to_ns)
		busy_ns += to_ns - counters->since_ns;
	kept->is_seen = true;
	kept->utilization = (double)min(busy_ns, to_ns - from_ns) / (double)(to_ns - from_ns);
	kept->iterations_per_s = (double)counters->iterations * 1e9 / (double)(to_ns - from_ns);
}

static void on_session(const struct report_opts *opts)
{
	(void)opts;
}

static void on_target(const struct report_opts *opts, const struct target *target, uint64_t ts_ns)
{
	(void)opts;
	(void)target;
	(void)ts_ns;
}

static void on_breach(const struct report_opts *opts, const struct breach *breach)
{
	(void)opts;
	(void)breach;
}

static void on_summary(const struct report_opts *opts, const struct report_summary *summary)
{
	const struct loop *loop;

	(void)opts;
	for (unsigned i = 0; (loop = model_loop(summary->model, i)); i++)
		if (!loop->ended)
			keep_loop(loop);
}

static const struct reporter keeper = {
	.name = "ps",
	.session = on_session,
	.target = on_target,
	.breach = on_breach,
	.summary = on_summary,
};

int ps_live(const struct opts *opts, struct ps_table *to_fill)
{
	struct opts live = *opts;
	struct engine *engine;
	unsigned nr = 0, nr_refused = 0;
	int code, no_status, err, refusal = 0;

	live.duration_s = opts->live_s;
	live.output = live.record_to = NULL;
	live.reporter = &keeper;
	live.is_latent = false;
	live.is_without_uprobes = true;
	table = to_fill;
	code = engine_open(&engine, &live);
	if (code)
		return code;
	for (unsigned i = 0; i < table->nr; i++) {
		if (table->rows[i].target.status != TARGET_OK)
			continue;
		nr++;
		err = engine_watch_pid(engine, (pid_t)table->rows[i].target.pid, TARGETS_SEARCHED);
		if (!err || err == -ESRCH)
			continue;
		refusal = err;
		nr_refused++;
	}
	watch_tell_refused("--live: ", nr_refused, nr, refusal);
	code = nr ? engine_run(engine, 0, &no_status) : EXIT_OK;
	engine_free(engine);
	return code;
}
