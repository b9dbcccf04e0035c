/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Words of an ev_target about where a process is; included by events.h only. */
#ifndef EVPLACE_H
#define EVPLACE_H

/* Who made the container that a target is in, as far as the name of its cgroup tells. */
enum container_kind {
	CONTAINER_UNKNOWN = 0, /* none, or it is not told */
	CONTAINER_DOCKER = 1,
	CONTAINER_CONTAINERD = 2,
	CONTAINER_CRIO = 3,
	CONTAINER_PODMAN = 4,
	CONTAINER_LXC = 5,
	CONTAINER_NSPAWN = 6,
	CONTAINER_KIND_MAX
};
#define EV_UNIT_LEN 256 /* systemd's bound on a unit's name, with the NUL */
#define EV_POD_LEN  40	/* the uid of a Kubernetes pod is 36 characters, a static one's 32 */
#define EV_NO_UID   0xffffffffu

#define EV_MAX_LOOPS 256 /* that are listed of one process */

struct ev_loops {
	struct ev_head head;
	__u32 pid;
	__u32 nr; /* listed */
	struct {
		__u32 ns_tid; /* as the target sees it; 0: not known */
		__u32 kind;   /* enum loop_kind */
	} loops[EV_MAX_LOOPS];
};
_Static_assert(sizeof(struct ev_loops) == 24 + 8 + 8 * EV_MAX_LOOPS, "stream ABI");

#endif
