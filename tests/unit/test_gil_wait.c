/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* gil-wait: its sum, its site, its holder; and that no other rule takes such a sleep for a call. */
#include "report_output.h"

#define BURNER	0x7f0000001000ULL
#define INDEXER 0x7f0000002000ULL

static struct stack own_stack(int32_t line)
{
	struct stack own = { 0 };

	push(&own, coroutine_at("/srv/shop/app.py", line, "Shop.handler"));
	push_loop(&own);
	return own;
}

static struct stack holder_stack(void)
{
	struct stack holder = { 0 };

	push(&holder, frame_at(STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode"));
	push(&holder, frame_at("/srv/shop/crunch.py", 31, "crunch"));
	push(&holder, frame_at(STDLIB "threading.py", 975, "Thread.run"));
	push(&holder, frame_at(STDLIB "threading.py", 1038, "Thread._bootstrap_inner"));
	push(&holder, frame_at(STDLIB "threading.py", 995, "Thread._bootstrap"));
	return holder;
}

static struct sleep *gil_sleep(const struct stack *own, uint64_t ident, uint32_t tid,
			       const struct stack *holder, uint64_t asleep_ns)
{
	struct ev_sleep *ev = made_sleep(&made, own, SYS_futex, asleep_ns);
	struct sleep *sleep = &made.sleeps[made.iteration.nr_sleeps - 1];

	made.iteration.ev.off_ns[OFF_SYSCALL] -= asleep_ns;
	made.iteration.ev.off_ns[OFF_GIL] += asleep_ns;
	ev->off_class = OFF_GIL;
	ev->holder_queued_ns = 0;
	ev->holder_ident = ident;
	ev->holder_tid = tid;
	sleep->holder_stack = holder;
	strcpy(sleep->holder_comm, "python3");
	strcpy(sleep->holder_name, ident == BURNER ? "burner" : "indexer");
	return sleep;
}

static void all_waits_of_an_iteration_are_one_finding(void **state)
{
	struct stack line_42 = own_stack(42), line_43 = own_stack(43), holder = holder_stack();
	const struct finding *finding = &made.findings[0];

	(void)state;
	gil_sleep(&line_42, BURNER, 4711, &holder, 8 * MSEC);
	gil_sleep(&line_43, BURNER, 4711, &holder, 7 * MSEC);
	gil_sleep(&line_43, INDEXER, 4712, NULL, 4 * MSEC);
	assert_int_equal(made_eval(&made), 0);
	made.iteration.ev.off_ns[OFF_GIL] += 1 * MSEC; /* pieces that nobody looked at */
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(finding->rule, RULE_GIL_WAIT);
	assert_int_equal(finding->cause, CAUSE_GIL);
	assert_int_equal(finding->duration_ns, 20 * MSEC);
	assert_int_equal(finding->start_ns, START);
	assert_int_equal(finding->calls, 3);
	assert_int_equal(finding->stack->frames[finding->site].line, 43);
	assert_int_equal(finding->coroutine, 0);
	assert_int_equal(finding->holder.ident, BURNER);
	assert_int_equal(finding->holder.tid, 4711);
	assert_string_equal(finding->holder.name, "burner");
	assert_int_equal(finding->holder.waited_ns, 15 * MSEC);
	assert_int_equal(finding->holder.nr_others, 1);
	assert_int_equal(finding->holder.site, 1); /* the application's, not json's */
	assert_int_equal(finding->syscall, -1);
}

static void they_are_no_lock_and_no_other_cause(void **state)
{
	struct stack own = own_stack(42), holder = holder_stack();
	uint64_t by_cause[CAUSE_MAX];

	(void)state;
	gil_sleep(&own, BURNER, 4711, &holder, 50 * MSEC);
	made_sleep(&made, &own, SYS_futex, 9 * MSEC); /* the same line takes a lock as well */
	made.iteration.is_incomplete = true;
	made.iteration.ev.off_ns[OFF_SYSCALL] += 5 * MSEC; /* lost: too little to report */
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_GIL_WAIT);
	rules_asleep_by_cause(&made.iteration, by_cause);
	assert_int_equal(by_cause[CAUSE_LOCK], 9 * MSEC);
	/* And what is lost of the calls is not made up for by waits for the GIL. */
	made.iteration.ev.off_ns[OFF_SYSCALL] += 5 * MSEC;
	assert_int_equal(made_eval(&made), 2);
	assert_int_equal(made.findings[1].duration_ns, 10 * MSEC);
}

static void lost_records_still_count(void **state)
{
	(void)state;
	made.iteration.ev.off_ns[OFF_GIL] = 30 * MSEC;
	made.iteration.ev.end_ns += 30 * MSEC;
	made.iteration.is_incomplete = true;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].duration_ns, 30 * MSEC);
	assert_int_equal(made.findings[0].site, -1);
	assert_null(made.findings[0].stack);
	assert_int_equal(made.findings[0].holder.ident, 0);
	assert_int_equal(made.findings[0].start_ns, START);
}

