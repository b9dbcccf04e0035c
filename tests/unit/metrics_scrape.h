/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records to a model and to the sums beside it, and what a scrape of them shows. */
#ifndef METRICS_SCRAPE_H
#define METRICS_SCRAPE_H

#include "records.h"

#include "metrics.h"
#include "util.h"

static struct metrics_config config;
static struct metrics *metrics;
static struct model *model;
static char *text;
static size_t text_bytes;

static inline int setup(void **state)
{
	(void)state;
	config = metrics_default_config;
	assert_int_equal(metrics_new(&metrics, &config), 0);
	model = new_model(&model_default_bounds);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	metrics_free(metrics);
	model_free(model);
	free(text);
	text = NULL;
	return 0;
}

static inline void restart(void)
{
	metrics_free(metrics);
	assert_int_equal(metrics_new(&metrics, &config), 0);
}

/* Through the model first, as in the pipeline. */
static inline void put(void *record)
{
	struct ev_head *head = record;

	head->ts_ns = now_ns;
	add(model, head);
	assert_int_equal(metrics_add_record(metrics, model, head), 0);
}

static inline const char *scrape(enum exposition_format format)
{
	struct exposition e = { .format = format };

	free(text);
	e.out = open_memstream(&text, &text_bytes);
	assert_non_null(e.out);
	metrics_write(metrics, model, &e);
	exposition_end(&e);
	fclose(e.out);
	return text;
}

static inline void assert_line(const char *line)
{
	size_t length = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[length] == '\n')
			return;
	fail_msg("no line %s in\n%s", line, text);
}

static inline unsigned count_of(const char *part)
{
	unsigned nr = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		nr++;
	return nr;
}

static inline void put_target(uint32_t target, const char *exe, const char *container)
{
	struct ev_target ev = { HEAD(TARGET, target, EV_NO_LOOP), .status = TARGET_OK,
				.pid = 1000 + target, .version = 0x030b02f0 };

	ev.layout.minor = 11;
	snprintf(ev.exe, sizeof(ev.exe), "%s", exe);
	snprintf(ev.container, sizeof(ev.container), "%s", container);
	put(&ev);
}

static inline void put_loop(uint32_t target, uint32_t loop)
{
	struct ev_loop ev = { HEAD(LOOP, target, loop), .pid = 1000 + target, .tid = 1000 + target,
			      .ns_tid = 1000 + target, .kind = LOOP_KIND_ASYNCIO };

	put(&ev);
}

static inline void put_stats(uint32_t target, uint32_t loop, uint64_t iterations, uint64_t busy_ms)
{
	struct ev_loop_stats ev = { HEAD(LOOP_STATS, target, loop),
				    .counters = { .iterations = iterations,
						  .busy_ns = busy_ms * MSEC,
						  .idle_ns = 2 * busy_ms * MSEC } };

	ev.counters.hist[hist_bucket(MSEC)] = iterations;
	put(&ev);
}

#define PUT(upper, type, target, loop)                         \
	do {                                                   \
		struct type ev = { HEAD(upper, target, loop) }; \
		put(&ev);                                      \
	} while (0)
#define put_loop_exit(target, loop) PUT(LOOP_EXIT, ev_loop_exit, target, loop)
#define put_exit(target)	    PUT(EXIT, ev_exit, target, EV_NO_LOOP)
#define put_tick()		    PUT(TICK, ev_tick, 0, EV_NO_LOOP)

static inline void start(uint32_t target, uint32_t loop)
{
	put_target(target, "/usr/bin/python3.11", "");
	put_loop(target, loop);
}

static inline void end(uint32_t target, uint32_t loop)
{
	put_loop_exit(target, loop);
	put_exit(target);
}

static inline const struct iteration *put_iteration(uint32_t target, uint32_t loop)
{
	struct ev_iteration ev = { HEAD(ITERATION, target, loop),
				   .iteration = 1,
				   .start_ns = now_ns - 100 * MSEC,
				   .end_ns = now_ns,
				   .on_cpu_ns = 30 * MSEC,
				   .gc_on_cpu_ns = 10 * MSEC,
				   .run_queue_ns = 20 * MSEC,
				   .off_ns = { [OFF_SYSCALL] = 50 * MSEC } };

	add(model, &ev);
	return model_next_iteration(model);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
