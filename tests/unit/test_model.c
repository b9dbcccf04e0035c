/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does the model join what belongs together, and wait for names as long as it may? */
#include <stdio.h>

#include "records.h"

static struct model *started(void)
{
	struct model *model = new_model(&model_default_bounds);

	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	return model;
}

static void an_iteration_comes_out_with_everything(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 2);
	assert_int_equal(count_wants(model), 2);
	add_sleep(model, 0, 5, 11, 300, 7);
	add_sleep(model, 0, 5, 11, 200, 8);
	add_sample(model, 0, 5, 11);
	add_code(model, 1, 100, CODE_OK);
	add_code(model, 1, 101, CODE_OK);
	add_iteration(model, 1, 0, 5, 2, 1);
	it = model_next_iteration(model);
	assert_non_null(it);
	assert_false(it->is_incomplete);
	assert_int_equal(it->ev.iteration, 5);
	assert_int_equal(it->loop->info.tid, 50);
	assert_int_equal(it->loop->target->info.pid, 1001);
	assert_int_equal(it->loop->nr_long, 1);
	assert_int_equal(it->nr_sleeps, 2);
	assert_int_equal(it->sleeps[0].ev.first_ns, 200); /* in order of time */
	assert_int_equal(it->sleeps[1].ev.first_ns, 300);
	assert_int_equal(it->nr_samples, 1);
	assert_int_equal(it->samples[0].ts_ns, now_ns);
	assert_ptr_equal(it->samples[0].stack, it->sleeps[0].stack);
	assert_int_equal(it->sleeps[0].stack->nr, 2);
	assert_string_equal(it->sleeps[0].stack->frames[1].function, "C.f101");
	assert_string_equal(it->sleeps[0].stack->frames[1].name, "f101");
	assert_string_equal(it->sleeps[0].stack->frames[1].file, "/f.py");
	assert_int_equal(it->sleeps[0].stack->frames[1].line, 11);
	assert_true(it->sleeps[0].stack->frames[1].is_coroutine);
	assert_null(model_next_iteration(model));
	model_free(model);
}

static void equal_sleeps_are_merged(void **state)
{
	struct model *model = started();
	struct ev_sleep ev = { HEAD(SLEEP, 0, 0), .iteration = 1,  .first_ns = 500, .last_ns = 600,
			       .total_ns = 90,	  .asleep_ns = 80, .max_ns = 50,    .args = { 1 },
			       .count = 3,	  .syscall = 230,  .fd = 7 };
	const struct iteration *it;

	(void)state;
	add(model, &ev);
	ev.first_ns = 100;
	ev.last_ns = 400;
	ev.max_ns = 70;
	ev.args[0] = 2;
	ev.object.kind = OBJECT_PIPE;
	add(model, &ev);
	ev.first_ns = 700;
	ev.last_ns = 900;
	ev.object.kind = OBJECT_FILE;
	add(model, &ev);
	ev.syscall = 0;
	add(model, &ev);
	add_iteration(model, 1, 0, 1, 4, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->nr_sleeps, 2);
	assert_int_equal(it->sleeps[0].ev.count, 9);
	assert_int_equal(it->sleeps[0].ev.total_ns, 270);
	assert_int_equal(it->sleeps[0].ev.asleep_ns, 240);
	assert_int_equal(it->sleeps[0].ev.max_ns, 70);
	assert_int_equal(it->sleeps[0].ev.first_ns, 100);
	assert_int_equal(it->sleeps[0].ev.last_ns, 900);
	assert_int_equal(it->sleeps[0].ev.args[0], 2);
	assert_int_equal(it->sleeps[0].ev.object.kind, OBJECT_PIPE);
	assert_false(it->is_incomplete); /* four records came */
	model_free(model);
}

