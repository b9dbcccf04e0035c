/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records through the whole pipeline to both forms of report, and from a watch into its stream. */
#include "engine_feed.c"

#include "report_output.h"

#include <errno.h>

#define HEAD(upper, type_of, at) .head = { EV_##upper, sizeof(struct type_of), START + (at), 1, 0 }

static void feed(struct pipeline *pipeline, const void *record)
{
	assert_int_equal(pipeline_add(pipeline, record, ((const struct ev_head *)record)->size), 0);
}

static void feed_watch(struct pipeline *pipeline)
{
	struct ev_target target = { HEAD(TARGET, ev_target, 0), .pid = 4711, .comm = "python3",
				    .version = 0x030b02f0 };
	struct ev_loop loop = { HEAD(LOOP, ev_loop, 1), .pid = 4711, .tid = 4711,
				.kind = LOOP_KIND_ASYNCIO };
	struct ev_loop_stats stats = { HEAD(LOOP_STATS, ev_loop_stats, NSEC_PER_SEC),
				       .counters = { .iterations = 3,
						     .busy_ns = 250 * MSEC,
						     .idle_ns = 750 * MSEC,
						     .max_ns = 150 * MSEC } };
	struct ev_loss loss = { HEAD(LOSS, ev_loss, NSEC_PER_SEC),
				.stats = { [STAT_RING_FULL] = 1234 } };
	struct ev_end end = { HEAD(END, ev_end, 2 * NSEC_PER_SEC) };
	unsigned int i;

	stats.counters.hist[0] = 2;
	stats.counters.hist[40] = 1;
	feed(pipeline, &target);
	feed(pipeline, &loop);
	for (i = 0; i < 25; i++) {
		struct ev_sleep sleep = { HEAD(SLEEP, ev_sleep, 20 * MSEC),
					  .iteration = i,
					  .count = 1,
					  .total_ns = 20 * MSEC,
					  .asleep_ns = 20 * MSEC,
					  .fd = -1,
					  .syscall = SYS_clock_nanosleep };
		struct ev_iteration iteration = { HEAD(ITERATION, ev_iteration, 20 * MSEC),
						  .iteration = i,
						  .start_ns = START,
						  .end_ns = START + 20 * MSEC,
						  .off_ns = { [OFF_SYSCALL] = 20 * MSEC },
						  .nr_sleeps = 1 };

		feed(pipeline, &sleep);
		feed(pipeline, &iteration);
	}
	feed(pipeline, &stats);
	feed(pipeline, &loss);
	assert_int_equal(pipeline_add(pipeline, &end, 8), -EBADMSG);
	feed(pipeline, &end);
}

static unsigned int count_of(const char *part)
{
	const char *at = output();
	unsigned int nr = 0;

	for (; (at = strstr(at, part)); at++)
		nr++;
	return nr;
}

static void records_become_json_lines(void **state)
{
	struct pipeline *pipeline;

	(void)state;
	assert_int_equal(pipeline_new(&pipeline, reporter_find("jsonl"), &opts), 0);
	feed_watch(pipeline);
	assert_int_equal(pipeline_breaches(pipeline, RULE_BLOCKING_CALL), 25);
	assert_int_equal(pipeline_breaches(pipeline, RULE_CPU_BOUND), 0);
	assert_non_null(pipeline_model(pipeline));
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_int_equal(count_of("\"type\":\"session\""), 1);
	assert_int_equal(count_of("\"type\":\"target\""), 1);
	assert_int_equal(count_of("\"type\":\"breach\""), 11);
	assert_int_equal(count_of("\"type\":\"loop\""), 1);
	assert_int_equal(count_of("\"type\":\"summary\""), 1);
	assert_has("\"count\":15,\"total_ns\":300000000,\"max_ns\":20000000,");
	assert_has("\"stack_status\":\"missing\"");
	assert_has("\"utilization\":0.2500");
	assert_has("\"watched_ns\":2000000000,\"breaches\":25,\"lines\":11,");
	assert_has("\"ring_full\":1234");
	assert_has("\"records_invalid\":1");
	assert_has("{\"function\":null,\"file\":null,\"line\":null,\"rule\":\"blocking-call\","
		   "\"cause\":\"sleep\","
		   "\"count\":25,\"total_ns\":500000000,\"max_ns\":20000000,\"severity\":\"breach\"}");
	pipeline_free(pipeline);
}

