/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds processes by what the kernel says of them under /proc: number, name, cgroup.  Never looks
 * into one; whether it runs Python is the reader's to say.
 */
#ifndef FIND_H
#define FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is looked for; NULL: anything. */
struct find_filter {
	const char *name_glob; /* comm, or the last part of argv[0] or argv[1] */
	const char *cgroup;    /* a cgroup's path, with or without /sys/fs/cgroup before it: it and all below */
};

/* Pids of all processes that pass, ours left out. *pids is the caller's to free. How many, or a negative errno. */
int find_processes(const struct find_filter *filter, pid_t **pids);

/* Writes what is wanted of a process, beginning with its pid; false: nothing is. */
#define FIND_RECORD_BYTES 64
typedef bool find_look(const void *ctx, pid_t pid, void *record);
/*
 * Looks at all processes but ours and whoever asks, in a child that is killed if it does not come to an end: for
 * what is in a target's own memory. *(void **)out, to be freed, has the records, each of so many bytes. How
 * many, or a negative errno.
 */
int find_in_child(find_look *look, const void *ctx, size_t bytes, void *out);
/* Reads a small file of /proc/PID whole: bytes, NUL-ended; or -1. */
ssize_t find_read(pid_t pid, const char *file, char *buf, size_t size);
/* 0: it has none that can be seen. */
pid_t find_parent(pid_t pid);

/*
 * Whether a process passes, by its thread's name and the begin of its command line: arguments that end with
 * NUL, the last one perhaps cut.
 */
bool find_has_name(const char *name_glob, const char *comm, const char *args, size_t args_bytes);
bool find_is_in_cgroup(pid_t pid, const char *cgroup);
/* The same of the text of its /proc/PID/cgroup, up to so many bytes. */
#define FIND_CGROUPS_BYTES 8192
bool find_text_has_cgroup(const char *text, const char *cgroup);

/*
 * Whether start times under /proc are the kernel's own: not in a time namespace with an offset.  Without, one
 * life of a number is not told from the next by them.
 */
bool find_has_host_clock(void);
/* Field 22 of /proc/PID/stat: with the number it names one life of a process. 0: there is none. */
uint64_t find_start_ticks(pid_t pid);
/* 0 if it is a process that can be seen; -ESRCH; -EINVAL: it is a thread of another process. */
int find_exists(pid_t pid);
/* Children of pid and their children that exist now. *pids is the caller's to free. How many, or a negative errno. */
int find_descendants(pid_t pid, pid_t **pids);
/* The inode of our PID namespace, as containers have one; 0: it is the host's, whose numbers are the kernel's own. */
uint32_t find_pid_namespace(void);
/* Whether /proc numbers processes as our PID namespace does: it may be mounted from another one. */
bool find_has_own_proc(void);

#endif
