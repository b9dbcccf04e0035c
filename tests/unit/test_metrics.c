/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Do the series tell what happened, keep their numbers, and stay few, whatever processes do? */
#include "metrics_scrape.h"

static void counters_of_a_loop_are_series(void **state)
{
	(void)state;
	start(7, 3);
	put_stats(7, 3, 10, 250);
	now_ns += NSEC_PER_SEC;
	put_stats(7, 3, 25, 1250);
	scrape(EXPOSITION_TEXT);
	assert_line("# TYPE loophound_loop_busy_seconds_total counter");
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.25");
	assert_line("loophound_loop_idle_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 2.5");
	assert_line("# TYPE loophound_loop_iteration_duration_seconds histogram");
	assert_line("loophound_loop_iteration_duration_seconds_bucket"
		    "{process=\"python3.11\",worker=\"0\",loop=\"0\",le=\"0.000524288\"} 0");
	assert_line("loophound_loop_iteration_duration_seconds_bucket"
		    "{process=\"python3.11\",worker=\"0\",loop=\"0\",le=\"0.001048576\"} 25");
	assert_line("loophound_loop_iteration_duration_seconds_bucket"
		    "{process=\"python3.11\",worker=\"0\",loop=\"0\",le=\"+Inf\"} 25");
	assert_line("loophound_loop_iteration_duration_seconds_sum"
		    "{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.25");
	assert_line("loophound_loop_iteration_duration_seconds_count"
		    "{process=\"python3.11\",worker=\"0\",loop=\"0\"} 25");
	assert_line("loophound_breaches_total{process=\"python3.11\",worker=\"0\",loop=\"0\","
		    "rule=\"blocking-call\",cause=\"dns\"} 0");
	assert_line("loophound_target_info{process=\"python3.11\",worker=\"0\",pid=\"1007\","
		    "python=\"3.11.2\",loop_kind=\"asyncio\",usdt=\"false\"} 1");
	assert_line("loophound_targets{state=\"ok\"} 1");
	assert_line("loophound_events_dropped_total{reason=\"ring_full\"} 0");
}

static void what_never_turned_has_no_share(void **state)
{
	(void)state;
	start(7, 3);
	put_stats(7, 3, 0, 0);
	scrape(EXPOSITION_TEXT);
	assert_null(strstr(text, "NaN"));
	assert_null(strstr(text, "loophound_loop_utilization_ratio{"));
	now_ns += NSEC_PER_SEC;
	put_stats(7, 3, 1, 1000);
	scrape(EXPOSITION_TEXT);
	assert_non_null(strstr(text, "loophound_loop_utilization_ratio{"));
}

static void openmetrics_names_counters_its_own_way(void **state)
{
	(void)state;
	start(7, 3);
	put_stats(7, 3, 10, 250);
	scrape(EXPOSITION_OPENMETRICS);
	assert_line("# TYPE loophound_loop_busy_seconds counter");
	assert_line("# UNIT loophound_loop_busy_seconds seconds");
	assert_line("# TYPE loophound_target info");
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 0.25");
	assert_string_equal(text + text_bytes - strlen("# EOF\n"), "# EOF\n");
}

static void workers_of_one_name_are_numbered(void **state)
{
	(void)state;
	start(1, 1);
	put_stats(1, 1, 1, 1000);
	start(2, 2);
	put_stats(2, 2, 1, 2000);
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.0");
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"1\",loop=\"0\"} 2.0");
}

static void a_successor_inherits_number_and_sums(void **state)
{
	unsigned nr;

	(void)state;
	start(1, 1);
	put_stats(1, 1, 4, 1000);
	start(2, 2);
	put_stats(2, 2, 4, 1000);
	scrape(EXPOSITION_TEXT);
	nr = count_of("\n");
	for (uint32_t id = 2; id < 502; id++) {
		end(id, 2);
		now_ns += NSEC_PER_SEC;
		put_tick();
		start(id + 1, 2);
		put_stats(id + 1, 2, 4, 1000);
	}
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("\n"), nr);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.0");
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"1\",loop=\"0\"} 501.0");
}

