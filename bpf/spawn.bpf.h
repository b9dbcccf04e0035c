/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finding Pythons as they come, at what a host with thousands of short processes a second can bear.
 *
 * At an exec nothing is mapped yet that would tell a Python; only the file is known.  So the daemon, once
 * it has looked at a process, says what its executable is (exes).  An exec of a known one is decided
 * here: a Python is announced, anything else costs two look-ups.  Of an unknown one a few a second
 * are announced at once, to have them identified before their loop begins.  All others become
 * candidates: announced when they first wait for events, as whoever runs a loop does.  `ls` and
 * `true` never do, so they are never heard of, and nobody falls out for being one of many.
 */
#ifndef SPAWN_BPF_H
#define SPAWN_BPF_H

#include "emit.bpf.h"

/* lifecycle.bpf.c: the current process, which is in targets and not readable yet, waited for events. */
extern int spawn_waits(u64 now_ns);
/* The same: the current thread's loop is of a target that the daemon has let go of. */
extern int loop_let_go(u64 now_ns);

#define EXEC_ASKS_A_SECOND 32 /* of unknown executables, host-wide */

/*
 * False: it has no file, or the memory that says so is gone.  Plain loads: the verifier knows the types, and what
 * is not there reads as 0.
 */
static __always_inline bool exe_key_read(struct task_struct *task, struct exe_key *key)
{
	/* Not by the pointers themselves: of each that is followed the verifier looks through all of BTF. */
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	key->ino = BPF_CORE_READ(inode, i_ino);
	key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key->generation = BPF_CORE_READ(inode, i_generation);
	key->bytes = BPF_CORE_READ(inode, i_size);
	return key->ino;
}

/* A process of this executable is a Python, by evidence: so is the next. */
static __always_inline void exe_learn(struct task_struct *task)
{
	struct exe_state python = { .kind = EXE_PYTHON }, *known;
	struct exe_key key = {};

	if (!exe_key_read(task, &key))
		return;
	known = bpf_map_lookup_elem(&exes, &key);
	if (!known || known->kind != EXE_PYTHON)
		bpf_map_update_elem(&exes, &key, &python, BPF_ANY);
}

static __always_inline u64 start_ns_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* An entry of the process's number is about another life of that number. */
static __always_inline bool is_other_life(const struct target_entry *entry, struct task_struct *task)
{
	return entry->start_ticks && entry->start_ticks != start_ns_of(task) / USER_TICK_NS;
}

#endif
