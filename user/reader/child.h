/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Starts and ends the reader process; nothing here waits. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "util.h"

#define CHILD_COMMAND "__reader" /* argv[1] of the process; argv[2]: the number of its socket */

/*
 * Runs this very executable as the reader.  On success *pid is a child to be reaped and *socket_fd
 * the non-blocking end of its socket, the caller's.  A failed exec shows as a child that exits with
 * 127.
 */
int child_start(pid_t *pid, int *socket_fd);
/*
 * Has the child ended, and is it reaped?  Does not wait: a killed process in a D sleep may stay for
 * ever.
 */
bool child_reap(pid_t pid);
/* Kills it and gives it at most timeout_ms to be reaped. */
void child_kill(pid_t pid, int timeout_ms);

#endif