static void lost_records_make_it_incomplete(void **state)
{
	struct model *model = started();

	(void)state;
	add_sleep(model, 0, 1, 0, 100, 1);
	add_iteration(model, 1, 0, 1, 2, 0);
	assert_true(model_next_iteration(model)->is_incomplete);
	add_iteration(model, 1, 0, 2, 0, 1);
	assert_true(model_next_iteration(model)->is_incomplete);
	add_sleep(model, 0, 3, 99, 100, 1); /* its stack never came */
	add_iteration(model, 1, 0, 3, 1, 0);
	assert_true(model_next_iteration(model)->is_incomplete);
	add_sample(model, 0, 4, 99);
	add_iteration(model, 1, 0, 4, 0, 1);
	assert_true(model_next_iteration(model)->is_incomplete);
	add_iteration(model, 1, 0, 5, 0, 0);
	assert_false(model_next_iteration(model)->is_incomplete);
	assert_int_equal(stat_of(model, STAT_BREACHES_INCOMPLETE), 4);
	model_free(model);
}

static void records_of_another_iteration_are_not_joined(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_sleep(model, 0, 1, 0, 100, 1); /* the end of 1 is lost */
	add_sleep(model, 0, 3, 0, 300, 3);
	add_sleep(model, 0, 2, 0, 200, 2); /* too late */
	add_iteration(model, 1, 0, 3, 1, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->nr_sleeps, 1);
	assert_int_equal(it->sleeps[0].ev.fd, 3);
	add_sleep(model, 0, 4, 0, 400, 4);
	add_iteration(model, 1, 0, 5, 0, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->nr_sleeps, 0);
	assert_false(it->is_incomplete);
	model_free(model);
}

static void one_waits_for_its_names_and_does_not_hold_up_others(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	add_sleep(model, 0, 1, 11, 100, 1);
	add_iteration(model, 1, 0, 1, 1, 0);
	assert_null(model_next_iteration(model));
	add_iteration(model, 1, 0, 2, 0, 0);
	assert_int_equal(model_next_iteration(model)->ev.iteration, 2);
	now_ns += MODEL_NAME_WAIT_NS - 1;
	add_tick(model);
	assert_null(model_next_iteration(model));
	add_code(model, 1, 100, CODE_OK);
	it = model_next_iteration(model);
	assert_int_equal(it->ev.iteration, 1);
	assert_false(it->is_incomplete);
	assert_string_equal(it->sleeps[0].stack->frames[0].name, "f100");
	model_free(model);
}

static void one_waits_no_longer_than_it_may(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	add_sample(model, 0, 1, 11);
	add_iteration(model, 1, 0, 1, 0, 1);
	now_ns += MODEL_NAME_WAIT_NS;
	add_tick(model);
	it = model_next_iteration(model);
	assert_true(it->is_incomplete);
	assert_int_equal(it->samples[0].stack->frames[0].naming, FRAME_PENDING);
	assert_string_equal(it->samples[0].stack->frames[0].function, "?");
	assert_int_equal(stat_of(model, STAT_BREACHES_INCOMPLETE), 1);
	/* The answer comes after all: the next one has it at once. */
	add_code(model, 1, 100, CODE_OK);
	add_sample(model, 0, 2, 11);
	add_iteration(model, 1, 0, 2, 0, 1);
	assert_false(model_next_iteration(model)->is_incomplete);
	model_free(model);
}

static void nothing_waits_after_the_end(void **state)
{
	struct model *model = started();

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	for (unsigned i = 1; i <= 3; i++) {
		add_sample(model, 0, i, 11);
		add_iteration(model, 1, 0, i, 0, 1);
	}
	assert_null(model_next_iteration(model));
	add_end(model);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(model_next_iteration(model)->ev.iteration, i);
	assert_null(model_next_iteration(model));
	model_free(model);
}

