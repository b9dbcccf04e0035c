/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What does the model hold of processes, loops and destinations that have ended? */
#include <sys/socket.h>

#include "records.h"
#include "util.h"

#define KEPT_NS (10 * NSEC_PER_SEC)

static struct model_size size_of(const struct model *model, const char *table)
{
	struct model_size sizes[MODEL_TABLES];

	model_sizes(model, sizes);
	for (size_t i = 0; i < MODEL_TABLES; i++)
		if (!strcmp(sizes[i].table, table))
			return sizes[i];
	fail_msg("no table %s", table);
	return sizes[0];
}

static uint64_t entries(const struct model *model, const char *table)
{
	return size_of(model, table).entries;
}

static void assert_empty(const struct model *model, const char *table)
{
	assert_int_equal(entries(model, table), 0);
	assert_int_equal(size_of(model, table).bytes, 0);
}

static struct model *started(uint64_t keep_ended_ns)
{
	struct model_bounds bounds = model_default_bounds;
	struct model *model;

	bounds.keep_ended_ns = keep_ended_ns;
	model = new_model(&bounds);
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	return model;
}

static void tick_after(struct model *model, uint64_t ns)
{
	now_ns += ns;
	add_tick(model);
}

/* A stack of two named frames, with an iteration that has come out. */
static void run(struct model *model, uint32_t target, uint32_t loop, uint64_t stack)
{
	add_stack(model, target, stack, 100, 2);
	add_code(model, target, 100, CODE_OK);
	add_code(model, target, 101, CODE_OK);
	add_sample(model, loop, stack, stack);
	add_iteration(model, target, loop, stack, 0, 1);
	assert_false(model_next_iteration(model)->is_incomplete);
	add_tick(model);
}

static void add_destination(struct model *model, uint32_t target, uint32_t serial, bool is_over)
{
	struct ev_connection ev = { HEAD(CONNECTION, target, EV_NO_LOOP), .serial = serial, .is_over = is_over,
				    .peer = { .kind = CONNECTION_OUT, .family = AF_INET, .port = 80 } };

	add(model, &ev);
}

static void stacks_and_names_go_with_their_process(void **state)
{
	struct model *model = started(0);

	(void)state;
	add_target(model, 2, TARGET_OK);
	run(model, 1, 0, 11);
	run(model, 1, 0, 12);
	add_code(model, 1, 102, CODE_OK); /* of no stack */
	add_stack(model, 2, 21, 100, 1);
	assert_int_equal(entries(model, "stacks"), 3);
	assert_int_equal(entries(model, "code"), 4);
	add_exit(model, 1);
	assert_int_equal(entries(model, "stacks"), 1);
	assert_int_equal(entries(model, "code"), 1);
	assert_int_equal(size_of(model, "code").bytes, 0); /* it has no name yet */
	assert_int_equal(count_wants(model), 1);
	add_exit(model, 2);
	assert_empty(model, "stacks");
	assert_empty(model, "code");
	assert_int_equal(entries(model, "targets"), 2); /* for the summary */
	model_free(model);
}

static void an_iteration_that_waits_keeps_what_it_shows(void **state)
{
	struct model *model = started(0);
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 2);
	add_code(model, 1, 101, CODE_OK);
	add_sample(model, 0, 1, 11);
	add_iteration(model, 1, 0, 1, 0, 1);
	add_exit(model, 1);
	assert_null(model_next_iteration(model));
	assert_int_equal(entries(model, "stacks"), 1);
	add_code(model, 1, 100, CODE_OK);
	it = model_next_iteration(model);
	assert_false(it->is_incomplete);
	assert_string_equal(it->samples[0].stack->frames[0].name, "f100");
	add_tick(model);
	assert_empty(model, "stacks");
	assert_empty(model, "code");
	add_code(model, 1, 102, CODE_OK); /* an answer that nobody waits for any more */
	assert_empty(model, "code");
	model_free(model);
}

static void what_was_queued_or_wanted_is_not_asked_for(void **state)
{
	struct model *model = started(0);

	(void)state;
	add_stack(model, 1, 11, 100, 2);  /* wanted */
	add_stack(model, 2, 21, 100, 2);  /* queued: the target is not identified */
	add_exit(model, 1);
	add_exit(model, 2);
	assert_int_equal(count_wants(model), 0);
	assert_empty(model, "stacks");
	assert_empty(model, "code");
	add_target(model, 2, TARGET_OK);
	assert_int_equal(count_wants(model), 0);
	model_free(model);
}

