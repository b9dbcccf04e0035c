/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The watched threads, kept in task storage. */
#ifndef STORAGE_BPF_H
#define STORAGE_BPF_H

#include "watched.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct watched);
} watched_threads SEC(".maps");

static __always_inline struct watched *watched_find(struct task_struct *task)
{
	return bpf_task_storage_get(&watched_threads, task, 0, 0);
}

static __always_inline struct watched *watched_current(void)
{
	return watched_find(bpf_get_current_task_btf());
}

#endif
