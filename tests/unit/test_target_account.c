/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's account of real threads: of this one, of one that is asleep, of one that is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "account.h"
#include "util.h"

static uint64_t own_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static void who_runs_is_runnable_and_its_time_on_cpu_grows(void **state)
{
	struct account first, later;
	uint64_t began_ns = own_cpu_ns();

	(void)state;
	assert_int_equal(account_read(gettid(), &first), 0);
	assert_true(first.is_runnable);
	assert_true(first.exec_ns <= own_cpu_ns());
	while (own_cpu_ns() < began_ns + 30 * NSEC_PER_MSEC) /* three ticks of the slowest clock */
		;
	assert_int_equal(account_read(gettid(), &later), 0);
	assert_true(later.exec_ns > first.exec_ns);
}

/* A child with the most unpleasant of names that waits for a line that never comes. */
static void who_sleeps_is_not_runnable(void **state)
{
	struct account account = { .is_runnable = true };
	int pipes[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		char byte;

		close(pipes[1]);
		prctl(PR_SET_NAME, "a) R (b) R");
		_exit(read(pipes[0], &byte, 1) == 0 ? 0 : 1);
	}
	while (account.is_runnable)
		assert_int_equal(account_read(child, &account), 0);
	close(pipes[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(pipes[0]);
	assert_true(account_read(child, &account) < 0);
}

static void *read_own(void *out)
{
	*(int *)out = account_read(gettid(), &(struct account){ 0 });
	return NULL;
}

static void a_thread_beside_the_first_is_found(void **state)
{
	pthread_t thread;
	int err = -EAGAIN;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_own, &err), 0);
	pthread_join(thread, NULL);
	assert_int_equal(err, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_runs_is_runnable_and_its_time_on_cpu_grows),
		cmocka_unit_test(who_sleeps_is_not_runnable),
		cmocka_unit_test(a_thread_beside_the_first_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