static void records_become_text(void **state)
{
	struct pipeline *pipeline;

	(void)state;
	assert_int_equal(pipeline_new(&pipeline, reporter_find("text"), &opts), 0);
	feed_watch(pipeline);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_has(
		"loophound 0.1.0  watch -p 4711                           2026-11-23 06:00:00 UTC\n"
		"on web-1, kernel 6.18.0\n"
		"limits: blocking-call 10 ms, cpu-bound 50 ms, gil-wait 20 ms, gc-pause 20 ms,\n"
		"        import-on-loop 20 ms, loop-overload 250 ms, host-starved 50 ms,\n"
		"        unbounded-concurrency 100, connection-churn 10/s, connection-leak 10\n"
		"06:00:00.000  watching python3 4711, CPython 3.11.2\n");
	assert_int_equal(count_of("blocking-call, sleep, 20.0 ms"), 11);
	assert_has(
		"\nWatched for 2.00 s: 25 breaches at 1 site.\n"
		"\n"
		"Loops                           busy iterations        p50        p99        max\n"
		"  python3 4711                25.0 %          3");
	assert_has("  time lost   breaches    longest  cause       site\n"
		   "     500 ms         25    20.0 ms  sleep       stack not readable\n"
		   "\n"
		   "Missed\n"
		   "      1,234  records that the ring had no room for\n"
		   "          1  record that contradicts itself\n");
	check_lines(80);
	pipeline_free(pipeline);
}

static void a_quiet_watch_says_so(void **state)
{
	struct pipeline *pipeline;
	struct ev_end end = { HEAD(END, ev_end, 2 * NSEC_PER_SEC) };

	(void)state;
	assert_int_equal(pipeline_new(&pipeline, &report_text, &opts), 0);
	feed(pipeline, &end);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_has("Watched for 2.00 s: no breach.\n");
	assert_has("No event loop was seen.\n");
	assert_has("Nothing was missed.\n");
	pipeline_free(pipeline);
	assert_null(reporter_find("xml"));
}

/* It is told after 120 ms, and the watch ends that much later. */
static void check_what_lasts(uint64_t later_ns, unsigned int lines)
{
	struct pipeline *pipeline;
	struct ev_ongoing ev = { HEAD(ONGOING, ev_ongoing, 120 * MSEC) };
	unsigned int before = count_of("blocking-call, lock, ");

	assert_int_equal(pipeline_new(&pipeline, &report_text, &opts), 0);
	ev.so_far = (struct ev_iteration){ .start_ns = START, .end_ns = START + 120 * MSEC,
					   .off_ns = { [OFF_SYSCALL] = 120 * MSEC },
					   .end = ITERATION_UNDER_WAY };
	/* Its stack never came. */
	ev.sleep = (struct ev_sleep){ .stack_id = 99, .count = 1, .first_ns = START, .last_ns = START + 120 * MSEC,
				      .total_ns = 120 * MSEC, .asleep_ns = 120 * MSEC,
				      .max_ns = 120 * MSEC, .syscall = SYS_futex, .fd = -1 };
	feed(pipeline, &ev);
	assert_has("blocking-call, lock, 120 ms, and still ");
	assert_int_equal(pipeline_breaches(pipeline, RULE_BLOCKING_CALL), 0);
	ev.so_far.end = ITERATION_UNSEEN;
	ev.so_far.end_ns = ev.head.ts_ns = ev.sleep.last_ns += later_ns;
	ev.sleep.total_ns = ev.sleep.asleep_ns = ev.sleep.max_ns = ev.so_far.off_ns[OFF_SYSCALL] += later_ns;
	feed(pipeline, &ev);
	assert_int_equal(pipeline_breaches(pipeline, RULE_BLOCKING_CALL), 1);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_int_equal(count_of("blocking-call, lock, ") - before, lines);
	assert_has(" ms: 1 breach at 1 site.\n");
	assert_has(" 1  breach reported without all its names\n");
	pipeline_free(pipeline);
}

static void what_lasts_is_told_but_counted_once(void **state)
{
	(void)state;
	check_what_lasts(0, 1); /* it was said a moment ago */
	check_what_lasts(99 * MSEC, 1);
	check_what_lasts(100 * MSEC, 2);
}

/* --- what a watch puts into its stream; kernel half, reader and targets are made up --- */

static struct ev_target asked_target = { .head = { EV_TARGET, sizeof(asked_target), START, 1, EV_NO_LOOP },
					 .pid = 4711, .status = TARGET_OK };