static void who_stands_still_is_in_c_code(void **state)
{
	struct stack own = own_stack(42), holder = holder_stack();
	struct sleep *sleep = gil_sleep(&own, BURNER, 4711, &holder, 40 * MSEC);

	(void)state;
	sleep->ev.holder_still_us = 19999;
	assert_int_equal(made_eval(&made), 1);
	assert_false(made.findings[0].holder.is_native);
	assert_non_null(strstr(made.findings[0].advice, "Python work"));
	sleep->ev.holder_still_us = 20000;
	assert_int_equal(made_eval(&made), 1);
	assert_true(made.findings[0].holder.is_native);
	assert_non_null(strstr(made.findings[0].advice, "C call on the holder's line"));
}

static void time_without_a_cpu_is_nobodys_fault(void **state)
{
	struct stack line_42 = own_stack(42), line_43 = own_stack(43), holder = holder_stack();
	const struct finding *finding = &made.findings[0];

	(void)state;
	gil_sleep(&line_42, BURNER, 4711, &holder, 49 * MSEC)->ev.holder_queued_ns = 48 * MSEC;
	gil_sleep(&line_43, INDEXER, 4712, &holder, 20 * MSEC)->ev.holder_queued_ns = 2 * MSEC;
	made.iteration.ev.off_ns[OFF_HOLDER_QUEUED] = 49 * MSEC + 1;
	assert_int_equal(made_eval(&made), 0);
	made.iteration.ev.off_ns[OFF_HOLDER_QUEUED]--;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(finding->rule, RULE_GIL_WAIT);
	assert_int_equal(finding->duration_ns, 20 * MSEC);
	/* Line and holder are those of what is left. */
	assert_int_equal(finding->stack->frames[finding->site].line, 43);
	assert_int_equal(finding->holder.tid, 4712);
	assert_int_equal(finding->holder.waited_ns, 20 * MSEC);
	assert_int_equal(finding->holder.run_queue_ns, 2 * MSEC);
}

static void a_holder_that_runs_a_loop_of_its_own_is_cut_at_it(void **state)
{
	struct stack own = own_stack(42), other = own_stack(77);

	(void)state;
	/* How deep our own loop stands says nothing of other threads. */
	made.loop.info.base_depth = 3;
	push(&other, frame_at("/srv/shop/app.py", 900, "outermost"));
	gil_sleep(&own, BURNER, 4711, &other, 40 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].holder.stack->frames[made.findings[0].holder.site].line, 77);
}

static void a_loop_that_only_woke_up_runs_no_callback(void **state)
{
	struct stack own = { 0 };

	(void)state;
	push(&own, frame_at(STDLIB "selectors.py", 468, "EpollSelector.select"));
	push(&own, frame_at(STDLIB "asyncio/base_events.py", 1884, "BaseEventLoop._run_once"));
	gil_sleep(&own, BURNER, 4711, NULL, 40 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].site, 0);
	assert_int_equal(made.findings[0].callback, -1);
	assert_int_equal(made.findings[0].coroutine, -1);
}

static void either_side_can_be_allowed(void **state)
{
	struct stack own = own_stack(42), holder = holder_stack();

	(void)state;
	gil_sleep(&own, BURNER, 4711, &holder, 40 * MSEC);
	made.config.nr_allow = 1;
	strcpy(made.config.allow[0].file, "shop/crunch.py");
	strcpy(made.config.allow[0].function, "crunch");
	assert_int_equal(made_eval(&made), 0);
	strcpy(made.config.allow[0].file, "shop/app.py");
	strcpy(made.config.allow[0].function, "handler");
	assert_int_equal(made_eval(&made), 0);
	strcpy(made.config.allow[0].function, "other");
	assert_int_equal(made_eval(&made), 1);
}

static void show(const struct reporter *reporter)
{
	uint64_t by_cause[CAUSE_MAX];
	struct breach breach = { .finding = &made.findings[0],
				 .count = 1,
				 .total_ns = made.findings[0].duration_ns,
				 .max_ns = made.findings[0].duration_ns,
				 .asleep_by_cause = by_cause };

	rules_asleep_by_cause(&made.iteration, by_cause);
	reporter->breach(&opts, &breach);
}

