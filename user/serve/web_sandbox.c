/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Capabilities, limits and a seccomp filter: after this, a web process that is taken over can do
 * HTTP. */
#include "web_sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <time.h>

#include "sandbox.h"
#include "web_server.h"

#define ADDRESS_SPACE_BYTES (1UL << 30)

/* Of libmicrohttpd, GnuTLS, malloc, stdio and ourselves; all on descriptors that are open or
 * accepted. */
static const int allowed[] = {
	SCMP_SYS(accept4),	   SCMP_SYS(accept),
	SCMP_SYS(recvfrom),	   SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),	   SCMP_SYS(sendmsg),
	SCMP_SYS(shutdown),	   SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt),	   SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),	   SCMP_SYS(read),
	SCMP_SYS(write),	   SCMP_SYS(writev),
	SCMP_SYS(pread64),	   SCMP_SYS(close),
	SCMP_SYS(fcntl),	   SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),	   SCMP_SYS(poll),
	SCMP_SYS(ppoll),	   SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),	   SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),	   SCMP_SYS(eventfd2),
	SCMP_SYS(listen),	   SCMP_SYS(brk),
	SCMP_SYS(munmap),	   SCMP_SYS(mremap),
	SCMP_SYS(madvise),	   SCMP_SYS(futex),
	SCMP_SYS(getrandom),	   SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),	   SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(getpid),
	SCMP_SYS(gettid),	   SCMP_SYS(getrusage),
	SCMP_SYS(rt_sigreturn),	   SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),  SCMP_SYS(exit),
	SCMP_SYS(exit_group),	   SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),	   SANDBOX_END,
};

static const int refused[] = { SCMP_SYS(openat), SCMP_SYS(open), SANDBOX_END };

int web_confine(void)
{
	/* Not a reason to die: a library that asks for a file is told no. */
	static const struct sandbox_calls calls = { .allowed = allowed,
						    .is_rest_killed = true,
						    .refused = refused };
	int err;

	/* What these read from files, they read now. */
	tzset();
	if (sym_gnutls_global_init() < 0)
		return -ENOTSUP;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	err = sandbox_keep_capabilities(NULL, 0);
	if (!err)
		err = sandbox_limit(RLIMIT_CORE, 0);
	if (!err)
		err = sandbox_limit(RLIMIT_NOFILE, WEB_CONNECTIONS_MAX + 32);
	if (!err && !SANDBOX_IS_SANITIZED)
		err = sandbox_limit(RLIMIT_AS, ADDRESS_SPACE_BYTES);
	return err ? err : sandbox_filter_calls(&calls);
}