static void failures_end_the_wait_and_say_why(void **state)
{
	static const enum frame_naming namings[CODE_STATUS_MAX] = {
		FRAME_NAMED, FRAME_GONE, FRAME_UNREADABLE, FRAME_UNREADABLE, FRAME_UNREADABLE,
	};
	struct model *model = started();

	(void)state;
	for (unsigned status = CODE_OK; status < CODE_STATUS_MAX; status++) {
		const struct iteration *it;

		add_stack(model, 1, 11 + status, 100 + status, 1);
		add_sample(model, 0, status, 11 + status);
		add_iteration(model, 1, 0, status, 0, 1);
		assert_null(model_next_iteration(model));
		add_code(model, 1, 100 + status, status);
		it = model_next_iteration(model);
		assert_int_equal(it->samples[0].stack->frames[0].naming, namings[status]);
		assert_int_equal(it->is_incomplete, status != CODE_OK);
	}
	assert_int_equal(stat_of(model, STAT_NAMES_ASKED), 5);
	assert_int_equal(stat_of(model, STAT_NAMES_FAILED), 4);
	model_free(model);
}

static void each_code_object_is_wanted_once_and_only_of_a_known_target(void **state)
{
	struct model *model = new_model(&model_default_bounds);
	struct model_want want;

	(void)state;
	add_stack(model, 1, 11, 100, 3);
	add_stack(model, 1, 12, 101, 3);
	assert_false(model_next_want(model, &want));
	add_target(model, 1, TARGET_NOT_READY);
	assert_false(model_next_want(model, &want));
	add_target(model, 1, TARGET_OK);
	add_stack(model, 1, 13, 100, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(model_next_want(model, &want));
		assert_int_equal(want.code_addr, 100 + i);
		assert_int_equal(want.fingerprint, 77);
		assert_int_equal(want.target->pid, 1001);
	}
	assert_false(model_next_want(model, &want));
	add_target(model, 1, TARGET_OK);
	add_stack(model, 1, 14, 100, 5);
	assert_false(model_next_want(model, &want));
	model_free(model);
}

static void a_forked_child_knows_what_its_ancestors_know(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 2);
	add_code(model, 1, 100, CODE_OK);
	add_code(model, 1, 101, CODE_GONE);
	assert_int_equal(count_wants(model), 0); /* answered before they were asked */
	add_fork(model, 1, 2);
	add_fork(model, 2, 3);
	assert_int_equal(model_target(model, 2)->info.status, TARGET_OK);
	assert_int_equal(model_target(model, 2)->info.pid, 1003);
	assert_string_equal(model_target(model, 2)->info.comm, "python3");
	add_exit(model, 1);
	add_stack(model, 3, 31, 100, 2);
	assert_int_equal(count_wants(model),
			 1); /* what failed for the parent is asked of the child */
	add_code(model, 3, 101, CODE_OK);
	add_loop(model, 3, 4, 60);
	add_sample(model, 4, 1, 31);
	add_iteration(model, 3, 4, 1, 0, 1);
	it = model_next_iteration(model);
	assert_false(it->is_incomplete);
	assert_string_equal(it->samples[0].stack->frames[0].name, "f100");
	assert_int_equal(it->loop->target->info.pid, 1003);
	add_target(model, 3, TARGET_PENDING); /* says less than the fork did */
	assert_int_equal(model_target(model, 2)->info.status, TARGET_OK);
	model_free(model);
}

static void an_exec_ends_one_target_and_begins_another(void **state)
{
	struct model *model = started();
	struct ev_exec ev = { HEAD(EXEC, 1, EV_NO_LOOP), .pid = 1001, .new_target_id = 2 };

	(void)state;
	add(model, &ev);
	assert_true(model_target(model, 0)->ended);
	assert_true(model_loop(model, 0)->ended);
	assert_null(model_target(model, 1)); /* most often it is no Python, and nothing more comes of it */
	add_target(model, 2, TARGET_OK);
	assert_false(model_target(model, 1)->ended);
	add_target(model, 2, TARGET_GONE);
	assert_true(model_target(model, 1)->ended);
	model_free(model);
}