static void what_has_ended_is_shown_for_a_while(void **state)
{
	(void)state;
	start(1, 1);
	put_stats(1, 1, 4, 1000);
	end(1, 1);
	now_ns += config.retention_ns - 1;
	put_tick();
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.0");
	assert_int_equal(count_of("loop_utilization_ratio{"), 0); /* it has none any more */
	assert_int_equal(count_of("target_info{"), 0);
	now_ns += NSEC_PER_SEC - 1; /* rows are looked through once a second */
	put_tick();
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.0");
	now_ns += 1;
	put_tick();
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("process=\"python3.11\""), 0);
}

/* A tick has the time at which the ring was looked at: exits taken out of it then may be later. */
static void a_tick_may_be_older_than_the_exit_before_it(void **state)
{
	(void)state;
	start(1, 1);
	put_stats(1, 1, 4, 1000);
	now_ns += 1000;
	end(1, 1);
	now_ns -= 500;
	put_tick();
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.0");
}

static void loops_of_a_process_are_numbered_and_inherited(void **state)
{
	(void)state;
	start(1, 1);
	put_stats(1, 1, 4, 1000);
	put_loop(1, 2);
	put_stats(1, 2, 4, 2000);
	put_loop_exit(1, 1);
	put_loop(1, 5);
	put_stats(1, 5, 4, 500);
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"0\"} 1.5");
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"0\",loop=\"1\"} 2.0");
	assert_int_equal(count_of("loop_busy_seconds_total{"), 2);
}

static void what_finds_no_room_is_other(void **state)
{
	struct metrics_size size;

	(void)state;
	config.max_workers = 2;
	restart();
	for (uint32_t id = 1; id <= 5; id++) {
		start(id, id);
		put_stats(id, id, 4, 1000);
		put_stats(id, id, 5, 1500);
	}
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"python3.11\",worker=\"1\",loop=\"0\"} 1.5");
	assert_line("loophound_loop_busy_seconds_total{process=\"other\",worker=\"0\",loop=\"0\"} 4.5");
	assert_line("loophound_label_overflow_total 6");
	metrics_get_size(metrics, &size);
	assert_int_equal(size.workers, 2);
	assert_int_equal(size.loops, 2);
	/* One that is called so is not mistaken for it. */
	end(1, 1);
	now_ns += config.retention_ns;
	put_tick();
	put_target(9, "/srv/other", "");
	put_loop(9, 1);
	put_stats(9, 1, 1, 250);
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_busy_seconds_total{process=\"other\",worker=\"1\",loop=\"0\"} 0.25");
}

static void loops_have_a_bound_too(void **state)
{
	(void)state;
	config.max_loops = 3;
	restart();
	start(1, 1);
	put_stats(1, 1, 1, 1000);
	for (uint32_t loop = 2; loop <= 10; loop++) {
		put_loop(1, loop);
		put_stats(1, loop, 1, 1000);
	}
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("loop_busy_seconds_total{process=\"python3.11\""), 3);
	assert_line("loophound_loop_busy_seconds_total{process=\"other\",worker=\"0\",loop=\"0\"} 7.0");
}

