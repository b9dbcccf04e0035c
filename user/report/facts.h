/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What both reporters say in the same words and figures. */
#ifndef FACTS_H
#define FACTS_H

#include "report.h"

/* The kind of a loop, the status of a target, in one word: "asyncio", "not-python". */
const char *facts_loop_kind(uint32_t kind);
/* Why the stalls of such a loop are not reported, a sentence; NULL: they are. */
const char *facts_loop_unsupported(uint32_t kind);
const char *facts_target_status(uint8_t status);
/* The state of a task, what became of counting them, in one word likewise. */
const char *facts_task_state(enum task_state state);
const char *facts_tasks_status(enum tasks_status status);
/* Why a stack is not whole, in one word and in a sentence's end; NULL: it is whole. stack may be
 * NULL. */
const char *facts_stack_status(const struct finding *finding);
const char *facts_status_of_stack(const struct stack *stack);
const char *facts_stack_reason(const struct finding *finding);
/* The stack that the finding shows is not known, or a frame of it has no name. */
bool facts_is_incomplete(const struct finding *finding);
/* Its duration, or gc and import in its split, come from samples and not from the interpreter's probes. */
bool facts_is_estimated(const struct finding *finding);
/* Why a frame has no name, for people. */
const char *facts_frame_reason(enum frame_naming naming);

/* "3.11.2" or "3.14.0rc1" of a sys.hexversion; empty if 0. */
#define FACTS_VERSION_LEN 24
void facts_python(uint32_t version, char out[FACTS_VERSION_LEN]);
/* Of a target's flags: whether its threads take turns; and, of a free-threaded build, ", free-threaded: no GIL". */
bool facts_has_gil(uint8_t flags);
const char *facts_threading(uint8_t flags);

/* "2026-11-23T06:00:00.123456Z" */
#define FACTS_TIME_LEN 40
void facts_time(const struct session *session, uint64_t ts_ns, char out[FACTS_TIME_LEN]);

/* The sum of an iteration's parts, which is its length. */
uint64_t facts_iteration_ns(const struct ev_iteration *ev);

/* What a loop did since it was found, and between its last two counters. Ratios are NAN if no time
 * passed. */
struct loop_facts {
	double utilization, interval_utilization;
	uint64_t interval_iterations;
	uint64_t p50_ns, p99_ns;		   /* of all iterations */
	uint64_t interval_p50_ns, interval_p99_ns; /* of those in the interval */
};
void facts_loop(const struct loop *loop, struct loop_facts *out);
/* That part of it, which takes no look at a histogram; NAN: unknown. */
double facts_interval_utilization(const struct loop *loop);

/* The name of a counter in the schema: "ring_full". */
extern const char *const facts_stat_names[STAT_MAX];

#endif
