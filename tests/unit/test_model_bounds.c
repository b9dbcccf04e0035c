/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does the model keep its bounds, whatever comes in whatever order, and lose no iteration? */
#include <stdio.h>

#include "records.h"
#include "util.h"

static const struct model_bounds tight = {
	.targets = 3,
	.loops = 4,
	.codes = 8,
	.stacks = 4,
	.sleeps = 3,
	.samples = 2,
	.waiting = 2,
	.name_bytes = 150,
	.stack_bytes = 65536,
};

static void an_iteration_of_an_unknown_loop_comes_out(void **state)
{
	struct model *model = new_model(&tight);
	const struct iteration *it;

	(void)state;
	add_iteration(model, 5, 9, 1, 0, 0);
	it = model_next_iteration(model);
	add_sleep(model, 9, 2, 0, 100, 1);
	add_iteration(model, 5, 9, 2, 1, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->loop->info.tid, 0);
	assert_int_equal(it->loop->info.kind, LOOP_KIND_UNKNOWN);
	assert_int_equal(it->loop->nr_long, 2);
	assert_int_equal(it->nr_sleeps, 1);
	assert_int_equal(it->loop->target->info.head.target_id, 5);
	assert_int_equal(it->loop->target->info.status, TARGET_PENDING);
	add_iteration(model, 0, EV_NO_LOOP, 1, 0, 0);
	it = model_next_iteration(model);
	assert_non_null(it->loop->target);
	assert_int_equal(it->loop->target->info.status, TARGET_PENDING);
	model_free(model);
}

static void a_slot_is_used_again(void **state)
{
	struct model *model = new_model(&tight);
	struct ev_loop_stats ev = { HEAD(LOOP_STATS, 1, 0), .counters = { .iterations = 10 } };
	const struct iteration *it;

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_loop(model, 1, 0, 50); /* said again */
	add(model, &ev);
	now_ns++;
	ev.counters.iterations = 15;
	add(model, &ev);
	add_loop_exit(model, 1, 0);
	add_iteration(model, 1, 0, 7, 0, 0); /* its last words */
	it = model_next_iteration(model);
	assert_int_equal(it->loop->info.tid, 50);
	assert_true(it->loop->ended);
	add_sleep(model, 0, 8, 0, 100, 1);
	add_loop(model, 1, 0, 51);
	ev.counters.iterations = 3;
	add(model, &ev);
	add_iteration(model, 1, 0, 8, 0, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->loop->info.tid, 51);
	assert_int_equal(it->loop->number, 1);
	assert_int_equal(it->nr_sleeps, 0);
	assert_int_equal(model_loop(model, 0)->counters.iterations, 15);
	assert_int_equal(model_loop(model, 0)->previous.iterations, 10);
	assert_int_equal(model_loop(model, 0)->counters_ns - model_loop(model, 0)->previous_ns, 1);
	assert_int_equal(model_loop(model, 1)->counters.iterations, 3);
	assert_int_equal(model_loop(model, 1)->previous_ns, 0);
	assert_null(model_loop(model, 2));
	model_free(model);
}

static void the_oldest_dead_are_forgotten_first(void **state)
{
	struct model *model = new_model(&tight);

	(void)state;
	for (uint32_t id = 1; id <= 3; id++) {
		add_target(model, id, TARGET_OK);
		add_loop(model, id, id, 50 + id);
	}
	add_exit(model, 2);
	add_exit(model, 1);
	assert_true(model_loop(model, 0)->ended);
	add_target(model, 4, TARGET_OK);
	assert_int_equal(model_target(model, 0)->info.pid, 1001);
	assert_int_equal(model_target(model, 1)->info.pid, 1003);
	assert_int_equal(model_target(model, 2)->info.pid, 1004);
	assert_null(model_target(model, 3));
	assert_int_equal(model_loop(model, 1)->info.tid, 53);
	add_target(model, 5, TARGET_OK);
	add_target(model, 6, TARGET_OK); /* all live: no room */
	assert_int_equal(stat_of(model, STAT_TARGETS_REFUSED), 1);
	add_iteration(model, 6, 9, 1, 0, 0);
	assert_int_equal(model_next_iteration(model)->loop->target->info.head.target_id, 0);
	model_free(model);
}