static void names_stay_for_descendants_that_live(void **state)
{
	struct model *model = started(0);

	(void)state;
	run(model, 1, 0, 11);
	add_fork(model, 1, 2);
	add_fork(model, 2, 3);
	add_exit(model, 1);
	assert_empty(model, "stacks");
	assert_int_equal(entries(model, "code"), 2);
	add_exit(model, 2);
	assert_int_equal(entries(model, "code"), 2);
	add_stack(model, 3, 31, 100, 2);
	assert_int_equal(count_wants(model), 0);
	assert_int_equal(entries(model, "code"), 2);
	add_exit(model, 3);
	assert_empty(model, "stacks");
	assert_empty(model, "code");
	model_free(model);
}

/* A fork that is told twice, of another parent then, or of a child that has ended: nobody's count may be off by one. */
static void heirs_are_counted_once(void **state)
{
	struct model *model = started(0);

	(void)state;
	run(model, 1, 0, 11);
	add_fork(model, 1, 2);
	add_fork(model, 1, 2);
	add_exit(model, 2);
	add_fork(model, 1, 2);
	add_target(model, 4, TARGET_OK);
	add_code(model, 4, 100, CODE_OK);
	add_fork(model, 4, 3);
	add_fork(model, 1, 3);
	assert_int_equal(entries(model, "code"), 3);
	add_exit(model, 4);
	assert_int_equal(entries(model, "code"), 2);
	add_exit(model, 1);
	assert_int_equal(entries(model, "code"), 2);
	add_exit(model, 3);
	assert_empty(model, "code");
	model_free(model);
}

static void who_has_heirs_makes_room_last(void **state)
{
	struct model_bounds bounds = model_default_bounds;
	struct model *model;

	(void)state;
	bounds.targets = 3;
	model = new_model(&bounds);
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	run(model, 1, 0, 11);
	add_fork(model, 1, 2);
	add_exit(model, 1);
	add_target(model, 3, TARGET_OK);
	add_exit(model, 3);
	add_target(model, 4, TARGET_OK); /* instead of 3, which ended last */
	assert_int_equal(model_target(model, 0)->info.pid, 1001);
	assert_int_equal(model_target(model, 2)->info.pid, 1004);
	assert_int_equal(entries(model, "code"), 2);
	add_target(model, 5, TARGET_OK); /* instead of 1 after all */
	assert_int_equal(model_target(model, 0)->info.pid, 1002);
	assert_empty(model, "code");
	assert_int_equal(stat_of(model, STAT_TARGETS_REFUSED), 0);
	model_free(model);
}

static void without_a_summary_what_ended_goes_in_time(void **state)
{
	struct model *model = started(KEPT_NS);

	(void)state;
	add_loop(model, 1, 1, 51);
	add_destination(model, 1, 7, false);
	add_destination(model, 1, 8, false);
	add_loop_exit(model, 1, 1);
	add_destination(model, 1, 8, true);
	while (model_next_connection(model))
		;
	tick_after(model, KEPT_NS);
	assert_int_equal(entries(model, "loops"), 2);
	assert_int_equal(entries(model, "connections"), 2);
	tick_after(model, 1);
	assert_int_equal(entries(model, "loops"), 1);
	assert_int_equal(entries(model, "connections"), 1);
	add_destination(model, 1, 7, true);
	while (model_next_connection(model))
		;
	add_exit(model, 1);
	tick_after(model, KEPT_NS);
	assert_int_equal(entries(model, "targets"), 1);
	tick_after(model, 1);
	assert_empty(model, "targets");
	assert_empty(model, "loops");
	assert_empty(model, "connections");
	model_free(model);
}

