/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `ps`: the Python processes of this host, and what can be seen of them. */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "facts.h"
#include "find.h"
#include "log.h"
#include "ps.h"

struct ps_loop *ps_add_loop(struct ps_row *row)
{
	struct ps_loop *grown = realloc(row->loops, (row->nr_loops + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	row->loops = grown;
	grown[row->nr_loops] = (struct ps_loop){ 0 };
	return &grown[row->nr_loops++];
}

double ps_busy(const struct ps_row *row)
{
	double busy = -1;

	for (unsigned i = 0; i < row->nr_loops; i++)
		if (row->loops[i].is_seen)
			busy = max(busy, row->loops[i].utilization);
	return busy;
}

static void ps_free(struct ps_table *table)
{
	for (unsigned i = 0; i < table->nr; i++)
		free(table->rows[i].loops);
	free(table->rows);
}

static int by_pid(const struct ps_row *a, const struct ps_row *b)
{
	return (a->target.pid > b->target.pid) - (a->target.pid < b->target.pid);
}

static int by_user(const struct ps_row *a, const struct ps_row *b)
{
	return (a->target.uid > b->target.uid) - (a->target.uid < b->target.uid);
}

static int by_python(const struct ps_row *a, const struct ps_row *b)
{
	return (a->target.version > b->target.version) - (a->target.version < b->target.version);
}

static int by_loops(const struct ps_row *a, const struct ps_row *b)
{
	return (a->target.nr_loops < b->target.nr_loops) - (a->target.nr_loops > b->target.nr_loops);
}

static int by_busy(const struct ps_row *a, const struct ps_row *b)
{
	return (ps_busy(a) < ps_busy(b)) - (ps_busy(a) > ps_busy(b));
}

static uint64_t nr_connections(const struct ps_row *row)
{
	return (uint64_t)row->sockets.outbound + row->sockets.inbound;
}

static int by_connections(const struct ps_row *a, const struct ps_row *b)
{
	return (nr_connections(a) < nr_connections(b)) - (nr_connections(a) > nr_connections(b));
}

static int by_place(const struct ps_row *a, const struct ps_row *b)
{
	int order = strcmp(a->target.container, b->target.container);

	return order ? order : strcmp(a->target.unit, b->target.unit);
}

static int (*chosen)(const struct ps_row *a, const struct ps_row *b);

static int compare(const void *a, const void *b)
{
	int order = chosen(a, b);

	return order ? order : by_pid(a, b);
}

/* The busiest first; those that were not seen as they were started. */
static int compare_loops(const void *a, const void *b)
{
	const struct ps_loop *left = a, *right = b;
	double left_busy = left->is_seen ? left->utilization : -1;
	double right_busy = right->is_seen ? right->utilization : -1;

	if (left_busy != right_busy)
		return left_busy < right_busy ? 1 : -1;
	return (left->ns_tid > right->ns_tid) - (left->ns_tid < right->ns_tid);
}

static void sort(struct ps_table *table, const char *key)
{
	static const struct {
		const char *key;
		int (*order)(const struct ps_row *a, const struct ps_row *b);
	} orders[] = { { "pid", by_pid },     { "user", by_user }, { "python", by_python },
		       { "loops", by_loops }, { "busy", by_busy }, { "where", by_place },
		       { "connections", by_connections } };

	chosen = table->is_live ? by_busy : by_pid;
	for (size_t i = 0; key && i < ARRAY_SIZE(orders); i++)
		if (!strcmp(orders[i].key, key))
			chosen = orders[i].order;
	qsort(table->rows, table->nr, sizeof(*table->rows), compare);
	for (unsigned i = 0; i < table->nr; i++)
		if (table->rows[i].nr_loops)
			qsort(table->rows[i].loops, table->rows[i].nr_loops, sizeof(struct ps_loop), compare_loops);
}

/* Python as far as can be told; of one that may not be read its name is all there is. */
static bool is_listed(const struct opts *opts, const struct ev_target *t)
{
	if (opts->nr_pids || t->version || t->status == TARGET_OK || t->status == TARGET_STUCK)
		return true;
	return t->status == TARGET_DENIED && !strncmp(t->comm, "python", strlen("python"));
}

static int take_loops(struct ps_table *table)
{
	cleanup_free struct ev_target *targets = calloc(table->nr + 1, sizeof(*targets));
	cleanup_free struct ev_loops *loops = calloc(table->nr + 1, sizeof(*loops));
	int err;

	if (!targets || !loops)
		return -ENOMEM;
	/* Of most there is nothing to ask. */
	for (unsigned i = 0; i < table->nr; i++) {
		targets[i] = table->rows[i].target;
		if (!targets[i].nr_loops)
			targets[i].status = TARGET_NOT_PYTHON;
	}
	err = ask_loops(targets, table->nr, loops);
	for (unsigned i = 0; !err && i < table->nr; i++) {
		for (unsigned k = 0; k < loops[i].nr; k++) {
			struct ps_loop *loop = ps_add_loop(&table->rows[i]);

			if (!loop)
				return -ENOMEM;
			loop->ns_tid = loops[i].loops[k].ns_tid;
			loop->kind = loops[i].loops[k].kind;
		}
	}
	return err;
}

/* Of one that kept the reader waiting the kernel still tells its name, without touching its memory. */
static void name_stuck(struct ev_target *t)
{
	cleanup_fclose FILE *file = NULL;
	char path[40];
	size_t bytes;

	if (t->status != TARGET_STUCK)
		return;
	snprintf(path, sizeof(path), "/proc/%u/comm", t->pid);
	file = fopen(path, "re");
	bytes = file ? fread(t->comm, 1, sizeof(t->comm) - 1, file) : 0;
	t->comm[bytes ? bytes - 1 : 0] = '\0'; /* the line's end */
}

/* Asks what they are, and keeps those to be listed. How many may not be looked at; or a negative errno. */
static int take_rows(struct ps_table *table, const struct opts *opts, const pid_t *pids, unsigned nr)
{
	cleanup_free struct ev_target *answers = calloc(nr + 1, sizeof(*answers));
	int err, nr_denied = 0;

	table->rows = calloc(nr + 1, sizeof(*table->rows));
	if (!answers || !table->rows)
		return -ENOMEM;
	err = ask_targets(pids, nr, answers);
	for (unsigned i = 0; !err && i < nr; i++) {
		nr_denied += answers[i].status == TARGET_DENIED;
		name_stuck(&answers[i]);
		if (is_listed(opts, &answers[i]))
			table->rows[table->nr++].target = answers[i];
	}
	if (!err)
		err = take_loops(table);
	return err ? err : nr_denied;
}

static int find(const struct opts *opts, pid_t **pids)
{
	struct find_filter filter = { opts->name_glob, opts->cgroup };
	int err;

	if (!opts->nr_pids)
		return find_processes(&filter, pids);
	*pids = calloc(opts->nr_pids, sizeof(**pids));
	if (!*pids)
		return -ENOMEM;
	for (unsigned i = 0; i < opts->nr_pids; i++) {
		err = find_exists(opts->pids[i]);
		if (err) {
			log_write(LOG_ERR, "-p %d: %s", opts->pids[i],
				  err == -EINVAL ? "a thread, not a process" : "no such process");
			return err;
		}
		(*pids)[i] = opts->pids[i];
	}
	return (int)opts->nr_pids;
}

static void say_what_is_not_seen(int nr_denied, bool is_empty)
{
	if (is_empty)
		log_write(LOG_NOTE, "no Python process found");
	if (nr_denied)
		log_write(geteuid() ? LOG_WARN : LOG_INFO, "%d process%s may not be looked at%s", nr_denied,
			  nr_denied == 1 ? "" : "es",
			  geteuid() ? ": run it as root, or with CAP_SYS_PTRACE" : "");
}

/* What they hold now.  Without an answer the rows stay unknown, which is what is shown. */
static void take_sockets(struct ps_table *table)
{
	cleanup_free struct socket_counts *counts = calloc(table->nr + 1, sizeof(*counts));
	cleanup_free pid_t *pids = calloc(table->nr + 1, sizeof(*pids));
	int err;

	for (unsigned i = 0; pids && i < table->nr; i++)
		pids[i] = (pid_t)table->rows[i].target.pid;
	err = counts && pids ? sockets_count(pids, table->nr, counts) : -ENOMEM;
	if (err)
		log_warn("connections cannot be counted: %s", strerror(-err));
	for (unsigned i = 0; !err && i < table->nr; i++)
		table->rows[i].sockets = counts[i];
}

int cmd_ps(const struct opts *opts)
{
	cleanup(ps_free) struct ps_table table = { .is_live = opts->live_s > 0, .is_verbose = opts->is_verbose };
	cleanup_free pid_t *pids = NULL;
	int nr = find(opts, &pids), nr_denied, code;

	if (nr < 0 && opts->nr_pids)
		return EXIT_FAILED;
	if (nr < 0)
		return log_err(EXIT_FAILED, "cannot list processes: %s", strerror(-nr));
	nr_denied = take_rows(&table, opts, pids, (unsigned)nr);
	if (nr_denied < 0)
		return log_err(EXIT_FAILED, "cannot ask the reader process: %s", strerror(-nr_denied));
	code = table.is_live ? ps_live(opts, &table) : EXIT_OK;
	if (code && code != EXIT_INTERRUPTED)
		return code;
	take_sockets(&table);
	sort(&table, opts->sort);
	if (!strcmp(opts->format, "jsonl"))
		ps_print_json(&table, stdout);
	else
		ps_print_text(&table, stdout);
	say_what_is_not_seen(nr_denied, !table.nr);
	return code;
}
