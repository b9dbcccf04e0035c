/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of a destination through the model: which of them its readers are shown, and with what. */
#include "records.h"
#include "util.h"

#define SERIAL	7
#define PROCESS 8

static void connects(struct model *model)
{
	struct ev_connect ev = { HEAD(CONNECT, 1, 0), .stack_id = 11, .serial = SERIAL, .weight = 150,
				 .process_serial = PROCESS };

	add(model, &ev);
}

/* The latest of several that wait has what is more of all, and is compared with the one that was taken last. */
static void what_waits_for_names_is_one_with_what_follows(void **state)
{
	struct model *model = new_model(&model_default_bounds);
	const struct connection *connection;
	struct ev_connection ev;

	(void)state;
	now_ns = NSEC_PER_SEC;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 1);
	connects(model);
	ev = (struct ev_connection){ HEAD(CONNECTION, 1, EV_NO_LOOP), .serial = SERIAL, .window_peak = 150,
				     .window_burst = 150, .counts = { .begun = 150 } };
	add(model, &ev);
	assert_null(model_next_connection(model));
	ev.window_peak = ev.window_burst = 0;
	ev.is_over = 1; /* the process has ended meanwhile */
	add(model, &ev);
	add_code(model, 1, 100, CODE_OK);
	connection = model_next_connection(model);
	assert_non_null(connection);
	assert_true(connection->has_changed);
	assert_true(connection->is_over);
	assert_int_equal(connection->ev.window_peak, 150);
	assert_int_equal(connection->ev.window_burst, 150);
	assert_int_equal(connection->previous.counts.begun, 0);
	model_free(model);
}

/* The kernel half adds them behind what is on the stack, and says where they belong. */
static void who_waits_stands_between_a_task_and_its_loop(void **state)
{
	static const char *const names[] = { "f100", "f103", "f104", "f102" };
	struct model *model = new_model(&model_default_bounds);
	struct {
		struct ev_stack ev;
		struct ev_frame frames[5];
	} rec = { { .head = { .type = EV_STACK, .size = sizeof(rec), .target_id = 1 },
		    .stack_id = 11,
		    .nr_frames = 5,
		    .nr_awaiting = 2,
		    .awaiting_at = 2 },
		  { { 100, 2, 77 }, { 101, -1, 77 }, { 102, 2, 77 }, { 103, 2, 77 }, { 104, 2, 77 } } };
	const struct connection *connection;
	struct ev_connection ev;

	(void)state;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add(model, &rec);
	connects(model);
	for (uint64_t addr = 100; addr < 105; addr++)
		add_code(model, 1, addr, CODE_OK);
	ev = (struct ev_connection){ HEAD(CONNECTION, 1, EV_NO_LOOP), .serial = SERIAL };
	add(model, &ev);
	connection = model_next_connection(model);
	assert_non_null(connection);
	assert_int_equal(connection->sites[0].stack->nr, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(connection->sites[0].stack->frames[i].name, names[i]);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_for_names_is_one_with_what_follows),
		cmocka_unit_test(who_waits_stands_between_a_task_and_its_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
