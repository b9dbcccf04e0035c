/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the reader says of a process: a part of events.h, which alone includes it. */
#ifndef EVTARGET_H
#define EVTARGET_H

/* What became of the attempt to know a process. */
enum target_status {
	TARGET_OK = 0,		     /* its layout is known: stacks can be read */
	TARGET_NOT_PYTHON = 1,	     /* no CPython runtime in it */
	TARGET_NOT_READY = 2,	     /* a CPython that has not finished starting: ask again */
	TARGET_UNSUPPORTED = 3,	     /* a CPython whose layout is not known; see reason */
	TARGET_GONE = 4,	     /* ended meanwhile */
	TARGET_KERNEL_THREAD = 5,
	TARGET_DENIED = 6,	     /* may not be read */
	TARGET_BROKEN = 7,	     /* its files or memory contradict themselves; see reason */
	TARGET_STUCK = 8,	     /* the reader did not answer in time and was replaced */
	TARGET_PENDING = 9,	     /* followed (a child, an exec), not identified yet */
	TARGET_STATUS_MAX
};
#define TARGET_USDT	     1u /* flag: the build has USDT probes */
#define TARGET_STATIC	     2u /* flag: the runtime is in the executable, not in libpython */
#define TARGET_FREE_THREADED 4u
#define TARGET_GIL	     8u /* flag: free-threaded, and its GIL was on when it was looked at */

#include "evplace.h"

struct ev_target {
	struct ev_head head;
	struct py_layout layout; /* all zero unless status is TARGET_OK */
	__u32 pid, ns_pid;	 /* in our PID namespace, in the target's own */
	__u32 version;		 /* hex as sys.hexversion; 0: not known */
	__u8 status;		 /* enum target_status */
	__u8 flags;		 /* TARGET_USDT, ... */
	__u16 nr_loops;		 /* threads that ran an event loop when it was looked at */
	__u64 start_ticks;	/* field 22 of /proc/PID/stat: (pid, start_ticks) is the identity */
	char comm[EV_COMM_LEN];
	char exe[EV_PATH_LEN];
	char container[72];	/* container id or empty */
	char reason[160];	/* why the status is not TARGET_OK, for people; else empty */
	/* Older recordings end here: EV_TARGET_BYTES_BEFORE_PLACE. */
	__u32 uid;		/* effective, as the host sees it; EV_NO_UID: not known */
	__u32 manager_uid;	/* unit is one of this user's own systemd; EV_NO_UID: of the system's */
	__u16 nr_threads;	/* 65535: that many or more */
	__u8 container_kind;	/* enum container_kind */
	__u8 pad[5];
	char unit[EV_UNIT_LEN];	/* systemd unit, or empty */
	char pod[EV_POD_LEN];	/* uid of the Kubernetes pod, or empty */
};
#define EV_TARGET_BYTES_BEFORE_PLACE __builtin_offsetof(struct ev_target, uid)
_Static_assert(EV_TARGET_BYTES_BEFORE_PLACE == 24 + 120 + 24 + 16 + 256 + 72 + 160, "stream ABI");
_Static_assert(sizeof(struct ev_target) == EV_TARGET_BYTES_BEFORE_PLACE + 16 + 256 + 40, "stream ABI");

#endif