static void breaches_and_lost_time_add_up(void **state)
{
	uint64_t asleep[CAUSE_MAX] = { [CAUSE_DNS] = 45 * MSEC };
	struct finding finding = { .rule = RULE_BLOCKING_CALL, .cause = CAUSE_DNS,
				   .duration_ns = 45 * MSEC };

	(void)state;
	start(1, 1);
	put_stats(1, 1, 1, 100);
	for (int i = 0; i < 2; i++) {
		finding.iteration = put_iteration(1, 1);
		assert_non_null(finding.iteration);
		assert_int_equal(metrics_add_iteration(metrics, finding.iteration, asleep), 0);
		assert_int_equal(metrics_add_finding(metrics, &finding), 0);
	}
	scrape(EXPOSITION_TEXT);
#define OF_LOOP "{process=\"python3.11\",worker=\"0\",loop=\"0\","
	assert_line("loophound_breaches_total" OF_LOOP "rule=\"blocking-call\",cause=\"dns\"} 2");
	assert_line("loophound_breach_seconds_total" OF_LOOP "rule=\"blocking-call\",cause=\"dns\"} 0.09");
	assert_line("loophound_loop_lost_seconds_total" OF_LOOP "cause=\"dns\"} 0.09");
	assert_line("loophound_loop_lost_seconds_total" OF_LOOP "cause=\"other\"} 0.01");
	assert_line("loophound_loop_lost_seconds_total" OF_LOOP "cause=\"on-cpu\"} 0.04");
	assert_line("loophound_loop_lost_seconds_total" OF_LOOP "cause=\"gc\"} 0.02");
	assert_line("loophound_loop_lost_seconds_total" OF_LOOP "cause=\"run-queue\"} 0.04");
}

/* Its names came after it had ended: it counts, and keeps nothing alive. */
static void a_breach_may_come_after_the_end(void **state)
{
	uint64_t asleep[CAUSE_MAX] = {};
	struct metrics_size size;
	struct iteration late;

	(void)state;
	start(1, 1);
	late = *put_iteration(1, 1);
	end(1, 1);
	assert_int_equal(metrics_add_iteration(metrics, &late, asleep), 0);
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_loop_lost_seconds_total" OF_LOOP "cause=\"gc\"} 0.01");
	now_ns += config.retention_ns;
	put_tick();
	metrics_get_size(metrics, &size);
	assert_int_equal(size.workers, 0);
	assert_int_equal(size.loops, 0);
}

/* Of the loop that runs in that thread; its counters come after it, as every second. */
static void put_tasks(uint32_t target, uint32_t ns_tid, uint32_t status)
{
	struct ev_tasks ev = { HEAD(TASKS, target, EV_NO_LOOP), .status = status, .took_ns = MSEC / 4 };

	if (status <= TASKS_CUT) {
		ev.nr_uncounted = 40;
		ev.nr_loops = 2;
		ev.loops[0].ns_tid = 1;
		ev.loops[1].ns_tid = ns_tid;
		ev.loops[1].nr[TASK_STATE_RUNNING] = 1;
		ev.loops[1].nr[TASK_STATE_READY] = 20;
		ev.loops[1].nr[TASK_STATE_WAITING] = 300;
	}
	put(&ev);
	put_stats(target, target, 1, 1);
	scrape(EXPOSITION_TEXT);
}

static void tasks_are_series_while_they_are_known(void **state)
{
	(void)state;
	now_ns += NSEC_PER_SEC;
	start(7, 7);
	put_stats(7, 7, 1, 1);
	scrape(EXPOSITION_TEXT);
	assert_line("# TYPE loophound_tasks gauge");
	assert_line("loophound_task_reads_total{result=\"ok\"} 0");
	assert_int_equal(count_of("loophound_tasks{"), 0);
	assert_int_equal(count_of("loophound_tasks_uncounted{"), 0);
	put_tasks(7, 1007, TASKS_OK);
	assert_line("loophound_tasks" OF_LOOP "state=\"running\"} 1");
	assert_line("loophound_tasks" OF_LOOP "state=\"ready\"} 20");
	assert_line("loophound_tasks" OF_LOOP "state=\"waiting\"} 300");
	assert_line("loophound_tasks_uncounted{process=\"python3.11\",worker=\"0\"} 40");
	assert_line("loophound_task_reads_total{result=\"ok\"} 1");
	assert_line("loophound_task_read_seconds_total 0.00025");
	/* What is not known is not 0. */
	for (uint32_t status = TASKS_ABSENT; status < TASKS_STATUS_MAX; status++) {
		put_tasks(7, 1007, status);
		assert_int_equal(count_of("loophound_tasks{"), 0);
		assert_int_equal(count_of("loophound_tasks_uncounted{"), 0);
		put_tasks(7, 1007, TASKS_CUT);
		assert_int_equal(count_of("loophound_tasks{"), TASK_STATE_MAX);
	}
	assert_line("loophound_task_reads_total{result=\"stuck\"} 1");
	put_tasks(7, 1008, TASKS_OK); /* the loop's thread runs none now */
	assert_int_equal(count_of("loophound_tasks{"), 0);
	assert_int_equal(count_of("loophound_tasks_uncounted{"), 1);
	put_tasks(7, 1007, TASKS_OK);
	now_ns += MODEL_TASKS_KEEP_NS - 1;
	put_stats(7, 7, 1, 1);
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("loophound_tasks{"), TASK_STATE_MAX);
	now_ns++; /* nobody has counted since */
	put_stats(7, 7, 1, 1);
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("loophound_tasks{"), 0);
	assert_int_equal(count_of("loophound_tasks_uncounted{"), 0);
	put_tasks(7, 1007, TASKS_OK);
	end(7, 7);
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("loophound_tasks{"), 0);
	assert_int_equal(count_of("loophound_tasks_uncounted{"), 0);
}

