/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The processes of a watch: which are followed, which are identified, which must be asked again.
 * Decides when the reader is asked what a process is, and tells the kernel half what it answered.
 */
#ifndef TARGETS_H
#define TARGETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"
#include "find.h"
#include "policies.h"
#include "probes.h"
#include "reader.h"
#include "selection.h"

struct targets;

/* Gets an ev_exit of one that is watched no more, though it may live. */
typedef void targets_gone_fn(void *ctx, const struct ev_head *ev);
/* ctx is for what the targets call back. All of it is the caller's and outlives the targets. 0 or -ENOMEM. */
int targets_new(struct targets **out, struct probes *probes, struct reader *reader, targets_gone_fn *on_let_go,
		void *ctx);
void targets_free(struct targets *targets);

/*
 * From now on processes that begin and pass are watched, if the kernel half tells of them (finds_new).  The
 * filter is the caller's and outlives the targets.
 */
void targets_search(struct targets *targets, const struct find_filter *filter);

/*
 * Of those only whom the selection is about; each is assigned its policy.  Both are the caller's and outlive the
 * targets.
 */
void targets_use_selection(struct targets *targets, const struct selection *selection,
			   struct policies *policies);
/*
 * Adds all processes that the selection is about, by add_pid (0 or a negative errno).  is_anew: it has changed, so
 * who is watched already is watched by another selector, or let go of.  How many it is about; negative errno.
 */
typedef int targets_add_fn(void *ctx, pid_t pid);
int targets_search_selected(struct targets *targets, bool is_anew, targets_add_fn *add_pid, uint64_t now_ns);
/* What comes of it is no news. */
bool targets_is_let_go(const struct targets *targets, uint32_t target_id);

enum targets_why {
	TARGETS_REQUIRED,   /* named by the user: not being Python is an error */
	TARGETS_DESCENDANT, /* a child of such a one, or a program that we start: what it starts is followed */
	TARGETS_SEARCHED,   /* found under /proc: if it is no Python it is forgotten */
};

/* Follows a process and asks what it is. 0, or a negative errno: -ESRCH: it is gone, -E2BIG: there is no room. */
int targets_add(struct targets *targets, pid_t pid, enum targets_why why, uint64_t now_ns);

/* What the kernel half said. */
void targets_on_fork(struct targets *targets, const struct ev_fork *ev, uint64_t now_ns);
void targets_on_exec(struct targets *targets, const struct ev_exec *ev, uint64_t now_ns);
/* One that began is watched if it passes the search or descends from a target; else it is let go. */
void targets_on_spawn(struct targets *targets, const struct ev_spawn *ev, uint64_t now_ns);
void targets_on_exit(struct targets *targets, const struct ev_exit *ev);
/* A loop runs in it: what was not imported yet when it was looked at is there now, and asked for. */
void targets_on_loop(struct targets *targets, const struct ev_loop *ev, uint64_t now_ns);
/* Attaches to its probes. What targets_on_answer() held back and is to be fed now; or NULL. */
const struct ev_target *targets_on_probes(struct targets *targets, const struct ev_probes *ev);
/* What the reader said. True: it is final and worth showing; false: not yet, or it will be asked again. */
bool targets_on_answer(struct targets *targets, const struct ev_target *ev, uint64_t now_ns);

/*
 * With each tick, as long as somebody wants to know: asks how many tasks targets have, none more often than
 * every_ns, and no more of them than the reader has time for.  The answers are records.
 */
void targets_count_tasks(struct targets *targets, uint64_t every_ns, uint64_t now_ns);
void targets_on_tasks(struct targets *targets, const struct ev_tasks *ev);

/*
 * Compares with what the kernel half watches: an exit or an exec whose record was lost in a full ring
 * is made up for, the second time that it is missed.  on_lost gets an ev_exit or ev_exec, as the
 * ring would have brought it.
 */
void targets_reconcile(struct targets *targets, uint64_t now_ns,
		       void (*on_lost)(void *ctx, const struct ev_head *ev), void *ctx);

/* Asks again where it is time to. Returns when it is time next, UINT64_MAX: never. */
uint64_t targets_tick(struct targets *targets, uint64_t now_ns);

/* Whether it is followed. */
bool targets_has(const struct targets *targets, uint32_t target_id);
/* Calls for each process that is followed. */
void targets_each(const struct targets *targets, void (*call)(void *ctx, pid_t pid), void *ctx);
/* Followed processes, identified or not. */
unsigned targets_alive(const struct targets *targets);
/* The identity of a target, for the reader; NULL if it is not known (any more). */
const struct ev_target *targets_find(const struct targets *targets, uint32_t target_id);
/* The first required process that turned out not to be watchable; NULL: none. */
const struct ev_target *targets_failed(const struct targets *targets);

#endif
