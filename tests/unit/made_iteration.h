/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Iterations, stacks and sleeps made by hand, for the tests of rules and reports. */
#ifndef MADE_ITERATION_H
#define MADE_ITERATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "rules.h"
#include "util.h"

#define MSEC	      NSEC_PER_MSEC
#define START	      (1000 * NSEC_PER_SEC)
#define SITE_PACKAGES "/srv/venv/lib/python3.11/site-packages/"
#define STDLIB	      "/usr/lib/python3.11/"

static inline struct frame frame_at(const char *file, int32_t line, const char *function)
{
	const char *dot = strrchr(function, '.');

	return (struct frame){
		.function = function, .name = dot ? dot + 1 : function, .file = file, .line = line
	};
}

static inline struct frame coroutine_at(const char *file, int32_t line, const char *function)
{
	struct frame frame = frame_at(file, line, function);

	frame.is_coroutine = true;
	return frame;
}

static inline void push(struct stack *stack, struct frame frame)
{
	stack->frames[stack->nr++] = frame;
	stack->id = stack->id * 31 + (uint64_t)frame.line + strlen(frame.function) + 1;
}

/* The frames below every callback: what runs the loop, down to the script. */
static inline void push_loop(struct stack *stack)
{
	push(stack, frame_at(STDLIB "asyncio/events.py", 80, "Handle._run"));
	push(stack, frame_at(STDLIB "asyncio/base_events.py", 1922, "BaseEventLoop._run_once"));
	push(stack, frame_at(STDLIB "asyncio/base_events.py", 607, "BaseEventLoop.run_forever"));
	push(stack, frame_at(STDLIB "asyncio/runners.py", 190, "run"));
	push(stack, frame_at("/srv/shop/app.py", 200, "<module>"));
}

struct made {
	struct target target;
	struct loop loop;
	struct iteration iteration;
	struct sleep sleeps[300];
	struct sample samples[100];
	struct rules_config config;
	struct finding findings[RULES_MAX_FINDINGS];
};

static inline void made_init(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->target.info.pid = made->target.info.ns_pid = 4711;
	made->target.info.version = 0x030b02f0;
	strcpy(made->target.info.comm, "python3");
	strcpy(made->target.info.exe, "/usr/bin/python3.11");
	made->loop.target = &made->target;
	made->loop.info.pid = made->loop.info.tid = 4711;
	made->loop.info.kind = LOOP_KIND_ASYNCIO;
	made->iteration.loop = &made->loop;
	made->iteration.sleeps = made->sleeps;
	made->iteration.samples = made->samples;
	made->iteration.ev.start_ns = START;
	made->iteration.ev.end_ns = START;
	rules_config_init(&made->config);
}

static inline struct ev_sleep *made_sleep(struct made *made, const struct stack *stack, int syscall,
					  uint64_t asleep_ns)
{
	struct sleep *sleep = &made->sleeps[made->iteration.nr_sleeps++];

	sleep->stack = stack;
	sleep->ev.syscall = syscall;
	sleep->ev.fd = -1;
	sleep->ev.count = 1;
	sleep->ev.args[0] = sleep->ev.args[1] = 1;
	sleep->ev.first_ns = made->iteration.ev.end_ns;
	sleep->ev.asleep_ns = sleep->ev.total_ns = sleep->ev.max_ns = asleep_ns;
	made->iteration.ev.end_ns += asleep_ns;
	made->iteration.ev.off_ns[OFF_SYSCALL] += asleep_ns;
	return &sleep->ev;
}

static inline void made_samples(struct made *made, const struct stack *stack, uint64_t step,
				unsigned int nr)
{
	for (; nr; nr--)
		made->samples[made->iteration.nr_samples++] =
			(struct sample){ .step = step, .stack = stack };
}

static inline unsigned int made_eval(struct made *made)
{
	unsigned int nr =
		rules_eval(&made->config, &made->iteration, made->findings, RULES_MAX_FINDINGS);
	unsigned int i;

	for (i = 0; i < nr; i++)
		rules_describe(&made->findings[i]);
	return nr;
}

static inline void set_peer(struct ev_sleep *ev, const char *ipv4_bytes, uint16_t port)
{
	ev->fd = 7;
	ev->object.kind = OBJECT_SOCKET;
	ev->object.family = AF_INET;
	ev->object.port = port;
	memcpy(ev->object.addr, ipv4_bytes, 4);
}

/* names: components innermost first, each ended by NUL. */
static inline void set_name(struct ev_object *object, uint8_t kind, const char *names, size_t len)
{
	object->kind = kind;
	object->name_len = (uint16_t)len;
	memcpy(object->name, names, len);
}

#endif
