/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who begins connections: samples of the connecting thread's stack; and whether its collector runs. */
#ifndef CONNECT_BPF_H
#define CONNECT_BPF_H

#include "connection.bpf.h"
#include "loop.bpf.h"
#include "pyending.h"
#include "pyworld.h"

/* The current thread of a target begins a connection that is counted in the slot. */
extern int connect_begun(u32 slot_id);
/* The collector closes a connection that is counted in the slot. */
extern int connect_collected(struct connection_slot *slot);

/* Whether the collector runs in the current thread of the target, which is a loop's (th) or not (NULL). */
static __always_inline bool connect_is_in_gc(struct target_entry *target, struct loop_thread *th)
{
	s32 collecting = 0;

	if (!th)
		return false;
	if (th->has_gc_probes)
		return th->gc_start_ns != 0;
	if (!target->layout.valid || !target->layout.collecting_addr)
		return false;
	read_user(&collecting, sizeof(collecting), target->layout.collecting_addr + th->interp_shift);
	return collecting == 1 && (th->is_collecting || pyworld_is_ours(&target->layout, th->tstate_addr));
}

#define PF_EXITING 0x00000004

/* By whom it was closed, if that is no accident. The current process is known to be the one that closes. */
static __always_inline void note_closer(struct connection_slot *slot)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = task->tgid;
	struct target_entry *target = bpf_map_lookup_elem(&targets, &tgid);

	if (task->flags & PF_EXITING || (target && pyending_is_ending(&target->layout)))
		__sync_fetch_and_add(&slot->counts.closed_at_exit, 1);
	else if (target && connect_is_in_gc(target, bpf_task_storage_get(&loop_threads, task, 0, 0)))
		connect_collected(slot);
}

#endif
