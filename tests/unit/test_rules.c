/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Iterations to findings: each rule's limits, grouping, sites and the allow-list. */
#include "made_iteration.h"

#include <errno.h>

static struct made made;

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	return 0;
}

static struct stack stack_at(int32_t line)
{
	struct stack stack = { 0 };

	push(&stack, coroutine_at("/srv/shop/app.py", line, "Shop.handler"));
	push_loop(&stack);
	return stack;
}

static void the_table_is_complete(void **state)
{
	enum rule_id found;
	int i;

	(void)state;
	for (i = 0; i < RULE_MAX; i++) {
		assert_int_equal(rules_find(rules[i].id, &found), 0);
		assert_int_equal(found, i);
		assert_true(rules[i].default_limit_ns > 0);
		assert_non_null(rules[i].guideline);
		assert_non_null(rules[i].evidence);
		assert_non_null(rules[i].advice);
		assert_non_null(rules[i].limit);
	}
	for (i = 0; i < CAUSE_MAX; i++)
		assert_non_null(cause_names[i]);
	assert_int_equal(rules_find("blocking", &found), -ENOENT);
}

/* Starting a thread or a process waits for it to be there, whatever the library. */
static void a_hand_over_has_ten_times_the_limit(void **state)
{
	static const struct {
		const char *file, *name;
	} handovers[] = {
		{ STDLIB "threading.py", "Thread.start" },
		{ STDLIB "concurrent/futures/thread.py", "ThreadPoolExecutor.submit" },
		{ STDLIB "asyncio/unix_events.py", "_UnixSubprocessTransport._start" },
		{ STDLIB "asyncio/subprocess.py", "create_subprocess_exec" }, /* uvloop */
		{ STDLIB "asyncio/subprocess.py", "create_subprocess_shell" },
		{ SITE_PACKAGES "twisted/internet/process.py", "_BaseProcess._fork" },
		{ SITE_PACKAGES "gevent/subprocess.py", "Popen._execute_child" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(handovers); i++) {
		struct stack starts = { 0 };

		push(&starts, frame_at(handovers[i].file, 3, handovers[i].name));
		push(&starts, coroutine_at("/srv/shop/app.py", 42, "Shop.handler"));
		push_loop(&starts);
		made_init(&made);
		made_sleep(&made, &starts, SYS_read, 99 * MSEC);
		assert_int_equal(made_eval(&made), 0);
		made_init(&made);
		made_sleep(&made, &starts, SYS_read, 101 * MSEC);
		assert_int_equal(made_eval(&made), 1);
	}
}

static void sleeps_of_one_line_and_cause_add_up(void **state)
{
	struct stack line_42 = stack_at(42), deeper = { 0 }, line_43 = stack_at(43);
	struct ev_sleep *ev;

	(void)state;
	push(&deeper, frame_at(STDLIB "socket.py", 706, "SocketIO.readinto"));
	push(&deeper, coroutine_at("/srv/shop/app.py", 42, "Shop.handler"));
	ev = made_sleep(&made, &line_42, SYS_recvfrom, 6 * MSEC);
	ev->first_ns = START + 5;
	ev = made_sleep(&made, &deeper, SYS_recvfrom, 7 * MSEC);
	ev->first_ns = START + 3;
	ev->count = 4;
	ev->total_ns = 9 * MSEC;
	set_peer(ev, "\x7f\0\0\1", 8081);
	made_sleep(&made, &line_42, SYS_clock_nanosleep, 9 * MSEC);
	made_sleep(&made, &line_43, SYS_recvfrom, 9 * MSEC);

	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_BLOCKING_CALL);
	assert_int_equal(made.findings[0].cause, CAUSE_NETWORK);
	assert_int_equal(made.findings[0].duration_ns, 15 * MSEC);
	assert_int_equal(made.findings[0].start_ns, START + 3);
	assert_int_equal(made.findings[0].calls, 5);
	assert_ptr_equal(made.findings[0].stack, &deeper);
	assert_int_equal(made.findings[0].site, 1);
	assert_int_equal(made.findings[0].coroutine, 1);
	assert_int_equal(made.findings[0].syscall, SYS_recvfrom);
	assert_int_equal(made.findings[0].fd, 7);
	assert_string_equal(made.findings[0].object, "127.0.0.1:8081");
}

