/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Numbers of processes and threads.  The kernel's own, which are those of the initial PID
 * namespace, are the keys of targets; the daemon, and so every record, has those of the PID
 * namespace that it is in.  Mostly that is the same: then cfg_pidns is 0, and the verifier drops
 * what is behind it.
 */
#ifndef NUMBERS_BPF_H
#define NUMBERS_BPF_H

#include "maps.bpf.h"

#define MAX_PIDNS_LEVEL 32 /* MAX_PID_NS_LEVEL of the kernel */

/* The task's number in the daemon's PID namespace; 0: it cannot be seen from there. */
static __noinline u32 number_in_pidns(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	u32 level = BPF_CORE_READ(pid, level);

	/* A namespace that is not the initial one is at 1 or below. */
	for (u32 i = 1; i <= MAX_PIDNS_LEVEL && i <= level; i++) {
		struct upid *upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				    i * bpf_core_type_size(struct upid);

		if (BPF_CORE_READ(upid, ns, ns.inum) == cfg_pidns)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}

static __always_inline u32 number_of(struct task_struct *task)
{
	return cfg_pidns ? number_in_pidns(task) : (u32)task->pid;
}

static __always_inline u32 process_number_of(struct task_struct *task)
{
	return cfg_pidns ? number_in_pidns(task->group_leader) : (u32)task->tgid;
}

/* The process can be found by its number in the daemon's namespace, too. 0, or a negative errno. */
static __always_inline long number_note(u32 number, u32 tgid)
{
	return cfg_pidns ? bpf_map_update_elem(&numbers, &number, &tgid, BPF_ANY) : 0;
}

static __always_inline void number_forget(u32 number)
{
	if (cfg_pidns)
		bpf_map_delete_elem(&numbers, &number);
}

#endif
