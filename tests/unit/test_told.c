/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Each line that says ongoing is followed by one with the same start that does not, whatever became of it. */
#include <stdio.h>

#include "report_output.h"
#include "told.h"

#define HEAD(upper, type_of, at) .head = { EV_##upper, sizeof(struct type_of), START + (at), 1, 0 }

static struct pipeline *pipeline;

static void feed(const void *record)
{
	assert_int_equal(pipeline_add(pipeline, record, ((const struct ev_head *)record)->size), 0);
}

static int start(void **state)
{
	struct ev_target target = { HEAD(TARGET, ev_target, 0), .pid = 4711, .comm = "python3" };
	struct ev_loop loop = { HEAD(LOOP, ev_loop, 1), .pid = 4711, .tid = 4711,
				.kind = LOOP_KIND_ASYNCIO };

	if (setup(state) || pipeline_new(&pipeline, reporter_find("jsonl"), &opts))
		return -1;
	feed(&target);
	feed(&loop);
	return 0;
}

static int end(void **state)
{
	pipeline_free(pipeline);
	return teardown(state);
}

/* What is known after so long of an iteration that began at START. */
static void feed_ongoing(struct ev_iteration so_far, const struct ev_sleep *sleep, uint64_t after_ns)
{
	struct ev_ongoing ev = { HEAD(ONGOING, ev_ongoing, after_ns) };

	ev.so_far = so_far;
	ev.so_far.start_ns = START;
	ev.so_far.end_ns = START + after_ns;
	ev.so_far.end = ITERATION_UNDER_WAY;
	if (sleep)
		ev.sleep = *sleep;
	feed(&ev);
}

static void feed_end(struct ev_iteration split, uint64_t after_ns)
{
	struct ev_iteration ev = split;

	ev.head = (struct ev_head){ EV_ITERATION, sizeof(ev), START + after_ns, 1, 0 };
	ev.iteration = 1;
	ev.start_ns = START;
	ev.end_ns = START + after_ns;
	feed(&ev);
}

/* In a lock since so long after the iteration began; where, nobody knows. */
static struct ev_sleep locked(uint64_t since_ns, uint64_t off_ns, uint64_t asleep_ns)
{
	return (struct ev_sleep){ HEAD(SLEEP, ev_sleep, since_ns + off_ns), .iteration = 1, .count = 1,
				  .first_ns = START + since_ns, .last_ns = START + since_ns + off_ns,
				  .total_ns = off_ns, .asleep_ns = asleep_ns, .max_ns = off_ns,
				  .syscall = SYS_futex, .fd = -1 };
}

/* How many breaches have these words in this order. */
static unsigned int lines_with(const char *rule, bool is_ongoing, uint64_t start_ns, uint64_t duration_ns,
			       unsigned int count)
{
	char head[80], when[40], rest[160];
	unsigned int nr = 0;
	const char *at = output();

	snprintf(head, sizeof(head), "\"type\":\"breach\",\"rule\":\"%s\"", rule);
	snprintf(when, sizeof(when), "\"start_ns\":%llu,", (unsigned long long)start_ns);
	snprintf(rest, sizeof(rest), "\"ongoing\":%s,\"count\":%u,", is_ongoing ? "true" : "false", count);
	for (; (at = strstr(at, head)); at++) {
		const char *line_end = strchr(at, '\n'), *found = strstr(at, when);
		char duration[40];

		snprintf(duration, sizeof(duration), "\"duration_ns\":%llu,",
			 (unsigned long long)duration_ns);
		if (!found || found > line_end)
			continue;
		found = strstr(at, duration);
		if (!found || found > line_end)
			continue;
		found = strstr(at, rest);
		nr += found && found < line_end;
	}
	return nr;
}

static unsigned int count_of(const char *part)
{
	unsigned int nr = 0;

	for (const char *at = output(); (at = strstr(at, part)); at++)
		nr++;
	return nr;
}

static uint64_t breaches(void)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < RULE_MAX; i++)
		nr += pipeline_breaches(pipeline, i);
	return nr;
}

