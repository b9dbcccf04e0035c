/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Adds records to a model the short way, each through the decoder: no test relies on a bad one. */
#ifndef RECORDS_H
#define RECORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "stream.h"

#define MSEC 1000000ULL

static uint64_t now_ns; /* ts_ns of the next record */

static inline void add(struct model *model, void *record)
{
	struct ev_head *head = record;
	const struct ev_head *ev;

	head->ts_ns = now_ns;
	assert_int_equal(decode(record, head->size, &ev), 0);
	assert_int_equal(model_add(model, ev), 0);
}

#define HEAD(upper, target, loop) \
	.head = { .type = EV_##upper, .size = sizeof(ev), .target_id = (target), .loop_id = (loop) }

static inline void add_target(struct model *model, uint32_t target, uint8_t status)
{
	struct ev_target ev = {
		HEAD(TARGET, target, EV_NO_LOOP), .status = status,  .pid = 1000 + target,
		.ns_pid = 1000 + target,	  .comm = "python3", .exe = "/usr/bin/python3"
	};

	ev.layout.minor = 11;
	add(model, &ev);
}

static inline void add_loop(struct model *model, uint32_t target, uint32_t loop, uint32_t tid)
{
	struct ev_loop ev = { HEAD(LOOP, target, loop), .pid = 1000 + target, .tid = tid,
			      .kind = LOOP_KIND_ASYNCIO };

	add(model, &ev);
}

static inline void add_loop_exit(struct model *model, uint32_t target, uint32_t loop)
{
	struct ev_loop_exit ev = { HEAD(LOOP_EXIT, target, loop) };

	add(model, &ev);
}

static inline void add_exit(struct model *model, uint32_t target)
{
	struct ev_exit ev = { HEAD(EXIT, target, EV_NO_LOOP) };

	add(model, &ev);
}

static inline void add_fork(struct model *model, uint32_t parent, uint32_t child)
{
	struct ev_fork ev = { HEAD(FORK, child, EV_NO_LOOP), .parent_pid = 1000 + parent,
			      .child_pid = 1000 + child, .parent_target_id = parent };

	add(model, &ev);
}

/* Frames at code addresses first, first + 1, ...; offset 2 each. */
static inline void add_stack(struct model *model, uint32_t target, uint64_t id, uint64_t first,
			     unsigned nr)
{
	struct {
		struct ev_stack ev;
		struct ev_frame frames[EV_MAX_FRAMES];
	} rec = { .ev = { .head = { .type = EV_STACK, .target_id = target, .loop_id = EV_NO_LOOP },
			  .stack_id = id,
			  .nr_frames = nr } };

	rec.ev.head.size = sizeof(rec.ev) + nr * sizeof(rec.frames[0]);
	for (unsigned i = 0; i < nr; i++)
		rec.frames[i] = (struct ev_frame){ first + i, 2, 77 };
	add(model, &rec);
}

/* Names: "f<addr>" in "/f.py", qualified "C.f<addr>"; a 3.11 table: lines 10 and 11 for offsets
 * 0, 2. */
static inline void add_code(struct model *model, uint32_t target, uint64_t addr, uint8_t status)
{
	struct {
		struct ev_code ev;
		char data[64];
	} rec = { .ev = { .head = { .type = EV_CODE, .target_id = target, .loop_id = EV_NO_LOOP },
			  .code_addr = addr,
			  .fingerprint = 77,
			  .co_flags = 0x80,
			  .firstlineno = 10,
			  .minor = 11,
			  .status = status } };
	int name = snprintf(rec.data, sizeof(rec.data), "/f.pyf%lluC.f%llu",
			    (unsigned long long)addr, (unsigned long long)addr) -
		   7;

	rec.ev.filename_bytes = 5;
	rec.ev.name_bytes = name / 2;
	rec.ev.qualname_bytes = name / 2 + 2;
	memcpy(rec.data + name + 7, "\xe8\x00\xe8\x02", 4);
	rec.ev.table_bytes = 4;
	rec.ev.head.size = sizeof(rec.ev) + 5 + name / 2 * 2 + 2 + 4;
	add(model, &rec);
}

static inline void add_sleep(struct model *model, uint32_t loop, uint64_t iteration, uint64_t stack,
			     uint64_t first_ns, int32_t fd)
{
	struct ev_sleep ev = { HEAD(SLEEP, 0, loop),
			       .iteration = iteration,
			       .stack_id = stack,
			       .first_ns = first_ns,
			       .last_ns = first_ns + 10,
			       .total_ns = 10,
			       .asleep_ns = 9,
			       .max_ns = 10,
			       .count = 1,
			       .syscall = 230,
			       .fd = fd };

	add(model, &ev);
}

static inline void add_sample(struct model *model, uint32_t loop, uint64_t iteration,
			      uint64_t stack)
{
	struct ev_sample ev = { HEAD(SAMPLE, 0, loop), .iteration = iteration, .stack_id = stack };

	add(model, &ev);
}

static inline void add_iteration(struct model *model, uint32_t target, uint32_t loop,
				 uint64_t iteration, uint32_t nr_sleeps, uint32_t nr_samples)
{
	struct ev_iteration ev = { HEAD(ITERATION, target, loop),
				   .iteration = iteration,
				   .start_ns = 100,
				   .end_ns = 200,
				   .on_cpu_ns = 100,
				   .nr_sleeps = nr_sleeps,
				   .nr_samples = nr_samples };

	add(model, &ev);
}

static inline void add_tick(struct model *model)
{
	struct ev_tick ev = { HEAD(TICK, 0, EV_NO_LOOP) };

	add(model, &ev);
}

static inline void add_end(struct model *model)
{
	struct ev_end ev = { HEAD(END, 0, EV_NO_LOOP) };

	add(model, &ev);
}

static inline struct model *new_model(const struct model_bounds *bounds)
{
	struct model *model;

	now_ns = 1000 * MSEC;
	assert_int_equal(model_new(&model, bounds), 0);
	return model;
}

static inline unsigned count_wants(struct model *model)
{
	struct model_want want;
	unsigned nr = 0;

	while (model_next_want(model, &want))
		nr++;
	return nr;
}

static inline uint64_t stat_of(const struct model *model, unsigned stat)
{
	struct ev_loss loss;

	model_loss(model, &loss);
	return loss.stats[stat];
}

#endif
