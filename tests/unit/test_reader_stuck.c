/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who cost a reader its life is remembered, the last thousand of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stuck.h"

static void each_is_remembered_until_it_is_gone(void **state)
{
	struct stuck stuck = { 0 };

	(void)state;
	assert_false(stuck_has(&stuck, 0)); /* nobody's number */
	stuck_add(&stuck, 1);
	stuck_add(&stuck, 2);
	assert_true(stuck_has(&stuck, 1));
	assert_true(stuck_has(&stuck, 2));
	assert_false(stuck_has(&stuck, 3));
	stuck_remove(&stuck, 1);
	assert_false(stuck_has(&stuck, 1));
	assert_true(stuck_has(&stuck, 2));
	assert_false(stuck_has(&stuck, 0));
}

static void the_oldest_is_forgotten_for_a_new_one(void **state)
{
	static struct stuck stuck;

	(void)state;
	for (uint32_t id = 1; id <= STUCK_MAX; id++) {
		stuck_add(&stuck, id);
		stuck_add(&stuck, id); /* takes no second place */
	}
	assert_true(stuck_has(&stuck, 1));
	stuck_add(&stuck, STUCK_MAX + 1);
	assert_false(stuck_has(&stuck, 1));
	for (uint32_t id = 2; id <= STUCK_MAX + 1; id++)
		assert_true(stuck_has(&stuck, id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_remembered_until_it_is_gone),
		cmocka_unit_test(the_oldest_is_forgotten_for_a_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