static void the_wait_for_a_cpu_does_not_count(void **state)
{
	struct stack stack = stack_at(42);
	struct ev_sleep *ev = made_sleep(&made, &stack, SYS_futex, 9 * MSEC);

	(void)state;
	ev->total_ns = 60 * MSEC;
	assert_int_equal(made_eval(&made), 0);
	ev->asleep_ns = 10 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].duration_ns, 60 * MSEC);
}

static void sleeps_without_a_stack_are_a_group_of_their_own(void **state)
{
	struct stack stack = stack_at(42), bad = { .status = STACK_BAD_THREAD_STATE };

	(void)state;
	made_sleep(&made, &stack, SYS_futex, 8 * MSEC);
	made_sleep(&made, NULL, SYS_futex, 8 * MSEC);
	made_sleep(&made, &bad, SYS_futex, 9 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].duration_ns, 17 * MSEC);
	assert_int_equal(made.findings[0].site, -1);
	assert_int_equal(made.findings[0].cause, CAUSE_LOCK);
	assert_ptr_equal(made.findings[0].stack, &bad);
}

static void lost_sleeps_are_not_silent(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	made_sleep(&made, &stack, SYS_futex, 12 * MSEC);
	made.iteration.ev.off_ns[OFF_SYSCALL] += 300 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	made.iteration.is_incomplete = true;
	assert_int_equal(made_eval(&made), 2);
	assert_int_equal(made.findings[0].duration_ns, 300 * MSEC);
	assert_int_equal(made.findings[0].site, -1);
	assert_null(made.findings[0].stack);
	assert_int_equal(made.findings[0].syscall, -1);
	assert_int_equal(made.findings[1].duration_ns, 12 * MSEC);
}

static void the_costliest_comes_first_and_none_is_lost(void **state)
{
	static struct stack stacks[300];
	struct finding few[4];
	uint64_t sum = 0;
	unsigned int i, nr;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(stacks); i++) {
		stacks[i] = stack_at((int32_t)i + 1);
		made_sleep(&made, &stacks[i], SYS_futex, (10 + i % 7) * MSEC);
	}
	nr = made_eval(&made);
	assert_int_equal(nr, RULES_MAX_FINDINGS);
	for (i = 0; i < nr; i++)
		sum += made.findings[i].duration_ns;
	assert_int_equal(sum, made.iteration.ev.off_ns[OFF_SYSCALL]);
	for (i = 1; i < nr; i++)
		assert_true(made.findings[i - 1].duration_ns >= made.findings[i].duration_ns);
	assert_int_equal(rules_eval(&made.config, &made.iteration, few, 4), 4);
	assert_int_equal(rules_eval(&made.config, &made.iteration, few, 0), 0);
}

static void allowed_sites_are_silent(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	made_sleep(&made, &stack, SYS_futex, 20 * MSEC);
	made.config.nr_allow = 1;
	strcpy(made.config.allow[0].file, "shop/app.py");
	strcpy(made.config.allow[0].function, "handler");
	assert_int_equal(made_eval(&made), 0);
	strcpy(made.config.allow[0].function, "Shop.handler");
	assert_int_equal(made_eval(&made), 0);
	strcpy(made.config.allow[0].function, "hand");
	assert_int_equal(made_eval(&made), 1);
	strcpy(made.config.allow[0].function, "handler");
	strcpy(made.config.allow[0].file, "hop/app.py");
	assert_int_equal(made_eval(&made), 1);
}

static void rules_can_be_off_and_limits_moved(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	made_sleep(&made, &stack, SYS_futex, 20 * MSEC);
	made.config.limit_ns[RULE_BLOCKING_CALL] = 21 * MSEC;
	assert_int_equal(made_eval(&made), 0);
	made.config.limit_ns[RULE_BLOCKING_CALL] = 20 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	made.config.is_enabled[RULE_BLOCKING_CALL] = false;
	assert_int_equal(made_eval(&made), 0);
}

static void a_step_past_the_limit_is_cpu_bound(void **state)
{
	struct stack a = stack_at(42), b = stack_at(43), other = stack_at(99);

	(void)state;
	made.iteration.ev.on_cpu_ns = 200 * MSEC;
	made_samples(&made, &other, 1, 10);
	made_samples(&made, &a, 2, 10);
	made_samples(&made, &b, 2, 20);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_CPU_BOUND);
	assert_int_equal(made.findings[0].cause, CAUSE_PYTHON);
	assert_int_equal(made.findings[0].duration_ns, 150 * MSEC);
	assert_int_equal(made.findings[0].calls, 30);
	assert_ptr_equal(made.findings[0].stack, &b);
	assert_int_equal(made.findings[0].site, 0);
	assert_int_equal(made.findings[0].syscall, -1);
	assert_int_equal(made.findings[0].start_ns, START);
}

