/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel half as one object: opens, configures, loads and attaches it, and is the only file that
 * knows its skeleton.  Everything goes when it is closed, or when the process dies.
 */
#ifndef PROBES_H
#define PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "entry.h"
#include "latent.h"
#include "live.h"

/* How loop boundaries are seen. */
enum probes_boundary {
	BOUNDARY_TRACEPOINT = 0, /* tracepoints of the three system calls; needs tracefs and perf_event_open */
	BOUNDARY_RAW = 1,	 /* raw tracepoints of all system calls; costs every process of the host more */
	BOUNDARY_AUTO = 2,	 /* the first that attaches */
};

struct probes_config {
	uint64_t sample_after_ns;   /* age of an iteration from which on it is sampled */
	uint64_t sample_gap_ns;	    /* and at most this often */
	uint64_t report_asleep_ns;  /* kernel-side limits: the lowest of the rules that look at it */
	uint64_t report_on_cpu_ns;
	uint64_t report_starved_ns;
	uint64_t report_gil_ns;
	uint64_t report_gc_ns, report_import_ns;
	uint32_t ring_bytes;	    /* a power of two */
	uint32_t max_targets, max_loops;
	uint32_t max_candidates;    /* processes that are kept in mind beside the targets */
	enum probes_boundary boundary;
	bool finds_new;	  /* processes that begin: an ev_spawn for each that may be a Python */
	bool finds_moved; /* and for those that are moved into another cgroup */
	bool attaches_singly; /* to probes within targets, though the kernel could at once (for tests) */
	bool is_latent; /* quick calls that can block, too: costs calls of the whole host */
	bool is_without_uprobes; /* attaches to no probe of a target: letting go of them takes its time */
	bool has_connections; /* connections are counted */
	uint32_t pid_namespace; /* find_pid_namespace(): the one that all numbers here are of */
	const char *spared; /* program of these that is not attached; "" : they do not load (for tests) */
};
extern const struct probes_config probes_default_config;

struct destinations;
struct probes;
struct usage;

/*
 * Loads and attaches.  Negative errno on failure, with the reason for people in why (NUL-ended);
 * -EPERM and -ENOTSUP mean that this host or this user cannot do it.
 */
int probes_open(struct probes **out, const struct probes_config *config, char *why, size_t why_size);
void probes_close(struct probes *probes);
enum probes_boundary probes_boundary(const struct probes *probes);
/* Whether probes within targets are attached by uprobe_multi. */
bool probes_is_multi(const struct probes *probes);
/* What it holds and costs (usage.h); for as long as it is open. */
struct usage *probes_usage(const struct probes *probes);
/* Their counters (probe/connections.h); NULL: they are not counted. */
struct destinations *probes_destinations(const struct probes *probes);

/* Readable when records wait and one of them asked for a wake-up. */
int probes_ring_fd(const struct probes *probes);
typedef int (*probes_record_fn)(void *ctx, void *record, size_t size);
/* Hands out all records that wait. The number, or the negative result of the function. */
int probes_consume(struct probes *probes, probes_record_fn on_record, void *ctx);

/*
 * Watches a process (its forks and execs are followed); layout NULL: not readable yet.  Replaces what
 * was said before only if that was for the same target_id or for none: an answer that comes late for
 * an image that is gone changes nothing (-ESTALE).  -E2BIG: more targets than slots.
 */
int probes_watch(struct probes *probes, pid_t pid, uint32_t target_id, const struct py_layout *layout);
/*
 * Likewise, not readable yet; start_ticks as in ev_target.  A process that has the number later, because
 * this one's end was not seen, is no target.
 */
int probes_watch_life(struct probes *probes, pid_t pid, uint32_t target_id, uint64_t start_ticks);
/* A watched process is readable now. -ENOENT: it ended; -ESTALE: of an image that is gone. */
int probes_identify(struct probes *probes, pid_t pid, uint32_t target_id, const struct py_layout *layout);
/* More is known of a layout that is in use; all else of the target stays. -ESTALE: of an image that is gone. */
int probes_update_layout(struct probes *probes, pid_t pid, uint32_t target_id,
			 const struct py_layout *layout);
/*
 * It is no target for now.  What it execs is looked at; and so is it itself when it waits for events, unless
 * is_lineage: it is no Python for good, but what it starts descends from a target.
 */
int probes_keep(struct probes *probes, pid_t pid, uint32_t target_id, bool is_lineage);
/* What it starts is watched whatever it is called and wherever it is. */
int probes_set_descendant(struct probes *probes, pid_t pid, uint32_t target_id);
/*
 * It was a target, perhaps with loops, and is none from here on: each loop ends with its next wait, and until then
 * there may be records of it.  An exec is told of as any other, and so is a move to another cgroup.
 */
int probes_let_go(struct probes *probes, pid_t pid, uint32_t target_id);
int probes_unwatch(struct probes *probes, pid_t pid, uint32_t target_id);

/* From now on, as in probes_config: limits, and the age from which on an iteration is sampled. */
void probes_set_limits(struct probes *probes, const struct probes_config *limits);
/* Whether moves to another cgroup are told of, if finds_moved; and those of targets. */
void probes_tell_moves(struct probes *probes, bool tells, bool of_targets);

/* What the kernel half watches under that number; 0: nothing. */
uint32_t probes_watched(const struct probes *probes, pid_t pid);
/* Processes that it keeps in mind and does not watch. */
uint32_t probes_candidates(const struct probes *probes);

/*
 * Lets go of the hints of numbers that no watched process has any more: to be doubted first, and cleared a
 * second later or more, so that what is being added meanwhile is there.
 */
void probes_doubt_hints(struct probes *probes);
void probes_clear_hints(struct probes *probes);

/* What the processes of an executable are: decides what becomes of the next ones at their exec. */
void probes_learn_exe(struct probes *probes, const struct exe_key *exe, enum exe_kind kind);
/* It could not be found out: not asked about at an exec for a while, longer each time. */
void probes_hold_exe(struct probes *probes, const struct exe_key *exe);

/* Attaches to the probes that the target's build has. How many sites; negative errno: none, no failure. */
int probes_attach(struct probes *probes, const struct ev_probes *where);
#define PROBES_OF_ALL UINT32_MAX
/* PROBES_OF_ALL: from all targets, for good; none is attached any more. It goes on beside the caller. */
void probes_detach(struct probes *probes, uint32_t target_id);

/* Counters of a loop as they are now; NULL: no such slot. */
const struct loop_counters *probes_loop_counters(const struct probes *probes, uint32_t loop_id);
/* How far its iteration is; it changes while it is looked at: see engine_ongoing.c. NULL: no such slot. */
const volatile struct loop_live *probes_loop_live(const struct probes *probes, uint32_t loop_id);
/* Gives a slot back after its EV_LOOP_EXIT was seen. */
void probes_release_loop(struct probes *probes, uint32_t loop_id);

/* Quick calls that the kernel half keeps back: see latent_take_unsent(). Nothing unless is_latent. */
void probes_take_latent(struct probes *probes, uint32_t loop_id, uint64_t since_ns,
			latent_record_fn on_record, void *ctx);

/* Adds the kernel half's counters up. */
void probes_stats(const struct probes *probes, uint64_t stats[STAT_MAX]);

/* libbpf's own messages go to log_debug. */
void probes_quiet_libbpf(void);

#endif
