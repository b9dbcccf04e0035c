/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which capabilities, files, memory and system calls the reader process keeps. */
#include "confine.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>

#include "sandbox.h"
#include "util.h"

#define ADDRESS_SPACE_BYTES (256UL << 20)
#define FILES_MAX	    64

/*
 * Of the reader, malloc, stdio and signals.  openat2() takes its flags by a pointer, which a filter
 * cannot follow: a descriptor that can be written to is of no use, because write() goes to standard
 * error alone.
 */
static const int allowed[] = {
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(openat2),
	SCMP_SYS(lseek),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SANDBOX_END,
};

/* Nothing of ours could ask for these: who does has taken the process over. */
static const int killed[] = {
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(ptrace),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(mount),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(io_uring_setup),
	SANDBOX_END,
};

int reader_confine(void)
{
	/* To read memory and /proc of any user, files within any root, and mapped files that have
	 * no name any more. */
	static const unsigned kept[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
					 CAP_CHECKPOINT_RESTORE };
	static const struct sandbox_calls calls = { .allowed = allowed,
						    .killed = killed,
						    .is_open_read_only = true,
						    .is_write_to_stderr = true };
	int err;

	/* Ctrl-C and a service's stop reach the whole group: the daemon decides when this ends. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	err = sandbox_keep_capabilities(kept, ARRAY_SIZE(kept));
	if (!err)
		err = sandbox_limit(RLIMIT_CORE, 0);
	if (!err)
		err = sandbox_limit(RLIMIT_NOFILE, FILES_MAX);
	if (!err && !SANDBOX_IS_SANITIZED)
		err = sandbox_limit(RLIMIT_AS, ADDRESS_SPACE_BYTES);
	if (err)
		return err;
	/* One that hangs may outlive the daemon: whoever reads the daemon's messages must not wait
	 * for it. */
	dup2(STDIN_FILENO, STDERR_FILENO); /* /dev/null: child.c */
	return sandbox_filter_calls(&calls);
}