static void a_loop_that_an_iteration_waits_for_stays(void **state)
{
	struct model *model = new_model(&tight);
	const struct iteration *it;

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 1);
	add_sample(model, 0, 1, 11);
	add_iteration(model, 1, 0, 1, 0, 1);
	add_exit(model, 1);
	for (uint32_t id = 2; id < 30; id++) {
		add_target(model, id, TARGET_OK);
		add_loop(model, id, id, 50 + id);
		add_iteration(model, id, id, 1, 0, 0);
		it = model_next_iteration(model);
		assert_int_equal(it->loop->info.tid, 50 + id);
		add_exit(model, id);
	}
	add_end(model);
	it = model_next_iteration(model);
	assert_int_equal(it->loop->info.tid, 50);
	assert_int_equal(it->loop->target->info.pid, 1001);
	assert_true(it->loop->target->ended);
	model_free(model);
}

static void more_loops_than_room_share_one(void **state)
{
	struct model *model = new_model(&tight);

	(void)state;
	for (uint32_t id = 0; id < 4; id++)
		add_loop(model, 1, id, 50 + id);
	add_loop(model, 1, 4, 54);
	add_sleep(model, 4, 1, 0, 100, 1);
	add_iteration(model, 1, 4, 1, 1, 0);
	assert_true(model_next_iteration(model)->is_incomplete);
	assert_true(stat_of(model, STAT_LOOPS_REFUSED) >= 1);
	assert_null(model_loop(model, 4));
	model_free(model);
}

static void sleeps_past_the_bound_are_counted(void **state)
{
	struct model *model = new_model(&tight);
	const struct iteration *it;

	(void)state;
	add_loop(model, 1, 0, 50);
	for (int i = 0; i < 5; i++) {
		add_sleep(model, 0, 1, 0, 100, i);
		add_sample(model, 0, 1, 0);
	}
	add_iteration(model, 1, 0, 1, 5, 5);
	it = model_next_iteration(model);
	assert_int_equal(it->nr_sleeps, 3);
	assert_int_equal(it->nr_refused, 2);
	assert_false(it->is_incomplete); /* nothing was lost on the way */
	model_free(model);
}

static void samples_stay_spread_over_the_iteration(void **state)
{
	(void)state;
	for (uint32_t bound = 1; bound <= 9; bound++) {
		const struct model_bounds bounds = { .targets = 3, .loops = 4, .sleeps = 3, .samples = bound };
		struct model *model = new_model(&bounds);

		add_loop(model, 1, 0, 50);
		for (uint32_t nr = 1; nr <= 600; nr += nr < 40 ? 1 : 37) {
			const uint64_t begin_ns = now_ns;
			const struct iteration *it;
			uint64_t stride;

			for (uint32_t i = 0; i < nr; i++, now_ns += MSEC)
				add_sample(model, 0, nr, 0);
			add_iteration(model, 1, 0, nr, 0, nr);
			it = model_next_iteration(model);
			assert_false(it->is_incomplete);
			assert_int_equal(it->nr_refused, 0);
			assert_true(it->nr_samples && it->nr_samples <= bound);
			assert_true(it->nr_samples > min(bound / 2, nr - 1));
			stride = it->nr_samples > 1 ? it->samples[1].ts_ns - it->samples[0].ts_ns : 0;
			for (uint32_t i = 0; i < it->nr_samples; i++)
				assert_int_equal(it->samples[i].ts_ns, begin_ns + i * stride);
			if (stride)
				assert_true(now_ns - it->samples[it->nr_samples - 1].ts_ns <= stride);
		}
		model_free(model);
	}
}

