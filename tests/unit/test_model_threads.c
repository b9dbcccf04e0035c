/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who held the GIL: merged by holder, with its stack and its name, which are waited for. */
#include <stdio.h>

#include "records.h"

static struct model *started(const struct model_bounds *bounds)
{
	struct model *model = new_model(bounds);

	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	return model;
}

static void add_gil(struct model *model, uint64_t iteration, uint64_t ident, uint32_t tid,
		    uint64_t holder_stack, uint64_t ns)
{
	struct ev_sleep ev = { HEAD(SLEEP, 1, 0),
			       .iteration = iteration,
			       .first_ns = 100,
			       .last_ns = 100 + ns,
			       .total_ns = ns,
			       .asleep_ns = ns,
			       .max_ns = ns,
			       .count = 1,
			       .syscall = 202,
			       .fd = -1,
			       .off_class = OFF_GIL,
			       .holder_stack_id = holder_stack,
			       .holder_ident = ident,
			       .holder_tid = tid,
			       .holder_queued_ns = ns / 2,
			       .holder_still_us = 3 };

	add(model, &ev);
}

static void add_name(struct model *model, uint64_t ident, uint32_t tid, const char *name)
{
	struct ev_thread ev = { HEAD(THREAD, 1, EV_NO_LOOP), .ident = ident, .tid = tid,
				.comm = "python3" };

	snprintf(ev.name, sizeof(ev.name), "%s", name);
	add(model, &ev);
}

static unsigned count_threads(struct model *model)
{
	struct model_thread_want want;
	unsigned nr = 0;

	while (model_next_thread(model, &want))
		nr++;
	return nr;
}

static void waits_are_told_apart_by_holder(void **state)
{
	struct model *model = started(&model_default_bounds);
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	add_stack(model, 1, 12, 101, 1);
	add_code(model, 1, 100, CODE_OK);
	add_code(model, 1, 101, CODE_OK);
	add_gil(model, 1, 7, 70, 11, 10);
	add_gil(model, 1, 8, 80, 12, 10);
	add_gil(model, 1, 7, 70, 12, 30); /* sent early, then again: where it was for longer */
	add_name(model, 7, 70, "seven");
	add_name(model, 8, 80, "eight");
	add_iteration(model, 1, 0, 1, 3, 0);
	it = model_next_iteration(model);
	assert_non_null(it);
	assert_int_equal(it->nr_sleeps, 2);
	assert_int_equal(it->sleeps[0].ev.total_ns, 40);
	assert_int_equal(it->sleeps[0].ev.holder_still_us, 6);
	assert_int_equal(it->sleeps[0].ev.holder_queued_ns, 20);
	assert_int_equal(it->sleeps[0].holder_stack->id, 12);
	assert_string_equal(it->sleeps[0].holder_stack->frames[0].name, "f101");
	assert_string_equal(it->sleeps[0].holder_name, "seven");
	assert_string_equal(it->sleeps[1].holder_name, "eight");
	assert_string_equal(it->sleeps[1].holder_comm, "python3");
	assert_false(it->is_incomplete);
	model_free(model);
}

static void a_lock_on_the_same_line_is_another_sleep(void **state)
{
	struct model *model = started(&model_default_bounds);

	(void)state;
	add_gil(model, 1, 0, 0, 0, 10);
	{
		struct ev_sleep ev = { HEAD(SLEEP, 1, 0), .iteration = 1, .first_ns = 100,
				       .last_ns = 110, .total_ns = 10, .syscall = 202, .fd = -1,
				       .off_class = OFF_SYSCALL };

		add(model, &ev);
	}
	add_iteration(model, 1, 0, 1, 2, 0);
	assert_int_equal(model_next_iteration(model)->nr_sleeps, 2);
	model_free(model);
}

static void a_name_is_asked_for_once_and_waited_for(void **state)
{
	struct model *model = started(&model_default_bounds);
	struct model_thread_want want;

	(void)state;
	assert_false(model_next_thread(model, &want));
	add_gil(model, 1, 7, 70, 0, 10);
	assert_true(model_next_thread(model, &want));
	assert_int_equal(want.ident, 7);
	assert_int_equal(want.tid, 70);
	assert_int_equal(want.target->pid, 1001);
	add_gil(model, 1, 7, 70, 0, 10);
	assert_false(model_next_thread(model, &want));
	add_iteration(model, 1, 0, 1, 2, 0);
	assert_null(model_next_iteration(model));
	add_name(model, 7, 71, "a later thread of this ident");
	assert_null(model_next_iteration(model));
	add_name(model, 7, 70, "seven");
	assert_string_equal(model_next_iteration(model)->sleeps[0].holder_name, "seven");
	/* Known by now: nothing to wait for. */
	add_gil(model, 2, 7, 70, 0, 10);
	assert_false(model_next_thread(model, &want));
	add_iteration(model, 1, 0, 2, 1, 0);
	assert_string_equal(model_next_iteration(model)->sleeps[0].holder_name, "seven");
	model_free(model);
}

