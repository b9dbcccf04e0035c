/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where the kernel's account of a wait for a CPU is wrong.  Since 6.12 a thread that goes to sleep while it
 * has had more than its share stays in the run queue for a while ("delayed dequeue").  If it is moved to
 * another CPU meanwhile, it is accounted for as queued from then on: when it wakes up and gets a CPU, all of
 * its sleep is in sched_info.run_delay (seen on 6.18: whenever a sleeper is moved away from a hog).
 *
 * Such a time off the CPU is asleep for us, whole: how long it really waited is not known.  Nearly all
 * threads that are moved are not asleep, so this costs one load a migration.
 */
#include "maps.bpf.h"

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task, int to_cpu)
{
	struct loop_thread *th;

	if (!bpf_core_field_exists(task->se.sched_delayed) || !task->se.sched_delayed)
		return 0;
	th = loop_thread_of_target(task); /* few come this far, so the check for others would not pay */
	if (th)
		th->is_misqueued = 1;
	return 0;
}