static void dropped_samples_give_their_stacks_back(void **state)
{
	struct model *model = new_model(&tight); /* room for four stacks and two samples */
	const struct iteration *it;

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_loop(model, 1, 1, 51);
	for (uint64_t i = 1; i <= 4; i++)
		add_stack(model, 1, i, 100, 1);
	add_code(model, 1, 100, CODE_OK);
	for (uint64_t i = 1; i <= 3; i++, now_ns++)
		add_sample(model, 0, 1, i); /* of 2 there is none any more */
	for (uint64_t i = 5; i <= 6; i++) {
		add_stack(model, 1, i, 100, 1); /* instead of 2 and 4, which nothing refers to */
		add_sample(model, 1, 1, i);
	}
	add_iteration(model, 1, 1, 1, 0, 2);
	it = model_next_iteration(model);
	assert_false(it->is_incomplete);
	assert_int_equal(it->samples[1].stack->id, 6);
	add_iteration(model, 1, 0, 1, 0, 3);
	it = model_next_iteration(model);
	assert_false(it->is_incomplete);
	assert_int_equal(it->nr_samples, 2);
	assert_int_equal(it->samples[1].stack->id, 3);
	model_free(model);
}

static void of_too_many_waiting_the_oldest_comes_out(void **state)
{
	struct model *model = new_model(&tight);

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 1);
	for (unsigned i = 1; i <= 4; i++) {
		const struct iteration *it;

		add_sample(model, 0, i, 11);
		add_iteration(model, 1, 0, i, 0, 1);
		it = model_next_iteration(model);
		assert_int_equal(it ? it->ev.iteration : 0, i > 2 ? i - 2 : 0);
		assert_true(!it || it->is_incomplete);
	}
	model_free(model);
}

static void stacks_and_codes_make_room_for_later_ones(void **state)
{
	struct model *model = new_model(&tight);

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	for (unsigned i = 1; i <= 50; i++) {
		const struct iteration *it;

		add_stack(model, 1, i, 100 + i, 2);
		add_code(model, 1, 100 + i, CODE_OK);
		add_code(model, 1, 101 + i, CODE_OK);
		add_sample(model, 0, i, i);
		add_iteration(model, 1, 0, i, 0, 1);
		it = model_next_iteration(model);
		assert_false(it->is_incomplete);
		assert_int_equal(it->samples[0].stack->frames[0].line, 11);
	}
	assert_int_equal(stat_of(model, STAT_NAMES_REFUSED), 0);
	model_free(model);
}

static void what_has_no_room_is_refused_and_counted(void **state)
{
	struct model *model = new_model(&tight);
	const struct iteration *it;

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 20); /* eight codes fit */
	assert_int_equal(count_wants(model), 8);
	assert_int_equal(stat_of(model, STAT_NAMES_REFUSED), 12);
	add_sample(model, 0, 1, 11); /* in use: not given up for the sake of names */
	for (unsigned i = 0; i < 8; i++)
		add_code(model, 1, 100 + i, CODE_OK); /* but not all their names */
	add_iteration(model, 1, 0, 1, 0, 1);
	it = model_next_iteration(model);
	assert_true(it->is_incomplete);
	assert_int_equal(it->samples[0].stack->frames[0].naming, FRAME_NAMED);
	assert_int_equal(it->samples[0].stack->frames[7].naming, FRAME_REFUSED);
	assert_int_equal(it->samples[0].stack->frames[19].naming, FRAME_REFUSED);
	assert_true(stat_of(model, STAT_NAMES_REFUSED) > 12);
	model_free(model);
}

