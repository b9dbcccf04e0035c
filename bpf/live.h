/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the daemon reads of a loop's iteration by mmap while it lasts: shared by both halves, no record. */
#ifndef LIVE_H
#define LIVE_H

#include "events.h"

#define LIVE_TORN (~0ULL) /* loop_live.start_ns while the rest is being written */

/* How far an iteration is, written by the kernel half whenever its thread leaves or gets the CPU. */
struct loop_live {
	__u64 start_ns; /* of the iteration that it is about: see loop_counters.since_ns; LIVE_TORN */
	__u64 out_ns;	/* off the CPU since; 0: on it */
	__u64 off_total_ns, run_queue_ns; /* up to the last time it got the CPU back */
	__u64 off_ns[OFF_CLASS_MAX];
	__u64 gc_on_cpu_ns, import_on_cpu_ns, import_asleep_ns; /* of collections and imports that ended */
	__u32 out_class;    /* enum off_class; of out_ns, or of the last time off if that is 0 */
	__u32 has_sleep;    /* sleep is about out_ns */
	struct ev_sleep sleep;
	struct ev_task task; /* of sleep.task_id */
};

#endif