static struct {
	unsigned room;	  /* of the reader's queue */
	uint64_t asked[8];
	struct reader_stats stats;
	const struct ev_head *in_ring;
	size_t ring_bytes;
	uint32_t let_go; /* a target */
	uint32_t nr_released; /* slots of loops */
} fake;

const struct probes_config probes_default_config = { .max_loops = 0 };

uint64_t engine_now_ns(void)
{
	return START;
}

void engine_set_timer(int fd, uint64_t first_ns, uint64_t period_ns)
{
	(void)fd, (void)first_ns, (void)period_ns;
}

void engine_note_loop(struct engine *engine, const struct ev_head *ev, uint64_t now_ns)
{
	(void)engine, (void)ev, (void)now_ns;
}

void engine_feed_host(struct engine *engine, const struct ev_head *head,
		      const struct ev_iteration *iteration, uint64_t now_ns)
{
	(void)engine, (void)head, (void)iteration, (void)now_ns;
}

const struct ev_target *targets_find(const struct targets *targets, uint32_t target_id)
{
	(void)targets, (void)target_id;
	return &asked_target;
}

bool targets_is_let_go(const struct targets *targets, uint32_t target_id)
{
	(void)targets;
	return target_id == fake.let_go;
}

void targets_on_fork(struct targets *targets, const struct ev_fork *ev, uint64_t at_ns)
{
	(void)targets, (void)ev, (void)at_ns;
}

void targets_on_exec(struct targets *targets, const struct ev_exec *ev, uint64_t at_ns)
{
	(void)targets, (void)ev, (void)at_ns;
}

void targets_on_spawn(struct targets *targets, const struct ev_spawn *ev, uint64_t at_ns)
{
	(void)targets, (void)ev, (void)at_ns;
}

void targets_on_exit(struct targets *targets, const struct ev_exit *ev)
{
	(void)targets, (void)ev;
}

void targets_on_loop(struct targets *targets, const struct ev_loop *ev, uint64_t at_ns)
{
	(void)targets, (void)ev, (void)at_ns;
}

const struct ev_target *targets_on_probes(struct targets *targets, const struct ev_probes *ev)
{
	(void)targets, (void)ev;
	return NULL;
}

void targets_on_tasks(struct targets *targets, const struct ev_tasks *ev)
{
	(void)targets, (void)ev;
}

bool targets_on_answer(struct targets *targets, const struct ev_target *ev, uint64_t at_ns)
{
	(void)targets, (void)ev, (void)at_ns;
	return true;
}

int reader_ask_code(struct reader *reader, const struct ev_target *target, uint64_t code_addr,
		    uint32_t fingerprint, uint64_t at_ns)
{
	(void)reader, (void)target, (void)fingerprint, (void)at_ns;
	if (!fake.room) {
		fake.stats.refused++;
		return -ENOBUFS;
	}
	fake.room--;
	fake.asked[fake.stats.asked++ % ARRAY_SIZE(fake.asked)] = code_addr;
	return 0;
}

int reader_ask_thread(struct reader *reader, const struct ev_target *target, uint64_t ident,
		      uint32_t tid, uint64_t at_ns)
{
	(void)reader, (void)target, (void)ident, (void)tid, (void)at_ns;
	return 0;
}

void reader_get_stats(const struct reader *reader, struct reader_stats *stats)
{
	(void)reader;
	*stats = fake.stats;
}

int probes_consume(struct probes *probes, probes_record_fn on_record, void *ctx)
{
	(void)probes;
	return on_record(ctx, (void *)fake.in_ring, fake.ring_bytes);
}

const struct loop_counters *probes_loop_counters(const struct probes *probes, uint32_t loop_id)
{
	(void)probes, (void)loop_id;
	return NULL;
}

void probes_release_loop(struct probes *probes, uint32_t loop_id)
{
	(void)probes, (void)loop_id;
	fake.nr_released++;
}

void probes_take_latent(struct probes *probes, uint32_t loop_id, uint64_t since_ns,
			latent_record_fn on_record, void *ctx)
{
	(void)probes;
	(void)loop_id;
	(void)since_ns;
	(void)on_record;
	(void)ctx;
}

void probes_stats(const struct probes *probes, uint64_t stats[STAT_MAX])
{
	(void)probes, (void)stats;
}

static void put_in_ring(struct engine *engine, const void *record, size_t bytes)
{
	fake.in_ring = record;
	fake.ring_bytes = bytes;
	engine_feed_ring(engine);
}