static void the_text_names_thread_and_line(void **state)
{
	struct stack own = own_stack(42), holder = holder_stack();

	(void)state;
	gil_sleep(&own, BURNER, 4713, &holder, 40 * MSEC)->ev.holder_still_us = 35000;
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_string_equal(
		output(),
		"\n"
		"06:00:00.000  gil-wait, gil, 40.0 ms                                python3 4711\n"
		"  waited  for the GIL\n"
		"  held by thread \"burner\" (4713), in one call of C code\n"
		"          /srv/shop/crunch.py:31 in crunch\n"
		"  site    /srv/shop/app.py:42 in coroutine Shop.handler\n"
		"  advice  the C call on the holder's line keeps the GIL until it returns: give\n"
		"          it less at a time, or run it in a ProcessPoolExecutor\n");
}

static void a_starved_holder_is_told_with_its_time(void **state)
{
	struct stack own = own_stack(42), holder = holder_stack();

	(void)state;
	gil_sleep(&own, BURNER, 4713, &holder, 90 * MSEC)->ev.holder_queued_ns = 60 * MSEC;
	made.iteration.ev.off_ns[OFF_HOLDER_QUEUED] = 60 * MSEC;
	assert_int_equal(made_eval(&made), 2);
	show(&report_text);
	assert_has("host-starved, run-queue, 60.0 ms");
	assert_has("  waited  for the GIL, and who held it for a CPU\n");
	made.iteration.ev.run_queue_ns = 2 * MSEC;
	show(&report_text);
	assert_has("  waited  for a CPU, ready to run; 60.0 ms of it for the GIL, and who held it\n"
		   "          for a CPU\n");
	made.findings[0] = made.findings[1];
	show(&report_text);
	assert_has("gil-wait, gil, 30.0 ms");
	assert_has("  waited  for the GIL; 60.0 ms more while who held it had no CPU\n");
	show(&report_jsonl);
	assert_has("\"waited_ns\":90000000,\"native\":false,\"others\":0,\"run_queue_ns\":60000000,");
}

static void what_is_not_known_of_the_holder_is_said(void **state)
{
	struct stack own = own_stack(42);
	struct sleep *sleep;

	(void)state;
	sleep = gil_sleep(&own, BURNER, 4713, NULL, 40 * MSEC);
	strcpy(sleep->holder_name, "");
	strcpy(sleep->holder_comm, "\x1b[31mred");
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_has("(4713); where it was could not be read\n");
	assert_null(strstr(text, "\x1b"));
	strcpy(sleep->holder_comm, "");
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_has("a thread (4713) that could not be named;");
	sleep->ev.holder_ident = 0;
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_has("held by a thread that could not be read\n");
	show(&report_jsonl);
	assert_has("\"holder\":null");
}

static void json_has_all_of_the_holder(void **state)
{
	struct stack own = own_stack(42), holder = holder_stack();

	(void)state;
	gil_sleep(&own, BURNER, 4713, &holder, 40 * MSEC);
	gil_sleep(&own, INDEXER, 0, NULL, 4 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	show(&report_jsonl);
	assert_has("\"holder\":{\"tid\":4713,\"ident\":139637976731648,\"name\":\"burner\","
		   "\"comm\":\"python3\",\"waited_ns\":40000000,\"native\":false,\"others\":1,"
		   "\"run_queue_ns\":0,"
		   "\"site\":{\"function\":\"crunch\",\"file\":\"/srv/shop/crunch.py\",\"line\":31},"
		   "\"stack\":[{\"function\":\"JSONDecoder.raw_decode\"");
	assert_has("\"gil_wait_ns\":44000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_waits_of_an_iteration_are_one_finding, setup,
						teardown),
		cmocka_unit_test_setup_teardown(they_are_no_lock_and_no_other_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_records_still_count, setup, teardown),
		cmocka_unit_test_setup_teardown(who_stands_still_is_in_c_code, setup, teardown),
		cmocka_unit_test_setup_teardown(time_without_a_cpu_is_nobodys_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(a_starved_holder_is_told_with_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_holder_that_runs_a_loop_of_its_own_is_cut_at_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_loop_that_only_woke_up_runs_no_callback, setup,
						teardown),
		cmocka_unit_test_setup_teardown(either_side_can_be_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_text_names_thread_and_line, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_known_of_the_holder_is_said, setup,
						teardown),
		cmocka_unit_test_setup_teardown(json_has_all_of_the_holder, setup, teardown),
	};

	return cmocka_run_group_tests_name("gil-wait", tests, NULL, NULL);
}