/* What the kernel half once made of a hog whose return to the CPU was not delivered. */
static void what_was_no_stall_is_taken_back(void **state)
{
	(void)state;
	feed_ongoing((struct ev_iteration){ .run_queue_ns = 116 * MSEC }, NULL, 116 * MSEC);
	assert_int_equal(lines_with("host-starved", true, START, 116 * MSEC, 1), 1);
	feed_end((struct ev_iteration){ .run_queue_ns = 3 * MSEC, .on_cpu_ns = 37 * MSEC }, 40 * MSEC);
	assert_int_equal(lines_with("host-starved", false, START, 3 * MSEC, 0), 1);
	assert_has("\"count\":0,\"total_ns\":0,\"max_ns\":0,");
	assert_has("\"advice\":\"none needed: while it lasted it looked longer");
	assert_has("\"iteration_ns\":40000000");
	assert_int_equal(count_of("\"type\":\"breach\""), 2);
	assert_int_equal(breaches(), 0);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_has("\"breaches\":0,\"lines\":2,");
	assert_has("\"sites\":[]");
}

/* Asleep as far as is known; but it had been woken up, and waited for a CPU. */
static void what_was_another_rules_is_taken_back(void **state)
{
	struct ev_sleep so_far = locked(0, 120 * MSEC, 120 * MSEC), whole = locked(0, 130 * MSEC, 5 * MSEC);

	(void)state;
	feed_ongoing((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 120 * MSEC }, &so_far, 120 * MSEC);
	assert_int_equal(lines_with("blocking-call", true, START, 120 * MSEC, 1), 1);
	feed(&whole);
	feed_end((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 5 * MSEC, .run_queue_ns = 125 * MSEC,
					.nr_sleeps = 1 }, 130 * MSEC);
	assert_int_equal(lines_with("host-starved", false, START, 125 * MSEC, 1), 1);
	assert_int_equal(lines_with("blocking-call", false, START, 130 * MSEC, 0), 1);
	assert_int_equal(breaches(), 1);
}

static void an_end_has_the_start_that_was_told(void **state)
{
	/* The site's first sleep was not known while its second lasted. */
	struct ev_sleep so_far = locked(20 * MSEC, 120 * MSEC, 120 * MSEC);
	struct ev_sleep whole = locked(10 * MSEC, 125 * MSEC, 125 * MSEC);

	(void)state;
	feed_ongoing((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 120 * MSEC, .on_cpu_ns = 20 * MSEC },
		     &so_far, 140 * MSEC);
	feed(&whole);
	feed_end((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 125 * MSEC, .on_cpu_ns = 25 * MSEC,
					.nr_sleeps = 1 }, 150 * MSEC);
	assert_int_equal(lines_with("blocking-call", true, START + 20 * MSEC, 120 * MSEC, 1), 1);
	assert_int_equal(lines_with("blocking-call", false, START + 20 * MSEC, 125 * MSEC, 1), 1);
	assert_int_equal(breaches(), 1);
	assert_int_equal(count_of("\"type\":\"breach\""), 2);
}

/* The wait for a CPU turns out to be the quota's: another cause, the same stall. */
static void a_cause_that_shows_late_is_the_same_stall(void **state)
{
	struct ev_host host = { HEAD(HOST, ev_host, 400 * MSEC), .since_ns = START - MSEC,
				.throttled_ns = 300 * MSEC, .nr_throttled = 3, .period_ns = 100 * MSEC };

	(void)state;
	feed_ongoing((struct ev_iteration){ .run_queue_ns = 120 * MSEC }, NULL, 120 * MSEC);
	host.head.loop_id = EV_NO_LOOP;
	feed(&host);
	feed_end((struct ev_iteration){ .run_queue_ns = 390 * MSEC, .on_cpu_ns = 10 * MSEC }, 400 * MSEC);
	assert_has("\"cause\":\"throttled\"");
	assert_int_equal(lines_with("host-starved", false, START, 390 * MSEC, 1), 1);
	assert_int_equal(count_of("\"type\":\"breach\""), 2);
}

