/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The daemon's end of the reader process: asks, and hands the answers on as records.
 *
 * All memory and all files of a target are read by another process, because a read can block for ever
 * and because what is read is hostile.  Nothing here waits: a request is queued, the answer arrives on
 * reader_fd().  A request that is not answered within READER_DEADLINE_NS gets the reader killed and
 * replaced, is answered with CODE_STUCK or TARGET_STUCK, and its target is never asked about again.
 */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"

#define READER_DEADLINE_NS (2 * 1000000000ULL)

struct reader;

/*
 * Called for every answer: an ev_target, ev_code, ev_thread, ev_probes, ev_loops or ev_tasks, checked for its size,
 * valid during the call.
 */
typedef void (*reader_answer_fn)(void *ctx, const struct ev_head *record);

struct reader_stats {
	uint64_t asked, failed; /* names of code */
	uint64_t refused;	/* names that there was no room for, or of who is stuck; of nothing else */
	uint64_t restarts;
	bool is_up; /* false: its process could not be started, or died too often to be started at once */
};

/* Starts the process (this very executable with a hidden command, nothing inherited but the socket). */
int reader_start(struct reader **out, reader_answer_fn on_answer, void *ctx);
/* Kills it. NULL is fine. */
void reader_free(struct reader *reader);

/*
 * Readable when there are answers, or when the process died; the same through all restarts.  Answers of
 * reader_ask_tasks() alone do not make it readable: the next tick takes them.
 */
int reader_fd(const struct reader *reader);
/* Takes what has arrived.  Returns 0, or a negative errno if the process died and could not be replaced. */
int reader_dispatch(struct reader *reader, uint64_t now_ns);
/* Takes what has arrived and ends what is overdue.  Call it with every tick. */
int reader_expire(struct reader *reader, uint64_t now_ns);

/* Asks what a process is; the answer is an ev_target with this target_id. */
int reader_ask_target(struct reader *reader, uint32_t target_id, pid_t pid, uint64_t now_ns);
/* Asks for the names of a code object of a target that was answered with TARGET_OK; answer: ev_code. */
int reader_ask_code(struct reader *reader, const struct ev_target *target, uint64_t code_addr,
		    uint32_t fingerprint, uint64_t now_ns);
/* Asks what a thread of such a target is called; answer: ev_thread. */
int reader_ask_thread(struct reader *reader, const struct ev_target *target, uint64_t ident,
		      uint32_t tid, uint64_t now_ns);
/* Asks where the USDT probes of such a target are; answer: ev_probes. */
int reader_ask_probes(struct reader *reader, const struct ev_target *target, uint64_t now_ns);
/* Asks which loops run in such a target; answer: ev_loops. */
int reader_ask_loops(struct reader *reader, const struct ev_target *target, uint64_t now_ns);
/* Asks how many tasks such a target has; answer: ev_tasks. */
int reader_ask_tasks(struct reader *reader, const struct ev_target *target, uint64_t now_ns);
/* Instead of READER_DEADLINE_NS, from now on: for who waits for the answers, and has many to wait for. */
void reader_set_deadline(struct reader *reader, uint64_t deadline_ns);
/* The target ended: what is queued for it is dropped, its number can be forgotten. */
void reader_forget(struct reader *reader, uint32_t target_id);

/* Requests that are not answered yet. */
unsigned reader_pending(const struct reader *reader);
/* Of which those of what has happened: names of code, threads of stacks. */
unsigned reader_pending_names(const struct reader *reader);
void reader_get_stats(const struct reader *reader, struct reader_stats *stats);

/* The reader process itself: `loophound` with the hidden command calls this and exits with its result. */
int reader_main(int socket_fd);

#endif
