/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Real programs over real processes: loads the kernel half, starts Pythons, watches them, keeps every
 * record.  A Python says "ready" and waits for a line before it does what is tested; nothing sleeps.
 */
#ifndef WATCHED_H
#define WATCHED_H

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "identify.h"
#include "probes.h"
#include "procmem.h"
#include "pycode.h"
#include "stream.h"
#include "util.h"

#define EXIT_SKIPPED  77
#define DEADLINE_NS   (20 * NSEC_PER_SEC)
#define MAX_RECORDS   65536
#define MAX_PYTHONS   16
#define DISTRO_PYTHON "/usr/bin/python3.11"

/* ---- interpreters ---- */

static char *pythons[MAX_PYTHONS]; /* the distribution's first */
static unsigned nr_pythons;

static inline void find_pythons(void)
{
	const char *root = getenv("PYENV_ROOT");
	char pattern[512];
	glob_t found;

	if (access(DISTRO_PYTHON, X_OK) == 0)
		pythons[nr_pythons++] = strdup(DISTRO_PYTHON);
	for (int minor = 9; root && minor <= 13; minor++) {
		snprintf(pattern, sizeof(pattern), "%s/versions/3.%d.*/bin/python3", root, minor);
		if (glob(pattern, 0, NULL, &found))
			continue;
		for (size_t i = 0; i < found.gl_pathc && nr_pythons < MAX_PYTHONS; i++)
			pythons[nr_pythons++] = strdup(found.gl_pathv[i]);
		globfree(&found);
	}
}

/* Ends the program if it cannot run here. */
static inline void require_host(void)
{
	const char *why = NULL;
	struct probes *probes;
	static char reason[256];
	int err = 0;

	find_pythons();
	if (geteuid() != 0)
		why = "needs root";
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		why = "this kernel has no BTF";
	else if (!nr_pythons)
		why = "no CPython 3.9 to 3.13 in " DISTRO_PYTHON " or $PYENV_ROOT/versions";
	else
		err = probes_open(&probes, &probes_default_config, reason, sizeof(reason));
	if (err == -EPERM)
		why = reason;
	else if (!why && !err)
		probes_close(probes);
	if (why) {
		printf("SKIP: %s\n", why);
		exit(EXIT_SKIPPED);
	}
	signal(SIGPIPE, SIG_IGN);
	alarm(300); /* nothing here hangs */
}

/* ---- a Python ---- */

struct child {
	pid_t pid;
	int input;
	FILE *output;
	uint32_t target_id;
	struct ev_target target;
};

static const char prelude[] =
	"import asyncio, fcntl, os, select, selectors, socket, subprocess, sys, threading, time\n"
	"def say(*words): print(*words, flush=True)\n"
	"def go():\n"
	"    say('ready')\n"
	"    sys.stdin.readline()\n";

