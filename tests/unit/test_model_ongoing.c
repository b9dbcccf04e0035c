/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Iterations that last: told with what is known, and counted when they end. */
#include <stdio.h>

#include "records.h"

static struct model *started(void)
{
	struct model *model = new_model(&model_default_bounds);

	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	return model;
}

static void what_goes_on_has_its_samples_and_its_sleep_and_ends_later(void **state)
{
	struct model *model = started();
	struct ev_ongoing ev = { HEAD(ONGOING, 1, 0) };
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	add_code(model, 1, 100, CODE_OK);
	now_ns = 1000;
	add_sample(model, 0, 4, 11); /* of the iteration before */
	now_ns = 5000;
	add_sample(model, 0, 4, 11);
	ev.so_far.start_ns = 2000;
	ev.so_far.end_ns = 9000;
	ev.so_far.on_cpu_ns = 7000;
	ev.so_far.end = ITERATION_UNDER_WAY;
	ev.sleep = (struct ev_sleep){ .stack_id = 11,
				      .count = 1,
				      .first_ns = 6000,
				      .last_ns = 9000,
				      .total_ns = 3000,
				      .asleep_ns = 3000,
				      .max_ns = 3000 };
	add(model, &ev);
	it = model_next_iteration(model);
	assert_non_null(it);
	assert_true(iteration_is_ongoing(it));
	assert_false(it->is_incomplete);
	assert_int_equal(it->nr_samples, 1);
	assert_int_equal(it->nr_sleeps, 1);
	assert_string_equal(it->sleeps[0].stack->frames[0].function, "C.f100");
	assert_int_equal(it->loop->nr_long, 0);
	add_iteration(model, 1, 0, 4, 0, 2);
	it = model_next_iteration(model);
	assert_false(iteration_is_ongoing(it));
	assert_int_equal(it->nr_samples, 2); /* it took nothing away */
	assert_null(model_next_iteration(model));
	model_free(model);
	now_ns = 0;
}

static void what_is_incomplete_counts_when_it_ends(void **state)
{
	struct model *model = started();
	struct ev_ongoing ev = { HEAD(ONGOING, 1, 0) };

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	add_code(model, 1, 100, CODE_GONE);
	now_ns = 9000;
	ev.so_far = (struct ev_iteration){ .start_ns = 2000,
					   .end_ns = 9000,
					   .on_cpu_ns = 4000,
					   .off_ns[OFF_SYSCALL] = 3000,
					   .end = ITERATION_UNDER_WAY };
	ev.sleep = (struct ev_sleep){ .stack_id = 11,
				      .count = 1,
				      .first_ns = 6000,
				      .last_ns = 9000,
				      .total_ns = 3000,
				      .asleep_ns = 3000,
				      .max_ns = 3000 };
	add(model, &ev);
	assert_true(model_next_iteration(model)->is_incomplete);
	assert_int_equal(stat_of(model, STAT_BREACHES_INCOMPLETE), 0);
	ev.so_far.end = ITERATION_UNSEEN;
	add(model, &ev);
	assert_true(model_next_iteration(model)->is_incomplete);
	assert_int_equal(stat_of(model, STAT_BREACHES_INCOMPLETE), 1);
	model_free(model);
	now_ns = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_on_has_its_samples_and_its_sleep_and_ends_later),
		cmocka_unit_test(what_is_incomplete_counts_when_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
