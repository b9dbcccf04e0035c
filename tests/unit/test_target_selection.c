/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which entry of a configuration a process is watched by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "selection.h"
#include "util.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct process_facts shop(void)
{
	struct process_facts facts = { .cgroups = "0::/system.slice/shop.service\n", .names = ~0ULL };

	strcpy(facts.place.unit, "shop.service");
	facts.place.manager_uid = EV_NO_UID;
	strcpy(facts.exe, "/srv/shop/bin/python3");
	return facts;
}

static int match_one(const struct selector *selector, const struct process_facts *facts)
{
	struct selector copy = *selector;
	struct selection selection = { &copy, 1 };

	return selection_match(&selection, facts);
}

#define FITS(facts, ...) (match_one(&(struct selector){ __VA_ARGS__ }, facts) == 0)

static void the_first_that_fits_decides(void **state)
{
	struct selector list[] = {
		{ .unit = "shop.service", .name = "import*", .is_excluded = true },
		{ .unit = "shop.service" },
		{ .exe = "/srv/*" },
	};
	struct selection selection = { list, ARRAY_SIZE(list) };
	struct process_facts facts = shop();

	(void)state;
	facts.names = selection_names(&selection, "python3", "python3\0web.py", 15);
	assert_int_equal(facts.names, 6);
	assert_int_equal(selection_match(&selection, &facts), 1);
	facts.names = selection_names(&selection, "python3", "python3\0import.py", 18);
	assert_int_equal(selection_match(&selection, &facts), SELECTION_OUT);
	strcpy(facts.place.unit, "other.service");
	assert_int_equal(selection_match(&selection, &facts), 2);
	strcpy(facts.exe, "/usr/bin/python3");
	assert_int_equal(selection_match(&selection, &facts), SELECTION_NONE);
	selection.nr = 0;
	assert_int_equal(selection_match(&selection, &facts), SELECTION_ALL);
	assert_true(selection_is_in(SELECTION_ALL) && selection_is_in(0));
	assert_false(selection_is_in(SELECTION_NONE) || selection_is_in(SELECTION_OUT));
}

static void all_that_an_entry_says_has_to_fit(void **state)
{
	struct process_facts facts = shop();

	(void)state;
	assert_true(FITS(&facts, .is_excluded = false));
	assert_true(FITS(&facts, .unit = "shop.*", .exe = "*/python*", .cgroup = "/system.slice"));
	assert_false(FITS(&facts, .unit = "shop.*", .exe = "/usr/*"));
	assert_false(FITS(&facts, .unit = "shop.*", .cgroup = "/system.slice/shop"));
	assert_true(FITS(&facts, .cgroup = "/sys/fs/cgroup/system.slice/shop.service/"));
	assert_false(FITS(&facts, .container = "*")); /* it is in none */
	assert_false(FITS(&facts, .pod = "*"));
}

static void a_user_s_unit_is_none_of_the_system_s(void **state)
{
	struct process_facts facts = shop();

	(void)state;
	assert_false(FITS(&facts, .user_unit = "shop.service"));
	facts.place.manager_uid = 1000;
	assert_false(FITS(&facts, .unit = "shop.service"));
	assert_true(FITS(&facts, .unit = "user@1000.service", .user_unit = "shop.service"));
	assert_false(FITS(&facts, .unit = "user@1001.service"));
}

static void a_container_is_told_by_how_it_begins(void **state)
{
	struct process_facts facts = shop();

	(void)state;
	strcpy(facts.place.container, ID);
	strcpy(facts.place.pod, "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901");
	assert_true(FITS(&facts, .container = ID));
	assert_true(FITS(&facts, .container = "0123456789ab"));
	assert_false(FITS(&facts, .container = "123456789ab"));
	assert_true(FITS(&facts, .container = "*"));
	assert_true(FITS(&facts, .pod = "1b2c3d4e"));
	assert_false(FITS(&facts, .pod = "5f60"));
	strcpy(facts.place.container, "shop-3");
	assert_true(FITS(&facts, .container = "shop-"));
	assert_true(FITS(&facts, .container = "shop-[0-9]"));
	assert_false(FITS(&facts, .container = "hop?3"));
}

static void a_move_matters_where_places_do(void **state)
{
	struct selector list[] = { { .name = "a" }, { .exe = "/a" }, { .pod = "a" } };
	struct selection selection = { list, 2 };

	(void)state;
	assert_false(selection_has_places(&selection));
	selection.nr = 3;
	assert_true(selection_has_places(&selection));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_fits_decides),
		cmocka_unit_test(all_that_an_entry_says_has_to_fit),
		cmocka_unit_test(a_user_s_unit_is_none_of_the_system_s),
		cmocka_unit_test(a_container_is_told_by_how_it_begins),
		cmocka_unit_test(a_move_matters_where_places_do),
	};

	return cmocka_run_group_tests_name("target/selection", tests, NULL, NULL);
}
