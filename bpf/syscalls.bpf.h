/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a sleeping system call waits for, from its number and arguments: the descriptor, or the path
 * that it was given.  x86-64 numbers.
 */
#ifndef SYSCALLS_BPF_H
#define SYSCALLS_BPF_H

#include "maps.bpf.h"
#include "pymem.h"

#include <asm/unistd_64.h>

struct user_pollfd {
	s32 fd;
	u16 events, revents;
};

/*
 * The lowest of nr descriptors in a select() set; -1: none.  A function of its own (object.bpf.c) for the
 * verifier: each of its words is a path.
 */
extern int fd_set_first(u64 set_addr, u32 nr);

static __always_inline s32 poll_fd(u64 fds_addr, u64 nr)
{
	struct user_pollfd first;

	if (!nr || read_user(&first, sizeof(first), fds_addr))
		return -1;
	return first.fd;
}

/* Whether the call's first argument is the descriptor that it works on. */
static __always_inline bool has_fd_argument(s32 syscall)
{
	switch (syscall) {
	case __NR_read: case __NR_write: case __NR_close: case __NR_fstat: case __NR_lseek:
	case __NR_ioctl: case __NR_pread64: case __NR_pwrite64: case __NR_readv: case __NR_writev:
	case __NR_preadv: case __NR_pwritev: case __NR_preadv2: case __NR_pwritev2:
	case __NR_sendfile: case __NR_connect: case __NR_accept: case __NR_accept4:
	case __NR_sendto: case __NR_recvfrom: case __NR_sendmsg: case __NR_recvmsg:
	case __NR_sendmmsg: case __NR_recvmmsg: case __NR_shutdown: case __NR_fcntl:
	case __NR_flock: case __NR_fsync: case __NR_fdatasync: case __NR_ftruncate:
	case __NR_fallocate: case __NR_getdents: case __NR_getdents64: case __NR_sync_file_range:
	case __NR_syncfs: case __NR_splice: case __NR_tee: case __NR_vmsplice:
	case __NR_copy_file_range: case __NR_epoll_wait: case __NR_epoll_pwait:
	case __NR_epoll_pwait2: case __NR_fchmod: case __NR_fchown:
		return true;
	}
	return false;
}

static __always_inline s32 syscall_fd(s32 syscall, struct pt_regs *regs)
{
	s32 fd;

	if (has_fd_argument(syscall))
		return (s32)regs->di;
	switch (syscall) {
	case __NR_poll:
	case __NR_ppoll:
		return poll_fd(regs->di, regs->si);
	case __NR_select:
	case __NR_pselect6:
		fd = fd_set_first(regs->si, regs->di);
		return fd >= 0 ? fd : fd_set_first(regs->dx, regs->di);
	}
	return -1;
}

/* Address of the path argument of calls that take a path and no descriptor; 0: none. */
static __always_inline u64 syscall_path(s32 syscall, struct pt_regs *regs)
{
	switch (syscall) {
	case __NR_open: case __NR_stat: case __NR_lstat: case __NR_access: case __NR_rename:
	case __NR_mkdir: case __NR_rmdir: case __NR_creat: case __NR_link: case __NR_unlink:
	case __NR_symlink: case __NR_readlink: case __NR_chmod: case __NR_chown:
	case __NR_truncate: case __NR_statfs: case __NR_chdir: case __NR_execve:
		return regs->di;
	case __NR_openat: case __NR_openat2: case __NR_newfstatat: case __NR_statx:
	case __NR_unlinkat: case __NR_renameat: case __NR_renameat2: case __NR_mkdirat:
	case __NR_readlinkat: case __NR_faccessat: case __NR_faccessat2: case __NR_linkat:
		return regs->si;
	}
	return 0;
}

#endif
