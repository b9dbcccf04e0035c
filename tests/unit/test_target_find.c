/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which processes a name and a cgroup mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "find.h"

static bool has(const char *glob, const char *comm, const char *args, size_t bytes)
{
	char exact[64];

	/* Bytes that are not part of it are no part of the answer. */
	memset(exact, 'x', sizeof(exact));
	memcpy(exact, args, bytes);
	return find_has_name(glob, comm, exact, bytes);
}

#define HAS(glob, comm, args) has(glob, comm, args, sizeof(args))

static void a_name_is_the_thread_s_the_program_s_or_the_script_s(void **state)
{
	(void)state;
	assert_true(HAS("python3", "python3", "anything"));
	assert_true(HAS("python3", "MainThread", "/usr/bin/python3"));
	assert_true(HAS("app.*", "python3", "/usr/bin/python3\0/srv/app.py\0-v"));
	assert_true(HAS("app.py", "python3", "python3\0app.py"));
	assert_false(HAS("-v", "python3", "/usr/bin/python3\0/srv/app.py\0-v"));
	assert_false(HAS("app", "python3", "/usr/bin/python3\0/srv/app.py"));
	assert_false(HAS("/srv/*", "python3", "/usr/bin/python3\0/srv/app.py"));
	assert_true(HAS(NULL, "anything", ""));
}

static void a_command_line_may_be_cut_or_missing(void **state)
{
	(void)state;
	assert_true(find_has_name("a*", "abc", NULL, 0));
	assert_false(find_has_name("b*", "abc", NULL, 0));
	assert_true(has("app.p", "x", "python\0/srv/app.p", 17)); /* of app.py: no NUL within */
	assert_false(has("", "x", "a", 1));
	assert_true(has("", "x", "\0", 1));
}

static void everybody_is_in_the_root_and_nobody_in_what_is_not(void **state)
{
	(void)state;
	assert_true(find_is_in_cgroup(getpid(), NULL));
	assert_true(find_is_in_cgroup(getpid(), "/"));
	assert_true(find_is_in_cgroup(getpid(), "/sys/fs/cgroup"));
	assert_false(find_is_in_cgroup(getpid(), "/no/such/group"));
	assert_false(find_is_in_cgroup(0x7fffffff, "/"));
}

static void a_start_is_in_ticks_of_the_boot_clock(void **state)
{
	struct timespec now;
	uint64_t ticks = find_start_ticks(getpid());

	(void)state;
	clock_gettime(CLOCK_BOOTTIME, &now);
	assert_true(ticks > 0);
	if (find_has_host_clock())
		assert_true(ticks <= (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / 10000000);
	assert_int_equal(find_start_ticks(getpid()), ticks);
	assert_int_equal(find_start_ticks(0x7fffffff), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_the_thread_s_the_program_s_or_the_script_s),
		cmocka_unit_test(a_command_line_may_be_cut_or_missing),
		cmocka_unit_test(everybody_is_in_the_root_and_nobody_in_what_is_not),
		cmocka_unit_test(a_start_is_in_ticks_of_the_boot_clock),
	};

	return cmocka_run_group_tests_name("target_find", tests, NULL, NULL);
}