static void a_name_that_does_not_come_is_not_waited_for_longer(void **state)
{
	struct model *model = started(&model_default_bounds);

	(void)state;
	add_gil(model, 1, 7, 70, 0, 10);
	add_iteration(model, 1, 0, 1, 1, 0);
	now_ns += MODEL_NAME_WAIT_NS - 1;
	add_tick(model);
	assert_null(model_next_iteration(model));
	now_ns++;
	add_tick(model);
	assert_string_equal(model_next_iteration(model)->sleeps[0].holder_name, "");
	model_free(model);
}

static void there_are_no_more_names_than_the_bound(void **state)
{
	struct model_bounds bounds = model_default_bounds;
	struct model *model;

	(void)state;
	bounds.threads = 2;
	model = started(&bounds);
	for (uint64_t ident = 1; ident <= 5; ident++)
		add_gil(model, 1, ident, 0, 0, 10);
	assert_int_equal(count_threads(model), 2); /* the others were forgotten */
	add_iteration(model, 1, 0, 1, 5, 0);
	assert_null(model_next_iteration(model));
	add_name(model, 4, 0, "four");
	add_name(model, 5, 0, "five");
	assert_string_equal(model_next_iteration(model)->sleeps[4].holder_name, "five");
	model_free(model);

	bounds.threads = 0;
	model = started(&bounds);
	add_gil(model, 1, 7, 70, 0, 10);
	add_name(model, 7, 70, "seven");
	assert_int_equal(count_threads(model), 0);
	add_iteration(model, 1, 0, 1, 1, 0);
	assert_string_equal(model_next_iteration(model)->sleeps[0].holder_name, "");
	model_free(model);
}

static void waits_for_the_gil_leave_room_for_calls(void **state)
{
	struct model_bounds bounds = model_default_bounds;
	const struct iteration *it;
	struct model *model;

	(void)state;
	bounds.sleeps = 8;
	model = started(&bounds);
	for (uint64_t i = 0; i < 20; i++) {
		struct ev_sleep ev = { HEAD(SLEEP, 1, 0), .iteration = 1, .stack_id = 100 + i,
				       .first_ns = 100 + i, .last_ns = 200, .total_ns = 10,
				       .asleep_ns = 10, .max_ns = 10, .count = 1,
				       .syscall = 202, .fd = -1, .off_class = OFF_GIL,
				       .holder_ident = 7 };

		add(model, &ev);
	}
	for (uint32_t i = 0; i < 4; i++)
		add_sleep(model, 0, 1, 0, 300, (int32_t)i);
	add_name(model, 7, 0, "seven");
	add_iteration(model, 1, 0, 1, 24, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->nr_sleeps, 8);
	assert_int_equal(it->nr_refused, 0);
	assert_int_equal(it->sleeps[0].ev.total_ns, 170);
	assert_int_equal(it->sleeps[0].ev.count, 17);
	model_free(model);
}

static void a_lost_stack_of_the_holder_is_noticed(void **state)
{
	struct model *model = started(&model_default_bounds);

	(void)state;
	add_gil(model, 1, 7, 70, 99, 10);
	add_name(model, 7, 70, "seven");
	add_iteration(model, 1, 0, 1, 1, 0);
	assert_true(model_next_iteration(model)->is_incomplete);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_are_told_apart_by_holder),
		cmocka_unit_test(a_lock_on_the_same_line_is_another_sleep),
		cmocka_unit_test(a_name_is_asked_for_once_and_waited_for),
		cmocka_unit_test(a_name_that_does_not_come_is_not_waited_for_longer),
		cmocka_unit_test(there_are_no_more_names_than_the_bound),
		cmocka_unit_test(waits_for_the_gil_leave_room_for_calls),
		cmocka_unit_test(a_lost_stack_of_the_holder_is_noticed),
	};

	return cmocka_run_group_tests_name("model_threads", tests, NULL, NULL);
}
