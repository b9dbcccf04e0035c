/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the daemon and the reader process say to each other, one message a packet (SOCK_SEQPACKET).
 * Both ends are the same executable, so there is no version.  Requests are answered strictly in
 * order: the oldest one without an answer is the one the reader is at.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "events.h"

enum protocol_kind {
	PROTOCOL_TARGET = 1,
	PROTOCOL_CODE = 2,
	PROTOCOL_THREAD = 3,
	PROTOCOL_PROBES = 4,
	PROTOCOL_LOOPS = 5,
	PROTOCOL_TASKS = 6,
};

struct protocol_request {
	uint64_t seq; /* the answer repeats it */
	uint32_t kind;
	uint32_t target_id;
	int32_t pid;
	uint32_t fingerprint; /* PROTOCOL_CODE */
	uint32_t tid;	      /* PROTOCOL_THREAD */
	union {
		uint64_t code_addr;
		uint64_t ident; /* PROTOCOL_THREAD */
	};
	/* Not PROTOCOL_TARGET. */
	uint64_t start_ticks; /* which life of the pid is meant; 0: not known */
	struct py_layout layout;
};

/* Of what is told by its name: whoever is not answered leaves something nameless. */
static inline bool protocol_is_name(const struct protocol_request *request)
{
	return request->kind == PROTOCOL_CODE || request->kind == PROTOCOL_THREAD;
}

/* The record (ev_target, ev_code, ev_thread, ev_probes, ev_loops or ev_tasks) follows it in the same packet. */
struct protocol_answer {
	uint64_t seq;
};

#endif