/* However many there are of its site: a line that counts several is nobody's end. */
static void an_end_is_not_folded(void **state)
{
	struct ev_sleep sleep = locked(0, 150 * MSEC, 150 * MSEC), short_one = locked(0, 20 * MSEC, 20 * MSEC);
	struct ev_iteration ev = { HEAD(ITERATION, ev_iteration, 20 * MSEC), .start_ns = START - 20 * MSEC,
				   .end_ns = START, .off_ns[OFF_SYSCALL] = 20 * MSEC, .nr_sleeps = 1 };

	(void)state;
	for (unsigned int i = 0; i < 30; i++) {
		feed(&short_one);
		ev.iteration = short_one.iteration++;
		feed(&ev);
	}
	sleep.iteration = short_one.iteration;
	feed_ongoing((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 120 * MSEC }, &sleep, 120 * MSEC);
	feed(&sleep);
	ev = (struct ev_iteration){ HEAD(ITERATION, ev_iteration, 150 * MSEC), .iteration = sleep.iteration,
				    .start_ns = START, .end_ns = START + 150 * MSEC,
				    .off_ns[OFF_SYSCALL] = 150 * MSEC, .nr_sleeps = 1 };
	feed(&ev);
	assert_int_equal(lines_with("blocking-call", false, START, 150 * MSEC, 1), 1);
	assert_int_equal(breaches(), 31);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_has("\"breaches\":31,");
}

static void a_lost_end_is_given_as_it_was_known(void **state)
{
	struct ev_loop_stats stats = { HEAD(LOOP_STATS, ev_loop_stats, 1000 * MSEC),
				       .counters.since_ns = START + 900 * MSEC };
	struct ev_tick tick = { .head = { EV_TICK, sizeof(tick), START + 3900 * MSEC, 0, EV_NO_LOOP } };
	struct ev_sleep sleep = locked(0, 120 * MSEC, 120 * MSEC);

	(void)state;
	feed_ongoing((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 120 * MSEC }, &sleep, 120 * MSEC);
	feed(&stats);
	feed(&tick); /* its record may yet be behind one whose names are waited for */
	assert_int_equal(breaches(), 0);
	tick.head.ts_ns = START + 4000 * MSEC;
	feed(&tick);
	assert_int_equal(lines_with("blocking-call", false, START, 120 * MSEC, 1), 1);
	assert_int_equal(breaches(), 1);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_int_equal(count_of("\"type\":\"breach\""), 2);
}

static void what_the_end_of_the_watch_leaves_is_given_as_it_was_known(void **state)
{
	struct ev_sleep sleep = locked(0, 120 * MSEC, 120 * MSEC);
	struct ev_loop_exit exit = { HEAD(LOOP_EXIT, ev_loop_exit, 150 * MSEC), .pid = 4711, .tid = 4711 };

	(void)state;
	feed_ongoing((struct ev_iteration){ .off_ns[OFF_SYSCALL] = 120 * MSEC }, &sleep, 120 * MSEC);
	feed(&exit);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_int_equal(lines_with("blocking-call", false, START, 120 * MSEC, 1), 1);
	assert_has("\"breaches\":1,\"lines\":2,");
}

/* Thousands of loops that stand still at once: nobody is told of the last before they are over. */
static void no_more_are_told_than_can_be_ended(void **state)
{
	struct ev_ongoing ev = { HEAD(ONGOING, ev_ongoing, 120 * MSEC) };
	unsigned int i;

	(void)state;
	ev.so_far = (struct ev_iteration){ .end_ns = START + 120 * MSEC, .run_queue_ns = 100 * MSEC,
					   .end = ITERATION_UNDER_WAY };
	for (i = 0; i < TOLD_MAX + 10; i++) {
		ev.so_far.start_ns = START + i;
		ev.so_far.end_ns = START + i + 100 * MSEC;
		feed(&ev);
	}
	assert_int_equal(count_of("\"ongoing\":true"), TOLD_MAX);
	assert_int_equal(pipeline_finish(pipeline), 0);
	assert_int_equal(count_of("\"ongoing\":false"), TOLD_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_no_stall_is_taken_back),
		TEST(what_was_another_rules_is_taken_back),
		TEST(an_end_has_the_start_that_was_told),
		TEST(a_cause_that_shows_late_is_the_same_stall),
		TEST(an_end_is_not_folded),
		TEST(a_lost_end_is_given_as_it_was_known),
		TEST(what_the_end_of_the_watch_leaves_is_given_as_it_was_known),
		TEST(no_more_are_told_than_can_be_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
