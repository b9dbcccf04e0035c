/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Starts and ends processes of ours: the reader, the web process.  Nothing here waits. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "util.h"

#define CHILD_READER "__reader" /* argv[1] of the process */
#define CHILD_WEB    "__web"
#define CHILD_FD       3 /* its socket, which is argv[2] */
#define CHILD_EXTRA_FD 4 /* extra_fd, if there is one */

/*
 * Runs this very executable with such a command.  extra_fd: one more descriptor that it gets; -1: none.  On
 * success *pid is a child to be reaped and *socket_fd the non-blocking end of its socket, the
 * caller's.  A failed exec shows as a child that exits with 127.
 */
int child_start(const char *command, int extra_fd, pid_t *pid, int *socket_fd);
/*
 * Has the child ended, and is it reaped?  Does not wait: a killed process in a D sleep may stay for
 * ever.  *status, unless NULL, is that of waitpid(), left alone if it has not ended.
 */
bool child_reap(pid_t pid, int *status);
/* Kills it and gives it at most timeout_ms to be reaped. */
void child_kill(pid_t pid, int timeout_ms);

#endif
