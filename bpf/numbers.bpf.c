/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's numbers of the processes that the daemon can see; loaded only in a PID namespace of
 * its own. */
#include "numbers.bpf.h"

SEC("iter/task")
int tell_numbers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_number row = {};

	if (!task || task->pid != task->tgid)
		return 0;
	row.tgid = task->tgid;
	row.number = number_of(task);
	if (row.number)
		bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}
