/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* So many lines a second of one target and of all, and what was held back is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ration.h"
#include "util.h"

#define START (100 * NSEC_PER_SEC)

static struct ration *ration;
static struct ration_held held;

static int setup(void **state)
{
	(void)state;
	return ration_new(&ration, 10);
}

static int teardown(void **state)
{
	(void)state;
	ration_free(take(ration));
	return 0;
}

static unsigned ask(uint32_t target, uint64_t per_second, unsigned nr, uint64_t now_ns,
		    enum ration_verdict verdict)
{
	struct ration_of of = { target, 1000 + target, per_second };
	unsigned found = 0;

	while (nr--)
		found += ration_ask(ration, &of, now_ns) == verdict;
	return found;
}

/* One that is loud has its own part, and leaves the rest to the others. */
static void no_target_takes_all_of_the_room(void **state)
{
	(void)state;
	assert_int_equal(ask(1, 4, 50, START, RATION_GIVEN), 4);
	assert_int_equal(ask(2, 4, 3, START, RATION_GIVEN), 3);
	assert_int_equal(ask(3, 4, 4, START, RATION_GIVEN), 3);
	assert_int_equal(ask(2, 4, 1, START, RATION_OVERALL), 1);
	assert_int_equal(ask(1, 4, 1, START, RATION_TARGET), 1);
	/* Half a second later there is half of it again: two of four, five of ten. */
	assert_int_equal(ask(1, 4, 50, START + NSEC_PER_SEC / 2, RATION_GIVEN), 2);
	assert_int_equal(ask(3, 4, 50, START + NSEC_PER_SEC / 2, RATION_GIVEN), 3);
}

static void what_was_held_back_is_told_once_by_reason(void **state)
{
	(void)state;
	assert_false(ration_tick(ration, START, &held));
	ask(1, 2, 12, START, RATION_GIVEN);
	ask(2, 1, 4, START, RATION_GIVEN);
	ask(3, 100, 9, START, RATION_GIVEN);
	assert_false(ration_tick(ration, START + NSEC_PER_SEC / 2, &held));
	assert_true(ration_tick(ration, START + NSEC_PER_SEC, &held));
	assert_int_equal(held.of_target, 13);
	assert_int_equal(held.overall, 2);
	assert_int_equal(held.nr_worst, 2);
	assert_int_equal(held.worst[0].pid, 1001);
	assert_int_equal(held.worst[0].lines, 10);
	assert_int_equal(held.worst[1].pid, 1002);
	assert_int_equal(held.worst[1].lines, 3);
	assert_false(ration_tick(ration, START + 9 * NSEC_PER_SEC, &held));
}

static void the_worst_of_many_are_named(void **state)
{
	(void)state;
	ration_set(ration, 1000);
	for (uint32_t i = 1; i <= 20; i++)
		ask(i, 1, 1 + i * 7 % 20, START, RATION_GIVEN);
	ask(21, 1, 1, START, RATION_GIVEN);
	assert_true(ration_tick(ration, START + NSEC_PER_SEC, &held));
	assert_int_equal(held.nr_worst, RATION_WORST);
	for (unsigned i = 1; i < RATION_WORST; i++)
		assert_true(held.worst[i - 1].lines >= held.worst[i].lines);
	assert_int_equal(held.worst[0].lines, 19);
}

/* Another limit holds at once; more than a second's worth is never saved up. */
static void limits_can_change(void **state)
{
	(void)state;
	ask(1, 100, 10, START, RATION_GIVEN);
	ration_set(ration, 3);
	assert_int_equal(ask(1, 100, 10, START + 60 * NSEC_PER_SEC, RATION_GIVEN), 3);
	ration_set(ration, 30);
	assert_int_equal(ask(1, 5, 50, START + 120 * NSEC_PER_SEC, RATION_GIVEN), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_target_takes_all_of_the_room),
		TEST(what_was_held_back_is_told_once_by_reason),
		TEST(the_worst_of_many_are_named),
		TEST(limits_can_change),
	};

	return cmocka_run_group_tests_name("serve/ration", tests, NULL, NULL);
}
