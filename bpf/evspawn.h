/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of events.h: processes that come by exec, and what the kernel half remembers of executables. */
#ifndef EVSPAWN_H
#define EVSPAWN_H

#define EV_ARGS_BYTES 1024

/* Which file a process runs. Of the kernel's own numbers: a device is not as stat(2) gives it everywhere. */
struct exe_key {
	__u64 ino;
	__u32 dev;
	__u32 generation; /* of the inode, where the file system has one: ino is reused */
	__u64 bytes;	  /* size */
};

#define SPAWN_DESCENDANT 1u /* of a target: watched whatever it is called */
#define SPAWN_MOVED	 2u /* into another cgroup, not by exec */
#define SPAWN_WAITS	 4u /* at its first wait for events, where it could not be told at its exec */

#define SPAWN_ASKS 4u /* at most, with growing gaps: who is no Python then is none */

/* A process that may be a Python: watched from here on, to be identified. */
struct ev_spawn {
	struct ev_head head;
	struct exe_key exe;
	__u64 start_ns; /* of the process, CLOCK_BOOTTIME: as field 22 of /proc/PID/stat, in ns */
	__u32 pid;
	__u32 flags;	/* SPAWN_* */
	__u32 nr_asked; /* with SPAWN_WAITS: times that it was told, of SPAWN_ASKS; from 1 */
	__u32 args_bytes; /* of args; 0: could not be read */
	char comm[EV_COMM_LEN];
	char args[EV_ARGS_BYTES]; /* begin of its command line, each argument ended by NUL; cut */
};
_Static_assert(sizeof(struct ev_spawn) == 24 + 24 + 8 + 16 + 16 + EV_ARGS_BYTES, "stream ABI");

#endif
