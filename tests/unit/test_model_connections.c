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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_for_names_is_one_with_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