static inline const char *child_line(struct child *child)
{
	static char line[4096];

	if (!fgets(line, sizeof(line), child->output))
		fail_msg("the Python ended early");
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static inline void child_start(struct child *child, const char *python, const char *script)
{
	cleanup_free char *text = NULL;
	int in[2], out[2];

	assert_true(asprintf(&text, "%s%s", prelude, script) > 0);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	fflush(stdout);
	*child = (struct child){ .pid = fork() };
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		execl(python, python, "-X", "utf8", "-c", text, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	child->input = in[1];
	child->output = fdopen(out[0], "r");
	assert_non_null(child->output);
	assert_string_equal(child_line(child), "ready");
}

static inline void child_go(struct child *child)
{
	assert_int_equal(write(child->input, "\n", 1), 1);
}

/* Ends its standard input and waits for it. The status of waitpid(). */
static inline int child_end(struct child *child)
{
	int status = -1;

	close(child->input);
	while (!feof(child->output) && fgetc(child->output) != EOF)
		;
	fclose(child->output);
	waitpid(child->pid, &status, 0);
	return status;
}

/* ---- the kernel half, and what it said ---- */

struct watch {
	struct probes *probes;
	struct ev_head *records[MAX_RECORDS];
	unsigned nr, nr_invalid;
	uint32_t last_target_id;
};

static inline struct watch *watch_open(const struct probes_config *config)
{
	struct watch *w = calloc(1, sizeof(*w));
	char why[256] = "";

	assert_non_null(w);
	if (probes_open(&w->probes, config, why, sizeof(why)))
		fail_msg("%s", why);
	return w;
}

static inline void watch_close(struct watch *w)
{
	probes_close(w->probes);
	for (unsigned i = 0; i < w->nr; i++)
		free(w->records[i]);
	free(w);
}

static inline int watch_keep(void *ctx, void *record, size_t size)
{
	struct watch *w = ctx;
	const struct ev_head *ev;

	if (w->nr == MAX_RECORDS || decode(record, size, &ev)) {
		w->nr_invalid++;
		return 0;
	}
	w->records[w->nr] = malloc(size);
	memcpy(w->records[w->nr++], record, size);
	return 0;
}

/* Takes out all that waits; a record that does not decode fails the test. */
static inline void watch_drain(struct watch *w)
{
	assert_true(probes_consume(w->probes, watch_keep, w) >= 0);
	assert_int_equal(w->nr_invalid, 0);
}

static inline void watch_layout(struct watch *w, struct child *child, pid_t pid)
{
	identify_process(pid, &child->target);
	if (child->target.status != TARGET_OK)
		fail_msg("pid %d: %s", pid, child->target.reason);
	assert_int_equal(probes_watch(w->probes, pid, child->target_id, &child->target.layout), 0);
}

/* Starts a Python, watches it, lets it go. */
static inline void watch_run(struct watch *w, struct child *child, const char *python,
			     const char *script)
{
	child_start(child, python, script);
	child->target_id = ++w->last_target_id;
	watch_layout(w, child, child->pid);
	child_go(child);
}

#define ANY_TARGET 0

/* The number of such records so far. */
static inline unsigned watch_count(const struct watch *w, uint32_t type, uint32_t target_id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->nr; i++)
		n += w->records[i]->type == type &&
		     (target_id == ANY_TARGET || w->records[i]->target_id == target_id);
	return n;
}

/* The nth (from 0) such record so far; NULL: none. */
static inline const void *watch_nth(const struct watch *w, uint32_t type, uint32_t target_id,
				    unsigned nth)
{
	for (unsigned i = 0; i < w->nr; i++) {
		if (w->records[i]->type != type ||
		    (target_id != ANY_TARGET && w->records[i]->target_id != target_id))
			continue;
		if (nth-- == 0)
			return w->records[i];
	}
	return NULL;
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Waits for the nth such record. */
static inline const void *watch_await(struct watch *w, uint32_t type, uint32_t target_id,
				      unsigned nth)
{
	struct pollfd ring = { .fd = probes_ring_fd(w->probes), .events = POLLIN };
	uint64_t deadline_ns = now_ns() + DEADLINE_NS;
	const void *found;

	for (;;) {
		watch_drain(w);
		found = watch_nth(w, type, target_id, nth);
		if (found)
			return found;
		if (now_ns() > deadline_ns)
			fail_msg("no record %s", decode_name(type));
		poll(&ring, 1, 20); /* most records ask for no wake-up */
	}
}

/* Lets the Python end and takes in all it made. */
static inline int watch_end(struct watch *w, struct child *child)
{
	int status = child_end(child);

	watch_await(w, EV_EXIT, child->target_id, 0);
	return status;
}

static inline const struct ev_stack *watch_stack(const struct watch *w, uint64_t stack_id)
{
	for (unsigned i = 0; i < w->nr; i++) {
		const struct ev_stack *stack = (const void *)w->records[i];

		if (stack->head.type == EV_STACK && stack->stack_id == stack_id)
			return stack;
	}
	fail_msg("stack %llx was never sent", (unsigned long long)stack_id);
	return NULL;
}

/* The longest sleep in such a system call (-1: any); fails if there is none. */
static inline const struct ev_sleep *watch_sleep(const struct watch *w, uint32_t target_id,
						 int syscall)
{
	const struct ev_sleep *best = NULL, *sleep;

	for (unsigned i = 0; (sleep = watch_nth(w, EV_SLEEP, target_id, i)); i++) {
		if ((syscall < 0 || sleep->syscall == syscall) &&
		    (!best || sleep->total_ns > best->total_ns))
			best = sleep;
	}
	if (!best)
		fail_msg("no sleep in system call %d", syscall);
	return best;
}

static inline const struct ev_iteration *watch_iteration(const struct watch *w,
							 const struct ev_sleep *sleep)
{
	const struct ev_iteration *it;

	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, sleep->head.target_id, i)); i++)
		if (it->iteration == sleep->iteration && it->head.loop_id == sleep->head.loop_id)
			return it;
	fail_msg("the iteration of a sleep was never sent");
	return NULL;
}

/* Its parts add up exactly. */
static inline void assert_adds_up(const struct ev_iteration *it)
{
	uint64_t sum = it->on_cpu_ns + it->run_queue_ns;

	for (int i = 1; i < OFF_CLASS_MAX; i++)
		sum += it->off_ns[i];
	assert_int_equal(it->off_ns[OFF_RUNNABLE], 0);
	assert_true(it->end_ns >= it->start_ns);
	assert_int_equal(it->end_ns - it->start_ns, sum);
}

#endif