static void many_short_steps_are_not_cpu_bound(void **state)
{
	struct stack stack = stack_at(42);
	uint64_t step;

	(void)state;
	made.iteration.ev.on_cpu_ns = 400 * MSEC;
	for (step = 1; step <= 10; step++)
		made_samples(&made, &stack, step, 4);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_LOOP_OVERLOAD);
	assert_int_equal(made.findings[0].cause, CAUSE_CALLBACKS);
	assert_int_equal(made.findings[0].duration_ns, 400 * MSEC);
	assert_int_equal(made.findings[0].callbacks, 10);
	assert_false(made.findings[0].callbacks_exact);
	made.iteration.ev.on_cpu_ns = 249 * MSEC;
	assert_int_equal(made_eval(&made), 0);
}

static void bytecode_that_stands_still_is_native(void **state)
{
	struct stack a = stack_at(42), b = stack_at(43);

	(void)state;
	made.iteration.ev.on_cpu_ns = 60 * MSEC;
	made_samples(&made, &a, 1, 2);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_PYTHON); /* two can agree by chance */
	made_samples(&made, &a, 1, 1);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_NATIVE);
	/* a call that also builds or frees what it returns stands still for most of the time */
	made_samples(&made, &b, 1, 1);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_NATIVE);
	made_samples(&made, &b, 1, 1);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_PYTHON);
	/* the same line, another instruction of it */
	made_init(&made);
	made.iteration.ev.on_cpu_ns = 60 * MSEC;
	b = a;
	b.id++;
	made_samples(&made, &a, 1, 3);
	made_samples(&made, &b, 1, 3);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_PYTHON);
	assert_ptr_equal(made.findings[0].stack, &a);
}

static void plain_callbacks_of_uvloop_are_not_told_apart_so_none_is_blamed(void **state)
{
	struct stack a = stack_at(42);

	(void)state;
	made.iteration.ev.on_cpu_ns = 80 * MSEC;
	made_samples(&made, &a, 0, 20);
	assert_int_equal(made_eval(&made), 1);
	made.loop.info.kind = LOOP_KIND_UVLOOP;
	assert_int_equal(made_eval(&made), 0);
}

static void the_first_of_equal_lines_is_the_site(void **state)
{
	struct stack a = stack_at(42), b = stack_at(43);

	(void)state;
	made.iteration.ev.on_cpu_ns = 60 * MSEC;
	made_samples(&made, &b, 1, 2);
	made_samples(&made, &a, 1, 2);
	assert_int_equal(made_eval(&made), 1);
	assert_ptr_equal(made.findings[0].stack, &b);
}

static void a_hog_without_samples_is_still_told(void **state)
{
	(void)state;
	made.iteration.ev.on_cpu_ns = 49 * MSEC;
	assert_int_equal(made_eval(&made), 0);
	made.iteration.ev.on_cpu_ns = 50 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_CPU_BOUND);
	assert_null(made.findings[0].stack);
	assert_int_equal(made.findings[0].site, -1);
	made_samples(&made, NULL, 1, 5);
	assert_int_equal(made_eval(&made), 1);
	assert_null(made.findings[0].stack);
	assert_int_equal(made.findings[0].calls, 5);
}

static void a_starved_loop_blames_no_code(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	made_sleep(&made, &stack, SYS_futex, 1 * MSEC);
	made.iteration.ev.run_queue_ns = 30 * MSEC;
	made.iteration.ev.wake_delay_ns = 19 * MSEC;
	assert_int_equal(made_eval(&made), 0);
	made.iteration.ev.wake_delay_ns = 20 * MSEC;
	made.iteration.ev.off_ns[OFF_FAULT] = 51 * MSEC;
	made.iteration.ev.off_ns[OFF_STOPPED] = 5 * NSEC_PER_SEC;
	assert_int_equal(made_eval(&made), 3);
	assert_int_equal(made.findings[0].cause, CAUSE_STOPPED);
	assert_int_equal(made.findings[1].cause, CAUSE_PAGE_FAULT);
	assert_int_equal(made.findings[2].cause, CAUSE_RUN_QUEUE);
	assert_int_equal(made.findings[2].duration_ns, 50 * MSEC);
	assert_int_equal(made.findings[2].start_ns, START - 20 * MSEC);
	assert_int_equal(made.findings[2].site, -1);
	assert_null(made.findings[2].stack);
	/* a time before the clock's start is no time */
	made.iteration.ev.start_ns = 1;
	assert_int_equal(made_eval(&made), 3);
	assert_int_equal(made.findings[2].start_ns, 0);
}