static void what_is_still_referred_to_stays_beyond_its_time(void **state)
{
	struct model *model = started(1);
	const struct iteration *it;

	(void)state;
	add_stack(model, 1, 11, 100, 1);
	add_sample(model, 0, 1, 11);
	add_iteration(model, 1, 0, 1, 0, 1);
	add_destination(model, 1, 7, true); /* nobody has taken it */
	add_exit(model, 1);
	tick_after(model, 2);
	assert_int_equal(entries(model, "targets"), 1);
	assert_int_equal(entries(model, "loops"), 1);
	assert_int_equal(entries(model, "connections"), 1);
	tick_after(model, MODEL_NAME_WAIT_NS);
	it = model_next_iteration(model);
	assert_int_equal(it->loop->target->info.pid, 1001);
	while (model_next_connection(model))
		;
	tick_after(model, 2);
	assert_empty(model, "targets");
	assert_empty(model, "loops");
	assert_empty(model, "connections");
	model_free(model);
}

static void who_has_heirs_stays_beyond_its_time(void **state)
{
	struct model *model = started(1);

	(void)state;
	add_fork(model, 1, 2);
	add_exit(model, 1);
	tick_after(model, 2);
	assert_empty(model, "loops");
	assert_int_equal(entries(model, "targets"), 2);
	add_exit(model, 2);
	tick_after(model, 2);
	assert_empty(model, "targets");
	model_free(model);
}

/* Nothing more comes of them, not even their end. */
static void who_is_let_go_of_has_ended(void **state)
{
	struct model *model = started(KEPT_NS);

	(void)state;
	add_target(model, 2, TARGET_GONE);
	add_target(model, 3, TARGET_KERNEL_THREAD);
	tick_after(model, KEPT_NS + 1);
	assert_int_equal(entries(model, "targets"), 1);
	model_free(model);
}

static void with_a_summary_to_come_they_stay(void **state)
{
	struct model *model = started(0);

	(void)state;
	add_destination(model, 1, 7, true);
	add_exit(model, 1);
	tick_after(model, 3600 * NSEC_PER_SEC);
	assert_int_equal(entries(model, "targets"), 1);
	assert_int_equal(entries(model, "loops"), 1);
	assert_int_equal(entries(model, "connections"), 1);
	model_free(model);
}

static void a_destination_that_is_over_makes_room_first(void **state)
{
	struct model_bounds bounds = model_default_bounds;
	struct model *model;

	(void)state;
	bounds.connections = 2;
	model = new_model(&bounds);
	add_target(model, 1, TARGET_OK);
	add_destination(model, 1, 7, false);
	add_destination(model, 1, 8, true);
	add_destination(model, 1, 9, false);
	assert_int_equal(model_connection(model, 0)->ev.serial, 7);
	assert_int_equal(model_connection(model, 1)->ev.serial, 9);
	model_free(model);
}

static void stacks_have_a_bound_in_bytes(void **state)
{
	struct model_bounds bounds = model_default_bounds;
	struct model_size size;
	struct model *model;

	(void)state;
	bounds.stack_bytes = 64 * 1024;
	model = new_model(&bounds);
	add_target(model, 1, TARGET_OK);
	for (uint64_t id = 1; id <= 1000; id++)
		add_stack(model, 1, id, 100, EV_MAX_FRAMES);
	size = size_of(model, "stacks");
	assert_true(size.entries >= 4 && size.entries < 10);
	assert_true(size.bytes < bounds.stack_bytes + 16 * 1024);
	assert_int_equal(size.max_bytes, bounds.stack_bytes);
	assert_int_equal(stat_of(model, STAT_NAMES_REFUSED), 0);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_and_names_go_with_their_process),
		cmocka_unit_test(an_iteration_that_waits_keeps_what_it_shows),
		cmocka_unit_test(what_was_queued_or_wanted_is_not_asked_for),
		cmocka_unit_test(names_stay_for_descendants_that_live),
		cmocka_unit_test(heirs_are_counted_once),
		cmocka_unit_test(who_has_heirs_makes_room_last),
		cmocka_unit_test(without_a_summary_what_ended_goes_in_time),
		cmocka_unit_test(what_is_still_referred_to_stays_beyond_its_time),
		cmocka_unit_test(who_has_heirs_stays_beyond_its_time),
		cmocka_unit_test(who_is_let_go_of_has_ended),
		cmocka_unit_test(with_a_summary_to_come_they_stay),
		cmocka_unit_test(a_destination_that_is_over_makes_room_first),
		cmocka_unit_test(stacks_have_a_bound_in_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
