/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds processes by what the kernel says of them under /proc: their number, their name.  Never looks
 * into one; whether it runs Python is the reader's to say.
 */
#ifndef FIND_H
#define FIND_H

#include <stddef.h>
#include <sys/types.h>

/* Pids of all processes whose name (comm, or the last part of argv[0] or argv[1]) matches glob; NULL: all.
 * *pids is the caller's to free. Negative errno on failure; else how many. */
int find_processes(const char *glob, pid_t **pids);

/* 0 if the process exists and can be seen; -ESRCH. */
int find_exists(pid_t pid);

#endif
