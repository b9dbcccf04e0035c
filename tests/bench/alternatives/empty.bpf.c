/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The hooks of a watch with nothing behind them: what is left is the kernel's own way there. */
#include "watched.bpf.h"

SEC("tp/syscalls/sys_exit_epoll_wait")
int on_wait_exit(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return 0;
}

SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(on_timer)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
