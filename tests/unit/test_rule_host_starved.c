/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the host did, told apart by its evidence. */
#include "made_iteration.h"

static struct made made;

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	return 0;
}

static struct ev_host host_record(uint64_t since_ns, uint64_t ts_ns, uint64_t throttled_ns)
{
	return (struct ev_host){ .head = { .ts_ns = ts_ns }, .since_ns = since_ns,
				 .throttled_ns = throttled_ns, .nr_throttled = 3, .nr_periods = 4,
				 .cgroup = "/shop" };
}

static void a_quota_that_ran_out_is_told_from_a_crowd(void **state)
{
	struct ev_host hosts[3];

	(void)state;
	made.iteration.ev.run_queue_ns = 300 * MSEC;
	made.iteration.ev.end_ns = START + 310 * MSEC;
	made.target.hosts = hosts;
	made.target.nr_hosts = 1;
	/* made before the iteration ended: of another */
	hosts[0] = host_record(START - 9 * MSEC, START + 309 * MSEC, 300 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_RUN_QUEUE);
	assert_int_equal(made.findings[0].host.since_ns, 0);
	hosts[0].head.ts_ns = START + 310 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_THROTTLED);
	assert_string_equal(made.findings[0].host.cgroup, "/shop");
	/* too little to explain it */
	hosts[0].throttled_ns = 99 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_RUN_QUEUE);
	assert_int_equal(made.findings[0].host.throttled_ns, 99 * MSEC);
	/* the closest that covers it is asked, whatever came first */
	hosts[1] = host_record(START + 1, START + 400 * MSEC, 250 * MSEC);
	hosts[2] = host_record(START - 1 * MSEC, START + 400 * MSEC, 200 * MSEC);
	made.target.nr_hosts = 3;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].host.throttled_ns, 200 * MSEC);
	made.target.nr_hosts = 2;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].host.throttled_ns, 99 * MSEC);
}

static void the_period_under_way_counts_while_it_lasts(void **state)
{
	struct ev_host host = host_record(START, START + 310 * MSEC, 20 * MSEC);

	(void)state;
	host.period_ns = 100 * MSEC;
	made.iteration.ev.run_queue_ns = 300 * MSEC;
	made.iteration.ev.end_ns = START + 310 * MSEC;
	made.target.hosts = &host;
	made.target.nr_hosts = 1;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_RUN_QUEUE);
	made.iteration.ev.end = ITERATION_UNDER_WAY;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_THROTTLED);
}

static void who_holds_the_gil_is_starved_with_the_loop(void **state)
{
	(void)state;
	made.iteration.ev.run_queue_ns = 10 * MSEC;
	made.iteration.ev.wake_delay_ns = 5 * MSEC;
	made.iteration.ev.off_ns[OFF_GIL] = 54 * MSEC;
	made.iteration.ev.off_ns[OFF_HOLDER_QUEUED] = 35 * MSEC - 1;
	made.iteration.ev.end_ns = START + 64 * MSEC;
	assert_int_equal(made_eval(&made), 0); /* and 19 ms are no gil-wait */
	made.iteration.ev.off_ns[OFF_HOLDER_QUEUED]++;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_HOST_STARVED);
	assert_int_equal(made.findings[0].cause, CAUSE_RUN_QUEUE);
	assert_int_equal(made.findings[0].duration_ns, 50 * MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_quota_that_ran_out_is_told_from_a_crowd, setup),
		cmocka_unit_test_setup(the_period_under_way_counts_while_it_lasts, setup),
		cmocka_unit_test_setup(who_holds_the_gil_is_starved_with_the_loop, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
