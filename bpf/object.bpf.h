/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a sleeping thread's call works on: its descriptor, or the path it was given. */
#ifndef OBJECT_BPF_H
#define OBJECT_BPF_H

#include "maps.bpf.h"
#include "syscalls.bpf.h"

/*
 * Fills object for descriptor fd of the current task; leaves it OBJECT_NONE if there is no such descriptor.
 * A function of its own (object.bpf.c): inlined, its paths multiply with those of its caller.
 */
extern int object_read(struct ev_object *object, s32 fd);

/* For calls that take a path: the path as the program gave it. The thread is the current one. */
static __always_inline void object_as_given(struct ev_object *object, s32 syscall,
					    struct pt_regs *regs)
{
	u64 path_addr = syscall_path(syscall, regs);
	long got;

	if (!path_addr)
		return;
	got = bpf_probe_read_user_str(object->name, sizeof(object->name), (void *)path_addr);
	if (got <= 0)
		return;
	object->kind = OBJECT_FILE;
	object->flags = OBJECT_AS_GIVEN;
	object->name_len = got;
}

#endif
