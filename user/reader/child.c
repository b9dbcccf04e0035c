/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* fork, a clean child, exec of ourselves. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Room for a few of the longest records; the kernel allows less at most hosts, one always fits. */
#define SOCKET_BYTES  (1 << 20)
#define CHILD_FD_TEXT "3"
#define FIRST_SAFE_FD 10

/*
 * An exec takes the capabilities of whoever is not root, but those that he makes ambient.  The reader gets what
 * it reads with, if the daemon has it: without, it says of each process that it may not be read.
 */
static void pass_on_capabilities(void)
{
	static const unsigned passed[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		data[CAP_TO_INDEX(passed[i])].inheritable |=
			data[CAP_TO_INDEX(passed[i])].permitted & CAP_TO_MASK(passed[i]);
	if (syscall(SYS_capset, &head, data))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, passed[i], 0, 0);
}

/* Between fork and exec: only what is safe in a signal handler. */
static void __attribute__((noreturn)) become(const char *command, int socket_fd, int extra_fd,
					     pid_t parent)
{
	const char *name = strcmp(command, CHILD_WEB) ? "loophound-reader" : "loophound-web";
	char *const argv[] = { (char *)name, (char *)command, CHILD_FD_TEXT, NULL };
	int high, null, extra = -1, last = CHILD_FD;
	sigset_t none;

	/* The daemon may have died before this took effect. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(126);
	high = fcntl(socket_fd, F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (extra_fd >= 0) {
		extra = fcntl(extra_fd, F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
		last = CHILD_EXTRA_FD;
	}
	if (high < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(high, CHILD_FD) < 0 || (extra_fd >= 0 && dup2(extra, CHILD_EXTRA_FD) < 0))
		_exit(126);
	/* Everything is close-on-exec; this is for what a library opened otherwise. */
	syscall(SYS_close_range, last + 1, ~0U, 0);
	/*
	 * Ignored from the first moment: what ends the daemon's group is not for its children to act
	 * on.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!strcmp(command, CHILD_READER))
		pass_on_capabilities();
	execv("/proc/self/exe", argv);
	_exit(127);
}

static void set_buffers(int fd)
{
	int bytes = SOCKET_BYTES;

	/* The kernel's default holds the longest record as well: a refusal costs nothing. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

int child_start(const char *command, int extra_fd, pid_t *pid, int *socket_fd)
{
	cleanup_close int ours = -1;
	cleanup_close int theirs = -1;
	pid_t parent = getpid(), child;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	set_buffers(ours);
	set_buffers(theirs);
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become(command, theirs, extra_fd, parent);
	*pid = child;
	*socket_fd = take_fd(&ours);
	return 0;
}

bool child_reap(pid_t pid, int *status)
{
	pid_t reaped;

	do {
		reaped = waitpid(pid, status, WNOHANG);
	} while (reaped < 0 && errno == EINTR);
	/* ECHILD: someone else reaped it. */
	return reaped != 0;
}

void child_kill(pid_t pid, int timeout_ms)
{
	struct pollfd ended = { .events = POLLIN };
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	kill(pid, SIGKILL);
	ended.fd = pidfd;
	if (pidfd >= 0 && timeout_ms > 0)
		(void)poll(&ended, 1, timeout_ms);
}
