/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `ps`: the Python processes of this host, and what can be seen of them. */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "facts.h"
#include "find.h"
#include "json.h"
#include "log.h"
#include "sanitize.h"

static void format_version(uint32_t version, char *buf, size_t size)
{
	if (!version)
		snprintf(buf, size, "?");
	else
		snprintf(buf, size, "%u.%u.%u", version >> 24, version >> 16 & 255, version >> 8 & 255);
}

/* "asyncio,trio": of the loops that run. */
static void format_kinds(const struct ev_target *t, char *buf, size_t size)
{
	size_t used = 0;

	snprintf(buf, size, "-");
	for (uint32_t kind = LOOP_KIND_UNKNOWN + 1; kind < LOOP_KIND_MAX && used < size; kind++)
		if (t->layout.loop_kinds & 1u << kind)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? "," : "",
						 facts_loop_kind(kind));
}

static void print_row(const struct ev_target *t)
{
	char version[24], build[48], exe[4 * EV_PATH_LEN], container[80], reason[4 * 200 + 1], kinds[80];

	format_version(t->version, version, sizeof(version));
	snprintf(build, sizeof(build), "%s%s%s", t->flags & TARGET_STATIC ? "static" : "shared",
		 t->flags & TARGET_USDT ? ",usdt" : "",
		 t->flags & TARGET_FREE_THREADED ? ",free-threaded" : "");
	sanitize(exe, sizeof(exe), t->exe, 200, CUT_START);
	sanitize(container, sizeof(container), t->container[0] ? t->container : "-", 12, CUT_END);
	sanitize(reason, sizeof(reason), t->reason, 200, CUT_END);
	format_kinds(t, kinds, sizeof(kinds));
	printf("%7u  %-8s %-12s %5u  %-14s  %-12.12s  %s", t->pid, version, build, t->nr_loops, kinds,
	       container, exe);
	if (t->status != TARGET_OK)
		printf("  (%s)", reason);
	for (uint32_t kind = 0; kind < LOOP_KIND_MAX; kind++)
		if (t->layout.loop_kinds & 1u << kind && facts_loop_unsupported(kind))
			printf("  (%s)", facts_loop_unsupported(kind));
	putchar('\n');
}

static void print_json(const struct ev_target *t)
{
	struct json json = { .out = stdout };
	char version[24];

	format_version(t->version, version, sizeof(version));
	json_object(&json, NULL);
	json_string(&json, "schema", "loophound/1");
	json_string(&json, "type", "process");
	json_u64(&json, "pid", t->pid);
	json_u64(&json, "ns_pid", t->ns_pid);
	json_string(&json, "comm", t->comm);
	json_string(&json, "exe", t->exe);
	json_string(&json, "python", t->version ? version : NULL);
	json_bool(&json, "supported", t->status == TARGET_OK);
	json_string(&json, "reason", t->reason[0] ? t->reason : NULL);
	json_bool(&json, "usdt", t->flags & TARGET_USDT);
	json_bool(&json, "static", t->flags & TARGET_STATIC);
	json_bool(&json, "free_threaded", t->flags & TARGET_FREE_THREADED);
	json_u64(&json, "loops", t->nr_loops);
	json_array(&json, "loop_kinds");
	for (uint32_t kind = LOOP_KIND_UNKNOWN + 1; kind < LOOP_KIND_MAX; kind++)
		if (t->layout.loop_kinds & 1u << kind)
			json_string(&json, NULL, facts_loop_kind(kind));
	json_array_end(&json);
	json_string(&json, "container", t->container[0] ? t->container : NULL);
	json_object_end(&json);
	json_line_end(&json);
}

static bool is_asked_for(const struct opts *opts, uint32_t pid)
{
	for (unsigned i = 0; i < opts->nr_pids; i++)
		if ((uint32_t)opts->pids[i] == pid)
			return true;
	return !opts->nr_pids;
}

int cmd_ps(const struct opts *opts)
{
	cleanup_free struct ev_target *answers = NULL;
	cleanup_free pid_t *pids = NULL;
	unsigned nr_shown = 0, nr_denied = 0;
	bool is_json = !strcmp(opts->format, "jsonl");
	struct find_filter filter = { opts->name_glob, opts->cgroup };
	int nr = find_processes(&filter, &pids), err;

	if (nr < 0)
		return log_err(EXIT_FAILED, "cannot list processes: %s", strerror(-nr));
	answers = calloc((size_t)nr + 1, sizeof(*answers));
	err = answers ? ask_targets(pids, (size_t)nr, answers) : -ENOMEM;
	if (err)
		return log_err(EXIT_FAILED, "cannot ask the reader process: %s", strerror(-err));
	for (int i = 0; i < nr; i++) {
		const struct ev_target *t = &answers[i];

		nr_denied += t->status == TARGET_DENIED;
		if (!is_asked_for(opts, t->pid) || (!t->version && t->status != TARGET_OK))
			continue;
		if (!nr_shown++ && !is_json)
			printf("%7s  %-8s %-12s %5s  %-14s  %-12s  %s\n", "PID", "PYTHON", "BUILD",
			       "LOOPS", "KIND", "CONTAINER", "EXECUTABLE");
		if (is_json)
			print_json(t);
		else
			print_row(t);
	}
	if (!nr_shown && !is_json)
		log_write(LOG_NOTE, "no Python process found");
	if (nr_denied)
		log_write(geteuid() ? LOG_WARN : LOG_INFO, "%u processes may not be looked at%s", nr_denied,
			  geteuid() ? ": run it as root, or with CAP_SYS_PTRACE" : "");
	return EXIT_OK;
}
