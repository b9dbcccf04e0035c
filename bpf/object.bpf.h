/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a sleeping thread's call works on: its descriptor, or the path it was given. */
#ifndef OBJECT_BPF_H
#define OBJECT_BPF_H

#include "maps.bpf.h"
#include "syscalls.bpf.h"

#define S_IFMT	 0170000
#define S_IFSOCK 0140000
#define S_IFREG	 0100000
#define S_IFBLK	 0060000
#define S_IFDIR	 0040000
#define S_IFCHR	 0020000
#define S_IFIFO	 0010000

#define AF_UNIX	  1
#define AF_INET	  2
#define AF_INET6  10
#define TCP_LISTEN 10
#define SUN_PATH_BYTES 108

#define O_NONBLOCK_FLAG 04000

/* The file of a descriptor of the task; NULL: there is none. */
static __always_inline struct file *task_file(struct task_struct *task, s32 fd)
{
	struct files_struct *files = BPF_CORE_READ(task, files);
	struct fdtable *fdt = BPF_CORE_READ(files, fdt);
	struct file **table = BPF_CORE_READ(fdt, fd), *file = NULL;

	if ((u32)fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), table + fd);
	return file;
}

/*
 * Fills object for descriptor fd of the current task; leaves it OBJECT_NONE if there is no such descriptor.
 * A function of its own (object.bpf.c): inlined, its paths multiply with those of its caller.
 */
extern int object_read(struct ev_object *object, s32 fd);

/*
 * Whether descriptor fd of the current task is a socket that would take more to send: who waits to write to it
 * waits for what is to be written.
 */
extern int socket_has_room(s32 fd);

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