static void counters_are_the_larger_of_what_both_saw(void **state)
{
	struct model *model = started();
	struct ev_loss ev = { HEAD(LOSS, 0, EV_NO_LOOP) };

	(void)state;
	ev.stats[STAT_NAMES_ASKED] = 3;
	ev.stats[STAT_RING_FULL] = 5;
	add(model, &ev);
	assert_int_equal(stat_of(model, STAT_NAMES_ASKED), 3);
	assert_int_equal(stat_of(model, STAT_RING_FULL), 5);
	add_stack(model, 1, 11, 100, 4);
	assert_int_equal(stat_of(model, STAT_NAMES_ASKED), 4);
	assert_int_equal(model_now_ns(model), now_ns);
	model_free(model);
}

static void frames_that_have_not_started_are_left_out(void **state)
{
	struct model *model = started();
	struct {
		struct ev_stack ev;
		struct ev_frame frames[4];
	} rec = { { .head = { .type = EV_STACK, .size = sizeof(rec), .target_id = 1 },
		    .stack_id = 11,
		    .nr_frames = 4,
		    .flags = STACK_TRUNCATED,
		    .status = STACK_BAD_CODE },
		  { { 100, -1, 77 }, { 101, 0, 77 }, { 102, -2, 77 }, { 103, 2, 77 } } };
	const struct stack *stack;

	(void)state;
	add(model, &rec);
	assert_int_equal(count_wants(model), 2);
	add_sample(model, 0, 1, 11);
	add_iteration(model, 1, 0, 1, 0, 1);
	add_code(model, 1, 103, CODE_OK);
	add_code(model, 1, 101, CODE_OK);
	stack = model_next_iteration(model)->samples[0].stack;
	assert_int_equal(stack->nr, 2);
	assert_true(stack->is_truncated);
	assert_int_equal(stack->status, STACK_BAD_CODE);
	assert_string_equal(stack->frames[0].name, "f101");
	assert_int_equal(stack->frames[0].line, 10);
	assert_string_equal(stack->frames[1].name, "f103");
	model_free(model);
}

static void what_could_not_be_asked_is_asked_again_later(void **state)
{
	struct model *model = started();
	struct model_want first, want;

	(void)state;
	add_stack(model, 1, 11, 100, 3);
	assert_true(model_next_want(model, &first));
	model_unwant(model, &first);
	assert_false(model_next_want(model, &want)); /* not now */
	add_stack(model, 1, 12, 200, 1);
	assert_false(model_next_want(model, &want)); /* that made no room */
	add_tick(model);
	assert_true(model_next_want(model, &want));
	assert_int_equal(want.code_addr, first.code_addr);
	assert_true(model_next_want(model, &want));
	assert_int_equal(want.code_addr, 101);
	model_unwant(model, &want);
	add_code(model, 1, 100, CODE_OK);
	assert_int_equal(count_wants(model), 3);
	assert_int_equal(model_nr_unwanted(model), 2);
	assert_int_equal(stat_of(model, STAT_NAMES_ASKED), 4);
	add_code(model, 1, 101, CODE_OK);
	model_unwant(model, &want); /* answered meanwhile */
	add_tick(model);
	assert_int_equal(count_wants(model), 0);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_iteration_comes_out_with_everything),
		cmocka_unit_test(equal_sleeps_are_merged),
		cmocka_unit_test(lost_records_make_it_incomplete),
		cmocka_unit_test(records_of_another_iteration_are_not_joined),
		cmocka_unit_test(one_waits_for_its_names_and_does_not_hold_up_others),
		cmocka_unit_test(one_waits_no_longer_than_it_may),
		cmocka_unit_test(nothing_waits_after_the_end),
		cmocka_unit_test(failures_end_the_wait_and_say_why),
		cmocka_unit_test(each_code_object_is_wanted_once_and_only_of_a_known_target),
		cmocka_unit_test(a_forked_child_knows_what_its_ancestors_know),
		cmocka_unit_test(an_exec_ends_one_target_and_begins_another),
		cmocka_unit_test(counters_are_the_larger_of_what_both_saw),
		cmocka_unit_test(frames_that_have_not_started_are_left_out),
		cmocka_unit_test(what_could_not_be_asked_is_asked_again_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
