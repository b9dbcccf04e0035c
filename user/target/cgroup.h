/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the CPU controller says of a cgroup: its quota, and how long it was throttled.
 *
 * Where a process is, the kernel says; how its cgroups are named, whoever may make some.  So a path is
 * only ever walked below the controller's mount, through no symbolic link and no "..", and what is
 * read is cut at a fixed length.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"

#define CGROUP_MAX_DEPTH 32 /* levels looked at, from the process's own upwards */

/* The mount that has the CPU controller. */
struct cgroup_root {
	int fd;	    /* of the directory; -1: there is none */
	bool is_v1; /* a hierarchy of its own, with other names and units */
	char base[EV_PATH_LEN]; /* the cgroup that is mounted there: "/", or what a container sees of it */
};

struct cgroup_cpu {
	uint64_t throttled_ns; /* of all CPUs, cumulative */
	uint64_t nr_throttled, nr_periods; /* cumulative */
	uint64_t quota_ns, period_ns;	   /* quota_ns 0: none */
};

/* Finds the mount in the text of /proc/self/mountinfo and opens it. 0, -ENOENT: there is none, or a negative errno. */
int cgroup_open_root(struct cgroup_root *root, const char *mountinfo);
void cgroup_close_root(struct cgroup_root *root);

/* The cgroup of a process, from the text of its /proc/PID/cgroup. 0 or -ENOENT. */
int cgroup_path_of(const struct cgroup_root *root, const char *text, char path[EV_PATH_LEN]);
/* Cuts the last part off: "/a/b", "/a", "/". False: it was the root. */
bool cgroup_parent(char path[EV_PATH_LEN]);

/* Its quota alone. 0, also if there is none to have (the root); or a negative errno. */
int cgroup_read_quota(const struct cgroup_root *root, const char *path, struct cgroup_cpu *cpu);
/* What it was throttled so far; leaves the quota. 0 or a negative errno. */
int cgroup_read_stat(const struct cgroup_root *root, const char *path, struct cgroup_cpu *cpu);

#endif
