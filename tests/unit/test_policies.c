/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which rules hold for which target: by number, for a while after its end, and the lowest of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policies.h"
#include "util.h"

static struct policy list[2], others;
static struct policies *policies;

static int setup(void **state)
{
	(void)state;
	rules_config_init(&list[0].rules);
	rules_config_init(&list[1].rules);
	rules_config_init(&others.rules);
	if (policies_new(&policies))
		return -1;
	policies_set(policies, list, 2, &others);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	policies_free(take(policies));
	return 0;
}

static void a_target_has_the_policy_that_it_was_assigned(void **state)
{
	(void)state;
	assert_ptr_equal(policies_of(policies, 7), &others);
	assert_int_equal(policies_assign(policies, 7, 1), 0);
	assert_int_equal(policies_assign(policies, 8, 0), 0);
	assert_ptr_equal(policies_of(policies, 7), &list[1]);
	assert_ptr_equal(policies_of(policies, 8), &list[0]);
	assert_int_equal(policies_assign(policies, 7, POLICY_OTHERS), 0);
	assert_ptr_equal(policies_of(policies, 7), &others);
	/* A shorter list. */
	policies_set(policies, list, 0, &others);
	assert_ptr_equal(policies_of(policies, 8), &others);
}

static void what_is_said_late_is_said_by_its_policy(void **state)
{
	(void)state;
	policies_assign(policies, 7, 1);
	policies_assign(policies, 8, 0);
	policies_end(policies, 7, NSEC_PER_SEC);
	policies_expire(policies, 2 * NSEC_PER_SEC);
	assert_ptr_equal(policies_of(policies, 7), &list[1]);
	policies_expire(policies, 62 * NSEC_PER_SEC);
	assert_ptr_equal(policies_of(policies, 7), &others);
	assert_ptr_equal(policies_of(policies, 8), &list[0]);
}

static void the_kernel_half_reports_what_anybody_wants(void **state)
{
	struct rules_config lowest;

	(void)state;
	list[0].rules.limit_ns[RULE_BLOCKING_CALL] = 100 * NSEC_PER_MSEC;
	list[1].rules.limit_ns[RULE_BLOCKING_CALL] = 200 * NSEC_PER_MSEC;
	list[1].rules.limit_ns[RULE_CPU_BOUND] = 5 * NSEC_PER_MSEC;
	list[0].rules.is_enabled[RULE_GC_PAUSE] = list[1].rules.is_enabled[RULE_GC_PAUSE] = false;
	list[0].rules.is_enabled[RULE_GIL_WAIT] = false;
	policies_lowest(policies, &lowest);
	assert_int_equal(lowest.limit_ns[RULE_BLOCKING_CALL], 100 * NSEC_PER_MSEC);
	assert_int_equal(lowest.limit_ns[RULE_CPU_BOUND], 5 * NSEC_PER_MSEC);
	assert_false(lowest.is_enabled[RULE_GC_PAUSE]);
	assert_true(lowest.is_enabled[RULE_GIL_WAIT]);
	policies_set(policies, list, 0, &others);
	policies_lowest(policies, &lowest);
	assert_int_equal(lowest.limit_ns[RULE_BLOCKING_CALL], 10 * NSEC_PER_MSEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_target_has_the_policy_that_it_was_assigned),
		TEST(what_is_said_late_is_said_by_its_policy),
		TEST(the_kernel_half_reports_what_anybody_wants),
	};

	return cmocka_run_group_tests_name("rules/policies", tests, NULL, NULL);
}
