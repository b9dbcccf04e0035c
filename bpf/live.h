/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What both halves know and is no record: how far an iteration is, by mmap; how often the daemon is woken. */
#ifndef LIVE_H
#define LIVE_H

#include "events.h"

#define WAKEUP_GAP_NS 1000000 /* a loop thread wakes the daemon at most this often */

/*
 * How far an iteration is, written by the kernel half whenever its thread leaves or gets the CPU.  A copy is
 * whole if sequence was the same, and even, before and after it was made.
 */
struct loop_live {
	__u64 sequence;
	__u64 start_ns; /* of the iteration that it is about: see loop_counters.since_ns */
	__u64 out_ns;	/* off the CPU since; 0: on it */
	__u64 wake_delay_ns; /* as in ev_iteration */
	__u64 off_total_ns, run_queue_ns; /* up to the last time it got the CPU back */
	__u64 off_ns[OFF_CLASS_MAX];
	__u64 gil_queued_ns; /* what is known yet of the last wait for the GIL: how long its holder had no CPU */
	__u64 gc_on_cpu_ns, import_on_cpu_ns, import_asleep_ns; /* of collections and imports that ended */
	__u64 out_exec_ns;  /* se.sum_exec_runtime at out_ns: more than that now, and it has run since */
	__u32 out_class;    /* enum off_class; of out_ns, or of the last time off if that is 0 */
	__u32 has_sleep;    /* sleep is about out_ns */
	struct ev_sleep sleep;
	struct ev_task task; /* of sleep.task_id */
};

#endif
