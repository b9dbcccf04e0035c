/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Many callbacks: how many, which took the time, and who speaks of it. */
#include "made_iteration.h"

static struct made made;

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	return 0;
}

static struct stack callback_of(const char *name, int32_t line)
{
	struct stack stack = { 0 };

	push(&stack, frame_at(STDLIB "json/decoder.py", 7, "decode"));
	push(&stack, frame_at("/srv/shop/parse.py", line, "parse"));
	push(&stack, frame_at("/srv/shop/app.py", 5, name));
	push(&stack, coroutine_at(SITE_PACKAGES "aiohttp/web_protocol.py", 9, "start"));
	push_loop(&stack);
	return stack;
}

static void the_costliest_callbacks_of_a_crowd_are_named(void **state)
{
	struct stack stacks[4] = { callback_of("a", 1), callback_of("b", 1), callback_of("b", 2),
				   callback_of("c", 1) };
	uint64_t step = 1;

	(void)state;
	made.iteration.ev.on_cpu_ns = 410 * MSEC;
	made.iteration.ev.gc_on_cpu_ns = 10 * MSEC; /* another rule's */
	made.iteration.ev.nr_callbacks = 500;
	made.iteration.ev.nr_waiting = 8;
	for (; step <= 6; step++)
		made_samples(&made, &stacks[0], step, 1);
	for (; step <= 10; step++)
		made_samples(&made, &stacks[1], step, 1);
	for (; step <= 18; step++)
		made_samples(&made, &stacks[2], step, 1);
	made_samples(&made, &stacks[3], step, 1);
	made_samples(&made, NULL, step + 1, 1);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_LOOP_OVERLOAD);
	assert_int_equal(made.findings[0].duration_ns, 400 * MSEC);
	assert_int_equal(made.findings[0].callbacks, 500);
	assert_true(made.findings[0].callbacks_exact);
	assert_int_equal(made.findings[0].ready_at_end, 7);
	made.iteration.ev.nr_waiting = 0;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].ready_at_end, -1);
	assert_int_equal(made.findings[0].nr_hot, 3);
	assert_string_equal(made.findings[0].hot[0].frame.function, "b");
	assert_true(made.findings[0].hot[0].share == 12.0 / 20);
	assert_string_equal(made.findings[0].hot[1].frame.function, "a");
	assert_string_equal(made.findings[0].hot[2].frame.function, "c");
	/* the site is the line that takes most of the costliest */
	assert_ptr_equal(made.findings[0].stack, &stacks[2]);
	assert_int_equal(made.findings[0].site, 1);
	made.config.nr_allow = 1;
	strcpy(made.config.allow[0].file, "shop/parse.py");
	strcpy(made.config.allow[0].function, "parse");
	assert_int_equal(made_eval(&made), 0);
}

static void a_long_step_and_a_crowd_share_the_time(void **state)
{
	struct stack one = callback_of("long", 1), crowd = callback_of("short", 1);
	uint64_t step;

	(void)state;
	made.iteration.ev.on_cpu_ns = 500 * MSEC;
	made_samples(&made, &one, 99, 20);
	for (step = 1; step <= 30; step++)
		made_samples(&made, &crowd, step, 1);
	assert_int_equal(made_eval(&made), 2);
	assert_int_equal(made.findings[0].rule, RULE_LOOP_OVERLOAD);
	assert_int_equal(made.findings[0].duration_ns, 300 * MSEC);
	assert_int_equal(made.findings[0].nr_hot, 1);
	assert_string_equal(made.findings[0].hot[0].frame.function, "short");
	assert_int_equal(made.findings[1].rule, RULE_CPU_BOUND);
	assert_int_equal(made.findings[1].duration_ns, 200 * MSEC);
	made_samples(&made, &one, 99, 20);
	assert_int_equal(made_eval(&made), 1); /* what is left is below the limit */
	assert_int_equal(made.findings[0].rule, RULE_CPU_BOUND);
}

static void the_loops_own_work_is_the_crowds(void **state)
{
	struct stack crowd = callback_of("short", 1), loop = { 0 };
	uint64_t step;

	(void)state;
	push_loop(&loop);
	made.iteration.ev.on_cpu_ns = 300 * MSEC;
	made_samples(&made, &loop, 0, 20);
	for (step = 1; step <= 10; step++)
		made_samples(&made, &crowd, step, 1);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_LOOP_OVERLOAD);
	assert_int_equal(made.findings[0].duration_ns, 300 * MSEC);
	/* where callbacks may not be told apart, it is unknown whose they are */
	made.loop.info.kind = LOOP_KIND_UVLOOP;
	assert_int_equal(made_eval(&made), 0);
}

static void an_iteration_whose_begin_was_not_seen_may_be_many(void **state)
{
	struct stack stack = callback_of("a", 1);

	(void)state;
	made.iteration.ev.on_cpu_ns = 410 * MSEC;
	for (uint64_t step = 1; step <= 40; step++)
		made_samples(&made, &stack, step, 1);
	made.loop.info.wait_fd = -1;
	assert_int_equal(made_eval(&made), 1);
	made.iteration.ev.flags = ITERATION_PARTIAL;
	assert_int_equal(made_eval(&made), 0);
	made.loop.info.wait_fd = 6;
	assert_int_equal(made_eval(&made), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_costliest_callbacks_of_a_crowd_are_named, setup),
		cmocka_unit_test_setup(a_long_step_and_a_crowd_share_the_time, setup),
		cmocka_unit_test_setup(the_loops_own_work_is_the_crowds, setup),
		cmocka_unit_test_setup(an_iteration_whose_begin_was_not_seen_may_be_many, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
