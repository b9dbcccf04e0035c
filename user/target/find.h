/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds processes by what the kernel says of them under /proc: number, name, cgroup.  Never looks
 * into one; whether it runs Python is the reader's to say.
 */
#ifndef FIND_H
#define FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What is looked for; NULL: anything. */
struct find_filter {
	const char *name_glob; /* comm, or the last part of argv[0] or argv[1] */
	const char *cgroup;    /* a cgroup's path, with or without /sys/fs/cgroup before it: it and all below */
};

/* Pids of all processes that pass, ours left out. *pids is the caller's to free. How many, or a negative errno. */
int find_processes(const struct find_filter *filter, pid_t **pids);

/* 0 if it is a process that can be seen; -ESRCH; -EINVAL: it is a thread of another process. */
int find_exists(pid_t pid);
/* Children of pid and their children that exist now. *pids is the caller's to free. How many, or a negative errno. */
int find_descendants(pid_t pid, pid_t **pids);
/*
 * Whether our process numbers are the host's, which are the kernel half's.  In a PID namespace of their own,
 * as containers have, they are not.
 */
bool find_has_host_pids(void);

#endif
