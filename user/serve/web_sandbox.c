/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Capabilities, limits and a seccomp filter: after this, a web process that is taken over can do
 * HTTP. */
#include "web_sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "util.h"
#include "web_server.h"

#define ADDRESS_SPACE_BYTES (1UL << 30)

/* AddressSanitizer maps terabytes and asks for more calls: under it there is no filter. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* Of libmicrohttpd, GnuTLS, malloc, stdio and ourselves; all on descriptors that are open or
 * accepted. */
static const int allowed[] = {
	SCMP_SYS(accept4),	 SCMP_SYS(accept),	 SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),	 SCMP_SYS(sendto),	 SCMP_SYS(sendmsg),
	SCMP_SYS(shutdown),	 SCMP_SYS(setsockopt),	 SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),	 SCMP_SYS(getpeername),	 SCMP_SYS(read),
	SCMP_SYS(write),	 SCMP_SYS(writev),	 SCMP_SYS(pread64),
	SCMP_SYS(close),	 SCMP_SYS(fcntl),	 SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),	 SCMP_SYS(poll),	 SCMP_SYS(ppoll),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),	 SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),	 SCMP_SYS(eventfd2),	 SCMP_SYS(listen),
	SCMP_SYS(brk),		 SCMP_SYS(mmap),	 SCMP_SYS(munmap),
	SCMP_SYS(mremap),	 SCMP_SYS(madvise),	 SCMP_SYS(mprotect),
	SCMP_SYS(futex),	 SCMP_SYS(getrandom),	 SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),	 SCMP_SYS(time),	 SCMP_SYS(clock_nanosleep),
	SCMP_SYS(getpid),	 SCMP_SYS(gettid),	 SCMP_SYS(getrusage),
	SCMP_SYS(rt_sigreturn),	 SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(exit),		 SCMP_SYS(exit_group),	 SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
};

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < ARRAY_SIZE(allowed); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* Not a reason to die: a library that asks for a file is told no. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit bound = { value, value };

	return setrlimit(resource, &bound) ? -errno : 0;
}

static int drop_capabilities(void)
{
	bool can_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_ALL);
	if (can_bound && capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int web_confine(void)
{
	int err;

	/* What these read from files, they read now. */
	tzset();
	if (gnutls_global_init() < 0)
		return -ENOTSUP;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	err = drop_capabilities();
	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, WEB_CONNECTIONS_MAX + 32);
	if (!err && !IS_SANITIZED)
		err = limit(RLIMIT_AS, ADDRESS_SPACE_BYTES);
	if (!err && !IS_SANITIZED)
		err = filter_calls();
	return err;
}
