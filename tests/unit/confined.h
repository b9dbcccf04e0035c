/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tries a call in a child that has confined itself.  After cmocka.h. */
#ifndef CONFINED_H
#define CONFINED_H

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_CONFINE 255

/* The errno of what it tried, 0: it could; or, negative, the signal that ended it. */
static int try_confined(int (*confine)(void), int (*what)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child)
		_exit(confine() ? CANNOT_CONFINE : what());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	assert_int_not_equal(WEXITSTATUS(status), CANNOT_CONFINE);
	return WEXITSTATUS(status);
}

/* What `what` returns for the result of a system call. */
static int said(long result)
{
	return result < 0 ? errno : 0;
}

#endif
