/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Many sites of one process, one attachment (kernel 6.6, in use from 6.10 on): made and let go in
 * milliseconds, and without CAP_SYS_ADMIN.  By the system call itself, because libbpf has it from 1.3 on
 * and Debian 12's is older.
 */
#ifndef MULTI_H
#define MULTI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UPROBE_MULTI_ATTACH_TYPE 48 /* BPF_TRACE_UPROBE_MULTI, which older headers lack; to be loaded with */

/* Whether this kernel has it, and filters by process: up to 6.9 it took pid for a thread's number. */
bool uprobe_multi_is_supported(void);

/*
 * Attaches a program to nr offsets of a file, for one process.  semaphores (offsets in the file; 0: none) and
 * cookies are by offset.  A file descriptor whose end is the attachment's, or a negative errno.
 */
int uprobe_multi_attach(int program_fd, pid_t pid, const char *path, unsigned nr, const uint64_t *offsets,
			const uint64_t *semaphores, const uint64_t *cookies);

#endif
