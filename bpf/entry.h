/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Values of the kernel half's tables of processes and executables: shared by both halves, no record. */
#ifndef ENTRY_H
#define ENTRY_H

#include "events.h"

/* What is known of a process, and so what its next exec or wait does. */
enum entry_state {
	ENTRY_TARGET = 0,    /* watched; the daemon knows it by its target_id */
	ENTRY_CANDIDATE = 1, /* nobody knows whether it is a Python: asked when it first waits for events */
	ENTRY_LINEAGE = 2,   /* no Python, but a target's descendant: what it starts may be one */
	ENTRY_LET_GO = 3,    /* was a target: its loops end when they wait next; an exec or a move is told of */
};

/* A process. Forked children get a copy. */
struct target_entry {
	__u32 target_id; /* 0 unless ENTRY_TARGET */
	__u8 is_forked;	 /* a copy of its parent, until the daemon says more */
	__u8 state;	 /* enum entry_state */
	__u8 is_descendant; /* of a target */
	__u8 nr_asked;	 /* times that the daemon was told that this image waits */
	__u8 is_python;	 /* its executable is known to be */
	__u8 pad[3];
	__u32 number; /* in the daemon's PID namespace */
	__u64 watched_ns; /* since when */
	__u64 ask_after_ns; /* not told again before */
	__u64 start_ticks; /* (pid, start_ticks) is the identity, as in ev_target; 0: not known */
	struct py_layout layout; /* .valid == 0: followed, but not readable (yet) */
};

enum exe_kind {
	EXE_UNKNOWN = 0,
	EXE_PYTHON = 1, /* a process of it was one */
	EXE_OTHER = 2,	/* a process of it was none, and had had time to become one */
};

/* What the processes of an executable have been so far; until_ns: then it is to be found out anew. */
struct exe_state {
	__u64 until_ns; /* 0: for ever. EXE_UNKNOWN: not asked about at an exec before then */
	__u32 kind;	/* enum exe_kind */
	__u32 nr_gone;	/* in a row that ended before they could be looked at */
};

/* Whether a process may be in targets, by its number. */
enum hint {
	HINT_NONE = 0, /* nobody with it is */
	HINT_SET = 1,
	HINT_DOUBTED = 2, /* the daemon asks whether anybody still is; counts as set */
};

/* A process as the daemon numbers it, and as the kernel does: what is not the same in a PID namespace. */
struct process_number {
	__u32 number;
	__u32 tgid;
};

#define USER_TICK_NS 10000000ULL /* of start_ticks: USER_HZ is 100 */

#endif