static void bounds_of_nothing_are_bounds(void **state)
{
	const struct model_bounds none = { 0 };
	struct model *model = new_model(&none);

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 3);
	add_code(model, 1, 100, CODE_OK);
	add_sleep(model, 0, 1, 11, 100, 1);
	add_iteration(model, 1, 0, 1, 1, 0);
	assert_true(model_next_iteration(model)->is_incomplete);
	assert_null(model_loop(model, 0));
	assert_null(model_target(model, 0));
	model_free(model);
}

/* Every record type in random order with few ids: nothing but the sanitizers and the counts judge.
 */
static void survive_any_order(const struct model_bounds *bounds)
{
	uint64_t random = 88172645463325252ULL;
	struct model *model = new_model(bounds);
	unsigned in = 0, out = 0;

	for (unsigned round = 0; round < 200000; round++) {
		uint32_t a, b, c;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		a = random >> 8 & 7;
		b = random >> 16 & 7;
		c = random >> 24 & 3;
		now_ns += (random >> 32) % (20 * MSEC);
		switch ((random >> 40) % 14) {
		case 0: add_target(model, a, b ? TARGET_OK : TARGET_STUCK); break;
		case 1: add_loop(model, a, b, c); break;
		case 2: add_loop_exit(model, a, b); break;
		case 3: add_exit(model, a); break;
		case 4: add_fork(model, a, b); break;
		case 5:
		case 6: add_stack(model, a, b, 100 + c, b); break;
		case 7:
		case 8: add_code(model, a, 100 + b, c > 2 ? CODE_GONE : CODE_OK); break;
		case 9: add_sleep(model, b, c, a, c, (int)a); break;
		case 10: add_sample(model, b, c, a); break;
		case 11: add_tick(model); break;
		case 12: count_wants(model); break;
		default:
			add_iteration(model, a, b, c, c, a);
			in++;
			break;
		}
		/* Drained at whim, but never so late that some are dropped. */
		for (const struct iteration *it; (it = model_next_iteration(model)); out++) {
			assert_non_null(it->loop->target);
			for (uint32_t i = 0; i < it->nr_sleeps; i++)
				if (it->sleeps[i].stack)
					for (uint32_t f = 0; f < it->sleeps[i].stack->nr; f++)
						assert_non_null(
							it->sleeps[i].stack->frames[f].file);
		}
	}
	add_end(model);
	while (model_next_iteration(model))
		out++;
	assert_int_equal(in, out);
	model_free(model);
}

static void any_order_is_survived(void **state)
{
	struct model_bounds bounds = tight;

	(void)state;
	survive_any_order(&bounds);
	bounds.keep_ended_ns = 50 * MSEC;
	survive_any_order(&bounds);
}

static void nobody_who_drains_costs_no_more_than_the_bound(void **state)
{
	struct model *model = new_model(&tight);
	unsigned out = 0;

	(void)state;
	for (unsigned i = 1; i <= 1000; i++)
		add_iteration(model, 1, 0, i, 0, 0);
	while (model_next_iteration(model))
		out++;
	assert_int_equal(out, tight.waiting);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_iteration_of_an_unknown_loop_comes_out),
		cmocka_unit_test(a_slot_is_used_again),
		cmocka_unit_test(the_oldest_dead_are_forgotten_first),
		cmocka_unit_test(a_loop_that_an_iteration_waits_for_stays),
		cmocka_unit_test(more_loops_than_room_share_one),
		cmocka_unit_test(sleeps_past_the_bound_are_counted),
		cmocka_unit_test(samples_stay_spread_over_the_iteration),
		cmocka_unit_test(dropped_samples_give_their_stacks_back),
		cmocka_unit_test(of_too_many_waiting_the_oldest_comes_out),
		cmocka_unit_test(stacks_and_codes_make_room_for_later_ones),
		cmocka_unit_test(what_has_no_room_is_refused_and_counted),
		cmocka_unit_test(bounds_of_nothing_are_bounds),
		cmocka_unit_test(any_order_is_survived),
		cmocka_unit_test(nobody_who_drains_costs_no_more_than_the_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