static void a_loop_without_asyncio_has_no_tasks(void **state)
{
	struct ev_loop ev = { HEAD(LOOP, 7, 7), .pid = 1007, .tid = 1007, .ns_tid = 1007,
			      .kind = LOOP_KIND_TRIO };

	(void)state;
	now_ns += NSEC_PER_SEC;
	put_target(7, "/usr/bin/python3.11", "");
	put(&ev);
	put_tasks(7, 1007, TASKS_OK);
	assert_int_equal(count_of("loophound_tasks{"), 0);
	assert_int_equal(count_of("loophound_loop_busy_seconds_total{"), 1);
}

static void hostile_names_leave_as_one_label(void **state)
{
	(void)state;
	put_target(1, "/srv/a\"b\\c\nd\xff\x1b[31m", "");
	put_loop(1, 1);
	put_stats(1, 1, 1, 1000);
	put_target(2, "/usr/bin/python3.11", "0123456789ab");
	put_loop(2, 2);
	put_stats(2, 2, 1, 1000);
	scrape(EXPOSITION_TEXT);
#define BAD "\xef\xbf\xbd"
	assert_line("loophound_loop_busy_seconds_total{process=\"a\\\"b\\\\c" BAD "d" BAD BAD "[31m\","
		    "worker=\"0\",loop=\"0\"} 1.0");
	assert_line("loophound_loop_busy_seconds_total{process=\"0123456789ab\",worker=\"0\",loop=\"0\"} 1.0");
}

static void a_bucket_ends_where_the_kernel_counts(void **state)
{
	struct metrics *refused;

	(void)state;
	assert_int_equal(metrics_bucket_near(10 * MSEC), 10485760);
	assert_int_equal(metrics_bucket_near(1), 1 << HIST_SHIFT);
	config.bucket_ns[2] = 2500000;
	assert_int_equal(metrics_new(&refused, &config), -EINVAL);
	config = metrics_default_config;
	config.bucket_ns[3] = config.bucket_ns[2];
	assert_int_equal(metrics_new(&refused, &config), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counters_of_a_loop_are_series),
		TEST(what_never_turned_has_no_share),
		TEST(openmetrics_names_counters_its_own_way),
		TEST(workers_of_one_name_are_numbered),
		TEST(a_successor_inherits_number_and_sums),
		TEST(what_has_ended_is_shown_for_a_while),
		TEST(a_tick_may_be_older_than_the_exit_before_it),
		TEST(loops_of_a_process_are_numbered_and_inherited),
		TEST(what_finds_no_room_is_other),
		TEST(loops_have_a_bound_too),
		TEST(breaches_and_lost_time_add_up),
		TEST(a_breach_may_come_after_the_end),
		TEST(tasks_are_series_while_they_are_known),
		TEST(a_loop_without_asyncio_has_no_tasks),
		TEST(hostile_names_leave_as_one_label),
		TEST(a_bucket_ends_where_the_kernel_counts),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
