/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state of a live watch, shared by the files that are the engine: open, feed, run. */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "engine.h"
#include "find.h"
#include "host.h"
#include "probes.h"
#include "reader.h"
#include "stream.h"
#include "targets.h"
#include "util.h"

enum engine_fd { FD_RING, FD_READER, FD_SIGNAL, FD_TICK, FD_RETRY, FD_SERVICE };

/* What was said of a stall while it lasted. */
struct told {
	uint64_t ns;	/* when last */
	uint32_t rules; /* that could be broken by then, a bit each */
};

struct engine {
	const struct opts *opts;
	struct probes *probes;
	struct reader *reader;
	struct targets *targets;
	struct find_filter search; /* of processes that begin */
	struct host *host;
	struct pipeline *pipeline;
	struct recording_writer *recording;
	FILE *out;
	int epoll_fd, signal_fd, tick_fd, retry_fd;
	uint64_t start_ns, end_ns; /* end_ns: 0: no limit */
	uint64_t second_ns;  /* when what is done once a second is done again */
	unsigned seconds;    /* times that it was */
	uint64_t counted_ns; /* when counters entered the stream last */
	uint64_t tick_ns;    /* how far ticks are apart; 0: there are none yet */
	bool is_any_long;	/* at the last tick an iteration was past its target's lowest limit */
	bool *is_loop_alive; /* by loop_id */
	uint32_t *loop_target;
	pid_t *loop_tid; /* in our PID namespace */
	struct told *told; /* by loop_id */
	struct engine_connections *connections;
	uint64_t consumed, consumed_before; /* records of the ring: now, and at the last tick */
	uint64_t ring_full, ring_full_before; /* records that it had no room for: now, and when that was seen to */
	unsigned reconciles_left;
	uint64_t look_again_ns; /* at the ring: see LOOK_AGAIN_NS; UINT64_MAX: no need */
	unsigned nr_at_once; /* records taken out of the ring in this turn */
	int err;	  /* first error that ends the watch */
	bool has_child_ended; /* and was waited for */
};

uint64_t engine_now_ns(void); /* CLOCK_MONOTONIC */
/* Whether a service was asked to reload since the last call. */
bool engine_take_reload(void);
/* The file that the report goes to, for messages. */
const char *engine_output_name(const struct engine *engine);
void engine_set_timer(int fd, uint64_t first_ns, uint64_t period_ns);
/* How far ticks are apart: further while nothing happens. */
void engine_set_pace(struct engine *engine, bool is_calm);
/* 0 or a negative errno. */
int engine_add_fd(struct engine *engine, int fd, enum engine_fd what);

/* The rules that hold for a target. */
const struct rules_config *engine_rules_of(const struct engine *engine, uint32_t target_id);
/* What the kernel half has to report, by all rules that hold for anybody. */
void engine_fill_limits(const struct engine *engine, struct probes_config *config);
/* A targets_gone_fn. */
void engine_on_let_go(void *ctx, const struct ev_head *ev);
/* Hands a service's selection to the targets. */
void engine_use_selection(struct engine *engine);

/* Every record of the watch passes here, once, in order: to the recording and through the pipeline. */
void engine_feed(struct engine *engine, const struct ev_head *ev);
/* What has been reported so far reaches its reader. */
void engine_flush(struct engine *engine);
/* A record that is nothing but its head: EV_TICK, EV_END. */
void engine_feed_head(struct engine *engine, enum ev_type type, uint64_t now_ns);
/* What the kernel half and the reader have counted, of every loop and of losses. */
void engine_feed_counters(struct engine *engine, uint64_t now_ns);
/* Quick calls that the kernel half keeps back: of a loop or (EV_NO_LOOP) all, of stacks not seen since. */
void engine_feed_latent(struct engine *engine, uint32_t loop_id, uint64_t since_ns);
/* Iterations that last: ITERATION_UNDER_WAY, or ITERATION_UNSEEN when the watch ends. */
void engine_feed_ongoing(struct engine *engine, uint64_t now_ns, enum iteration_end end);
/* The host is looked at as long as a loop of a target lives. */
void engine_note_loop(struct engine *engine, const struct ev_head *ev, uint64_t now_ns);
/* The evidence for an iteration that waited long for a CPU, if it did. head says whose it is. */
void engine_feed_host(struct engine *engine, const struct ev_head *head,
		      const struct ev_iteration *iteration, uint64_t now_ns);
/* What was said of connections so far. NULL: no memory. */
struct engine_connections *engine_connections_new(void);
void engine_connections_free(struct engine_connections *state);
/*
 * The end of a process is told before its sockets are closed: waits until those of all that ended are, 100 ms at most,
 * since a process that nobody watches may have one, too.
 */
void engine_wait_closed(struct engine *engine);
/* The counters of each destination that changed; a window ends with it. */
void engine_feed_connections(struct engine *engine, uint64_t now_ns);
/* Sockets that a process has open are counted from here on. */
void engine_look_at_connections(struct engine *engine, pid_t pid);
/* All targets are looked at, if it is time. */
void engine_round_of_connections(struct engine *engine, uint64_t now_ns);
/* Takes what waits in the ring, up to a bound. True: there is more, and the next turn comes at once. */
bool engine_feed_ring(struct engine *engine);
/* A reader_answer_fn. */
void engine_feed_answer(void *ctx, const struct ev_head *ev);

#endif