static void start_engine(struct engine *engine)
{
	memset(&fake, 0, sizeof(fake));
	memset(engine, 0, sizeof(*engine));
	assert_int_equal(pipeline_new(&engine->pipeline, reporter_find("jsonl"), &opts), 0);
	engine_feed_answer(engine, &asked_target.head);
}

static void names_without_room_are_asked_for_later(void **state)
{
	struct {
		struct ev_stack ev;
		struct ev_frame frames[3];
	} stacked = { { { EV_STACK, sizeof(stacked), START, 1, EV_NO_LOOP }, .stack_id = 9, .nr_frames = 3 },
		      { { 100, 2, 77 }, { 101, 2, 77 }, { 102, 2, 77 } } };
	struct ev_code answer = { .head = { EV_CODE, sizeof(answer), START, 1, EV_NO_LOOP },
				  .code_addr = 100, .fingerprint = 77, .status = CODE_GONE };
	struct engine engine;
	struct ev_loss loss;

	(void)state;
	start_engine(&engine);
	fake.room = 1;
	put_in_ring(&engine, &stacked, sizeof(stacked));
	assert_int_equal(fake.stats.asked, 1);
	stacked.ev.stack_id++;
	put_in_ring(&engine, &stacked, sizeof(stacked));
	assert_int_equal(fake.stats.refused, 1); /* once is enough to know */
	fake.room = 1;
	engine_feed_answer(&engine, &answer.head);
	assert_int_equal(fake.stats.asked, 2);
	assert_int_equal(fake.asked[1], 101);
	fake.room = 1;
	engine_feed_head(&engine, EV_TICK, START + 1);
	assert_int_equal(fake.stats.asked, 3);
	assert_int_equal(fake.asked[2], 102);
	engine_feed_counters(&engine, START + 2);
	model_loss(pipeline_model(engine.pipeline), &loss);
	assert_int_equal(loss.stats[STAT_NAMES_REFUSED], 0);
	pipeline_free(engine.pipeline);
}

/* Its loops live on until they wait: what they say until then is said to nobody, and their slots come back. */
static void who_was_let_go_is_not_heard(void **state)
{
	struct ev_loop loop = { HEAD(LOOP, ev_loop, 0), .pid = 4711, .tid = 4711, .kind = LOOP_KIND_ASYNCIO };
	struct ev_loop_exit end = { HEAD(LOOP_EXIT, ev_loop_exit, 1), .pid = 4711, .tid = 4711 };
	struct engine engine;

	(void)state;
	start_engine(&engine);
	fake.let_go = loop.head.target_id;
	put_in_ring(&engine, &loop, sizeof(loop));
	assert_null(model_loop(pipeline_model(engine.pipeline), 0));
	assert_int_equal(fake.nr_released, 0);
	put_in_ring(&engine, &end, sizeof(end));
	assert_int_equal(fake.nr_released, 1);
	fake.let_go = 0;
	put_in_ring(&engine, &loop, sizeof(loop));
	assert_non_null(model_loop(pipeline_model(engine.pipeline), 0));
	pipeline_free(engine.pipeline);
}

static void refused_ring_records_are_in_the_stream(void **state)
{
	uint64_t garbage[4] = { ~0ULL };
	struct engine engine;
	struct ev_loss loss;

	(void)state;
	start_engine(&engine);
	put_in_ring(&engine, garbage, sizeof(garbage));
	put_in_ring(&engine, garbage, sizeof(garbage));
	engine_feed_counters(&engine, START + 1);
	model_loss(pipeline_model(engine.pipeline), &loss); /* what a recording of it says */
	assert_int_equal(loss.stats[STAT_RECORDS_INVALID], 2);
	assert_int_equal(pipeline_finish(engine.pipeline), 0);
	assert_has("\"records_invalid\":2");
	pipeline_free(engine.pipeline);
}

static void a_full_disk_is_an_error(void **state)
{
	struct pipeline *pipeline;
	struct report_opts to_full = opts;
	cleanup_fclose FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	to_full.out = full;
	assert_int_equal(pipeline_new(&pipeline, &report_text, &to_full), -ENOSPC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_become_json_lines),
		TEST(records_become_text),
		TEST(what_lasts_is_told_but_counted_once),
		TEST(a_quiet_watch_says_so),
		TEST(names_without_room_are_asked_for_later),
		TEST(who_was_let_go_is_not_heard),
		TEST(refused_ring_records_are_in_the_stream),
		TEST(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
