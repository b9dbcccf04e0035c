/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A live watch: the kernel's ring, the reader's answers and the clock become one stream of records,
 * which goes to the recording (if any) and through the pipeline.  One thread, one epoll set.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "opts.h"
#include "report.h"
#include "targets.h"

struct engine;

/*
 * What makes a watch a service: it goes on without targets, SIGHUP is a wish, and one more descriptor is
 * looked after.
 */
struct engine_service {
	int fd; /* readable: on_fd */
	void (*on_fd)(void *ctx, uint64_t now_ns);
	void (*on_tick)(void *ctx, uint64_t now_ns);
	void (*on_reload)(void *ctx);
	void *ctx;
	void *sink;
	struct metrics *metrics;
	const struct selection *selection; /* who is watched */
	struct policies *policies;	   /* and by which rules */
};

/*
 * Opens outputs, starts the reader, loads and attaches the kernel half, says so (`session`).
 * An exit code; EXIT_OK: *out is to be freed.  Messages are printed.
 */
int engine_open(struct engine **out, const struct opts *opts);
void engine_free(struct engine *engine);

/* Follows a process from now on. 0 or a negative errno. */
int engine_watch_pid(struct engine *engine, pid_t pid, enum targets_why why);

/* Processes that are followed now, identified or not. */
unsigned engine_targets(const struct engine *engine);

/*
 * Watches until the duration is over, a signal comes, or no target is left; then prints the summary.
 * child: a process whose end ends the watch, 0: none; *child_status is then as wait(2) gives it.
 */
int engine_run(struct engine *engine, pid_t child, int *child_status);
/* Whether child of engine_run() has ended and *child_status is set. */
bool engine_child_ended(const struct engine *engine);
/* Watches all that a service's selection is about. 0 or a negative errno. */
int engine_search_selected(struct engine *engine);
/*
 * A service's selection and policies have changed in place: who is watched already is watched by them from here on,
 * or let go of, and who is not may be.  0 or a negative errno: no process could be listed.
 */
int engine_reselect(struct engine *engine);
/* What keeps the policies from being in force before a restart; NULL: nothing. */
const char *engine_needs_restart(const struct engine *engine);
/* Who is about to show what is known has it as it is now, or as it was a second ago. */
void engine_refresh(struct engine *engine, uint64_t now_ns);
/* With a tick: goes on counting the tasks of targets, of each so often. */
void engine_count_tasks(struct engine *engine, uint64_t every_ns, uint64_t now_ns);
/* The signal that ended the watch; 0: none. */
int engine_caught_signal(void);
/* The clock that everything here is timed by: CLOCK_MONOTONIC, in ns. */
uint64_t engine_now(void);
/* What is known, for who shows it while the watch goes on. */
const struct model *engine_model(const struct engine *engine);
const struct probes *engine_probes(const struct engine *engine);
const struct reader *engine_reader(const struct engine *engine);
/* It was typed at the terminal, whose whole process group got it: Ctrl-C. */
bool engine_was_typed(void);

#endif
