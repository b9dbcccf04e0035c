/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is said of processes that a search found and that could not be followed: how many of how many, and why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "commands.h"
#include "stderr_of.h"

static void says(const char *wanted, const char *prefix, unsigned nr_refused, unsigned nr, int err)
{
	struct stderr_of of;
	char text[512];

	stderr_begin(&of);
	watch_tell_refused(prefix, nr_refused, nr, err);
	assert_string_equal(stderr_end(&of, text, sizeof(text)), wanted);
}

static void why_it_was_is_said_and_of_how_many(void **state)
{
	(void)state;
	says("loophound: warning: 3 of 9 processes are not looked at: Operation not permitted\n", "", 3, 9, -EPERM);
	says("loophound: warning: --live: 1 of 9 processes is not looked at: Operation not permitted\n",
	     "--live: ", 1, 9, -EPERM);
}

static void where_there_is_no_room_what_to_do_is_said(void **state)
{
	(void)state;
	says("loophound: warning: 1 of 4097 processes is not looked at: more than there is room for; "
	     "--name or --cgroup name fewer\n", "", 1, 4097, -E2BIG);
	says("loophound: warning: 2 of 4098 processes are not looked at: more than there is room for; "
	     "--name or --cgroup name fewer\n", "", 2, 4098, -E2BIG);
}

static void nothing_is_said_where_none_was(void **state)
{
	(void)state;
	says("", "", 0, 9, 0);
	says("", "", 0, 9, -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why_it_was_is_said_and_of_how_many),
		cmocka_unit_test(where_there_is_no_room_what_to_do_is_said),
		cmocka_unit_test(nothing_is_said_where_none_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