static void starting_a_thread_is_handing_over_until_it_takes_ten_times_the_limit(void **state)
{
	struct stack stack = { .nr = 0 };
	struct ev_sleep *ev;

	(void)state;
	made_init(&made);
	push(&stack, frame_at(STDLIB "threading.py", 320, "Condition.wait"));
	push(&stack, frame_at(STDLIB "threading.py", 622, "Event.wait"));
	push(&stack, frame_at(STDLIB "threading.py", 968, "Thread.start"));
	push(&stack, frame_at(STDLIB "asyncio/threads.py", 25, "to_thread"));
	push(&stack, coroutine_at("/srv/shop/app.py", 9, "handler"));
	push_loop(&stack);
	ev = made_sleep(&made, &stack, SYS_futex, 60 * MSEC);
	assert_int_equal(made_eval(&made), 0);
	ev->asleep_ns = ev->total_ns = 110 * MSEC;
	made.iteration.ev.off_ns[OFF_SYSCALL] = 110 * MSEC;
	assert_int_equal(made_eval(&made), 1);
}

static void starting_the_workers_of_a_process_pool_is_handing_over(void **state)
{
	struct stack stack = { .nr = 0 };
	struct ev_sleep *ev;

	(void)state;
	push(&stack, frame_at(STDLIB "multiprocessing/popen_spawn_posix.py", 62, "Popen._launch"));
	push(&stack, frame_at(STDLIB "multiprocessing/process.py", 121, "BaseProcess.start"));
	push(&stack,
	     frame_at(STDLIB "concurrent/futures/process.py", 800, "ProcessPoolExecutor.submit"));
	push(&stack,
	     frame_at(STDLIB "asyncio/base_events.py", 829, "BaseEventLoop.run_in_executor"));
	push(&stack, coroutine_at("/srv/shop/app.py", 9, "handler"));
	push_loop(&stack);
	ev = made_sleep(&made, &stack, SYS_write, 99 * MSEC);
	assert_int_equal(made_eval(&made), 0);
	ev->asleep_ns = ev->total_ns = 100 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].site, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			starting_a_thread_is_handing_over_until_it_takes_ten_times_the_limit),
		cmocka_unit_test_setup(starting_the_workers_of_a_process_pool_is_handing_over,
				       setup),
		cmocka_unit_test_setup(the_table_is_complete, setup),
		cmocka_unit_test_setup(a_hand_over_has_ten_times_the_limit, setup),
		cmocka_unit_test_setup(sleeps_of_one_line_and_cause_add_up, setup),
		cmocka_unit_test_setup(the_wait_for_a_cpu_does_not_count, setup),
		cmocka_unit_test_setup(sleeps_without_a_stack_are_a_group_of_their_own, setup),
		cmocka_unit_test_setup(lost_sleeps_are_not_silent, setup),
		cmocka_unit_test_setup(the_costliest_comes_first_and_none_is_lost, setup),
		cmocka_unit_test_setup(allowed_sites_are_silent, setup),
		cmocka_unit_test_setup(rules_can_be_off_and_limits_moved, setup),
		cmocka_unit_test_setup(a_step_past_the_limit_is_cpu_bound, setup),
		cmocka_unit_test_setup(many_short_steps_are_not_cpu_bound, setup),
		cmocka_unit_test_setup(bytecode_that_stands_still_is_native, setup),
		cmocka_unit_test_setup(plain_callbacks_of_uvloop_are_not_told_apart_so_none_is_blamed, setup),
		cmocka_unit_test_setup(the_first_of_equal_lines_is_the_site, setup),
		cmocka_unit_test_setup(a_hog_without_samples_is_still_told, setup),
		cmocka_unit_test_setup(a_starved_loop_blames_no_code, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
