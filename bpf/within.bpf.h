/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the loop's thread is within: the collector, an import; and how much of an iteration that took. */
#ifndef WITHIN_BPF_H
#define WITHIN_BPF_H

#include "loop.bpf.h"
#include "pyworld.h"

/* How far the iteration under way is. */
struct loop_clock {
	u64 now_ns;
	u64 on_cpu_ns; /* as loop_end_iteration() will have it */
	u64 asleep_ns; /* in system calls: off_ns[OFF_SYSCALL] once all is booked */
};

/*
 * Reads the clock without changing anything: whoever asks may be preempted in between by
 * on_sched_switch of the very same thread, which shows in off_total_ns.
 */
static __always_inline void loop_clock(struct loop_thread *th, struct task_struct *task,
				       struct loop_clock *clock)
{
	u64 off, settle, queued, asleep;
	int i;

	for (i = 0; i < 3; i++) {
		off = *(volatile u64 *)&th->off_total_ns;
		settle = th->settle_ns;
		asleep = th->off_ns[OFF_SYSCALL];
		queued = th->is_misqueued ? 0 : task->sched_info.run_delay - th->run_delay;
		if (settle && th->settle_class == OFF_SYSCALL)
			asleep += queued < settle ? settle - queued : 0;
		clock->now_ns = bpf_ktime_get_ns();
		clock->on_cpu_ns = clock->now_ns - th->start_ns - off;
		clock->asleep_ns = asleep;
		if (off == *(volatile u64 *)&th->off_total_ns)
			break;
	}
	if ((s64)clock->on_cpu_ns < 0)
		clock->on_cpu_ns = 0;
}

/*
 * In struct _gc_runtime_state, before its `collecting`; Include/internal/pycore_gc.h (from 3.14 on
 * pycore_interp_structs.h): enabled, and threshold and count of the youngest generation (from 3.13 on the
 * layout says where).
 */
#define GC_ENABLED     (200 - 12)
#define GC_ENABLED_314 (192 - 12)
#define GC_ENABLED_315 112
#define GC_YOUNG       (200 - 40)

/*
 * Did the program call gc.collect()?  The collector starts by itself only when the youngest generation
 * has more new objects than its threshold; the probe is hit before the counts begin anew.
 */
static __always_inline u32 gc_is_explicit(struct loop_thread *th)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target_entry *target = bpf_map_lookup_elem(&targets, &tgid);
	struct {
		s32 threshold, count;
	} young;
	u32 minor, enabled_at, young_at;
	s32 enabled;
	u64 at;

	if (!target || !target->layout.collecting_addr)
		return 0;
	at = target->layout.collecting_addr + th->interp_shift;
	minor = target->layout.minor;
	enabled_at = minor >= 15 ? GC_ENABLED_315 : minor == 14 ? GC_ENABLED_314 : GC_ENABLED;
	young_at = minor >= 13 ? target->layout.gc_young : GC_YOUNG;
	if (!young_at || bpf_probe_read_user(&enabled, sizeof(enabled), (void *)(at - enabled_at)) ||
	    bpf_probe_read_user(&young, sizeof(young), (void *)(at - young_at)))
		return 0;
	return !enabled || !young.threshold || young.count <= young.threshold;
}

/* IN_* as the probes say. */
static __always_inline u32 loop_within(struct loop_thread *th)
{
	u32 within = th->import_start_ns ? IN_IMPORT : 0;

	if (th->gc_start_ns)
		within |= th->gc_is_explicit ? IN_GC | IN_COLLECT : IN_GC;
	return within;
}

/* After a walk: does the innermost frame have gc.collect on its value stack?  Then it calls it. */
extern int gc_is_called(struct scratch *s);

#endif
