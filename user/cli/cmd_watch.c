/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `watch` and `record`: the same watch, with its report or with its recording as the result. */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "find.h"
#include "log.h"

/* Processes that are being born while /proc is read are found by the next look, if at all not told of. */
#define MAX_ROUNDS 4

void watch_tell_refused(const char *prefix, unsigned nr_refused, unsigned nr, int err)
{
	if (nr_refused && err == -E2BIG)
		log_warn("%s%u of %u processes %s not looked at: more than there is room for; "
			 "--name or --cgroup name fewer", prefix, nr_refused, nr, nr_refused == 1 ? "is" : "are");
	else if (nr_refused)
		log_warn("%s%u of %u processes %s not looked at: %s", prefix, nr_refused, nr,
			 nr_refused == 1 ? "is" : "are", strerror(-err));
}

/* Follows processes that nobody named; one that is refused is said, and not the end. How many are new. */
static unsigned add_all(struct engine *engine, const pid_t *pids, int nr, enum targets_why why)
{
	unsigned nr_before = engine_targets(engine), nr_refused = 0;
	int err, refusal = 0;

	for (int i = 0; i < nr; i++) {
		err = engine_watch_pid(engine, pids[i], why);
		if (!err || err == -ESRCH)
			continue;
		refusal = err;
		nr_refused++;
	}
	watch_tell_refused("", nr_refused, (unsigned)nr, refusal);
	return nr_refused ? 0 : engine_targets(engine) - nr_before;
}

int watch_search(struct engine *engine, const struct opts *opts)
{
	struct find_filter filter = { opts->name_glob, opts->cgroup };
	unsigned nr_new = 1;
	int err;

	if (opts->service && opts->service->selection->nr) {
		err = engine_search_selected(engine);
		return err ? log_err(EXIT_FAILED, "cannot list processes: %s", strerror(-err)) : EXIT_OK;
	}
	for (int round = 0; round < MAX_ROUNDS && nr_new; round++) {
		cleanup_free pid_t *pids = NULL;
		int nr = find_processes(&filter, &pids);

		if (nr < 0)
			return log_err(EXIT_FAILED, "cannot list processes: %s", strerror(-nr));
		nr_new = add_all(engine, pids, nr, TARGETS_SEARCHED);
	}
	if (!engine_targets(engine) && !opts->is_all)
		log_write(LOG_NOTE, "%s %s: no such process yet; those that begin will be watched",
			  opts->cgroup ? "--cgroup" : "--name", opts->cgroup ? opts->cgroup : opts->name_glob);
	return EXIT_OK;
}

static int add_pids(struct engine *engine, const struct opts *opts)
{
	int err;

	for (unsigned i = 0; i < opts->nr_pids; i++) {
		err = engine_watch_pid(engine, opts->pids[i], TARGETS_REQUIRED);
		if (err)
			return log_err(EXIT_FAILED, "-p %d: %s", opts->pids[i], strerror(-err));
	}
	/* The workers of a server that forked before we came; later ones are followed in the kernel. */
	for (unsigned i = 0; i < opts->nr_pids; i++) {
		cleanup_free pid_t *children = NULL;
		int nr = find_descendants(opts->pids[i], &children);

		if (nr > 0)
			add_all(engine, children, nr, TARGETS_DESCENDANT);
	}
	return EXIT_OK;
}

static int watch(const struct opts *opts)
{
	bool is_search = opts_is_search(opts);
	struct engine *engine;
	int code, no_status;

	if (!opts->nr_pids && !is_search)
		return log_err(EXIT_USAGE, "%s: which process? Give -p PID, --name GLOB, --cgroup PATH "
			       "or --all; `loophound ps` lists them", opts->command);
	for (unsigned i = 0; i < opts->nr_pids; i++) {
		code = find_exists(opts->pids[i]);
		if (code)
			return log_err(EXIT_FAILED, "-p %d: %s; `loophound ps` lists them", opts->pids[i],
				       code == -EINVAL ? "a thread, not a process" : "no such process");
	}
	code = engine_open(&engine, opts);
	if (code)
		return code;
	code = add_pids(engine, opts);
	if (!code && is_search)
		code = watch_search(engine, opts);
	if (!code && !strcmp(opts->command, "record"))
		log_write(LOG_NOTE, "recording to %s; Ctrl-C ends it", opts->record_to);
	if (!code)
		code = engine_run(engine, 0, &no_status);
	engine_free(engine);
	return code;
}

int cmd_watch(const struct opts *opts)
{
	return watch(opts);
}

int cmd_record(const struct opts *opts)
{
	struct opts record = *opts;

	if (!opts->output)
		return log_err(EXIT_USAGE, "record: where to? Give -o FILE");
	record.record_to = opts->output;
	record.output = "/dev/null";
	return watch(&record);
}
