/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * System call, descriptor and Python stack in, cause out.  The stack wins over the descriptor, and
 * the descriptor over the call: a poll inside subprocess.run() is a subprocess, whatever it polls.
 */
#include "cause.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "object.h"
#include "site.h"
#include "util.h"

/* What a call alone tells. */
enum call_kind {
	CALL_UNKNOWN = 0,
	CALL_BY_OBJECT, /* read, write, poll on a descriptor: whatever that is */
	CALL_SELECT,	/* the same, and a sleep if it watches no descriptor */
	CALL_SLEEP,
	CALL_LOCK,
	CALL_CHILD,
	CALL_SOCKET,
	CALL_FILE,
};

#define IS(kind, call) [SYS_##call] = CALL_##kind
/* clang-format off */
static const uint8_t call_kinds[] = {
	IS(SLEEP, nanosleep), IS(SLEEP, clock_nanosleep),
	IS(LOCK, futex), IS(LOCK, semop), IS(LOCK, semtimedop),
	IS(CHILD, wait4), IS(CHILD, waitid), IS(CHILD, clone), IS(CHILD, clone3),
	IS(SELECT, pselect6), IS(SELECT, ppoll),
	IS(BY_OBJECT, epoll_pwait), IS(BY_OBJECT, epoll_pwait2),
	IS(BY_OBJECT, read), IS(BY_OBJECT, readv), IS(BY_OBJECT, pread64), IS(BY_OBJECT, preadv),
	IS(BY_OBJECT, preadv2), IS(BY_OBJECT, write), IS(BY_OBJECT, writev),
	IS(BY_OBJECT, pwrite64),
	IS(BY_OBJECT, pwritev), IS(BY_OBJECT, pwritev2), IS(BY_OBJECT, sendfile),
	IS(BY_OBJECT, splice),
	IS(BY_OBJECT, tee), IS(BY_OBJECT, vmsplice), IS(BY_OBJECT, ioctl), IS(BY_OBJECT, fcntl),
	IS(BY_OBJECT, close), IS(BY_OBJECT, copy_file_range),
	IS(SOCKET, connect), IS(SOCKET, accept), IS(SOCKET, accept4), IS(SOCKET, recvfrom),
	IS(SOCKET, recvmsg), IS(SOCKET, recvmmsg), IS(SOCKET, sendto), IS(SOCKET, sendmsg),
	IS(SOCKET, sendmmsg), IS(SOCKET, shutdown), IS(SOCKET, bind), IS(SOCKET, listen),
	IS(SOCKET, socket), IS(SOCKET, setsockopt), IS(SOCKET, getsockopt),
	IS(FILE, openat), IS(FILE, openat2), IS(FILE, newfstatat), IS(FILE, fstat), IS(FILE, statx),
	IS(FILE, statfs), IS(FILE, fstatfs), IS(FILE, faccessat), IS(FILE, faccessat2),
	IS(FILE, unlinkat), IS(FILE, renameat2), IS(FILE, mkdirat), IS(FILE, linkat),
	IS(FILE, symlinkat), IS(FILE, readlinkat), IS(FILE, fchmodat), IS(FILE, fchownat),
	IS(FILE, utimensat), IS(FILE, getdents64), IS(FILE, getcwd), IS(FILE, chdir),
	IS(FILE, lseek),
	IS(FILE, fsync), IS(FILE, fdatasync), IS(FILE, sync), IS(FILE, syncfs), IS(FILE, msync),
	IS(FILE, sync_file_range), IS(FILE, flock), IS(FILE, fallocate), IS(FILE, ftruncate),
	IS(FILE, truncate), IS(FILE, fadvise64), IS(FILE, readahead), IS(FILE, fchdir), IS(FILE, chroot),
	IS(FILE, mknodat), IS(FILE, fchmod), IS(FILE, fchown),
	IS(FILE, getxattr), IS(FILE, lgetxattr), IS(FILE, fgetxattr), IS(FILE, setxattr),
	IS(FILE, lsetxattr), IS(FILE, fsetxattr), IS(FILE, listxattr), IS(FILE, llistxattr),
	IS(FILE, flistxattr), IS(FILE, removexattr), IS(FILE, lremovexattr), IS(FILE, fremovexattr),
	/* Newer than Debian 12's headers; their numbers are the same on all architectures. */
	[452 /* fchmodat2 */] = CALL_FILE, [463 /* setxattrat */] = CALL_FILE,
	[464 /* getxattrat */] = CALL_FILE, [465 /* listxattrat */] = CALL_FILE,
	[466 /* removexattrat */] = CALL_FILE,
#ifdef __x86_64__ /* the older forms, which newer architectures do not have */
	IS(SELECT, select), IS(SELECT, poll), IS(BY_OBJECT, epoll_wait),
	IS(CHILD, fork), IS(CHILD, vfork),
	IS(FILE, open), IS(FILE, creat), IS(FILE, stat), IS(FILE, lstat), IS(FILE, access),
	IS(FILE, unlink), IS(FILE, rename), IS(FILE, renameat), IS(FILE, mkdir), IS(FILE, rmdir),
	IS(FILE, link), IS(FILE, symlink), IS(FILE, readlink), IS(FILE, chmod), IS(FILE, chown),
	IS(FILE, lchown), IS(FILE, mknod), IS(FILE, utime), IS(FILE, utimes), IS(FILE, futimesat),
	IS(FILE, getdents),
#endif
};
/* clang-format on */

static enum call_kind kind_of_call(int nr)
{
	if (nr < 0 || (size_t)nr >= ARRAY_SIZE(call_kinds))
		return CALL_UNKNOWN;
	return call_kinds[nr];
}

/* A select or poll of nothing is how time.sleep() of Python 3.10 and older sleeps. */
static bool watches_nothing(const struct ev_sleep *ev)
{
	bool is_select = ev->syscall == SYS_pselect6;

#ifdef __x86_64__
	is_select |= ev->syscall == SYS_select;
#endif
	/* select(nfds, ...), poll(fds, nfds, ...) */
	return ev->fd < 0 && !ev->args[is_select ? 0 : 1];
}

/*
 * Since Linux 6.9 a pidfd looks like a file that has no path; before, it has a name (see cause_of_object()).
 * Of no other file without one has poll() to wait.
 */
static bool is_pidfd(const struct ev_object *object)
{
	return object->kind == OBJECT_FILE && !object->name_len;
}

/* A unix socket of a service that resolves names: nss-resolve, nscd, sssd, avahi. */
static bool is_resolver(const struct ev_object *object)
{
	static const char *const paths[] = { "/systemd/resolve/", "/nscd/", "/sss/pipes/",
					     "/avahi-daemon/" };
	char name[FINDING_OBJECT_LEN];
	unsigned int i;

	if (object->family != AF_UNIX)
		return object->port == 53;
	object_format(object, name, sizeof(name));
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		if (strstr(name, paths[i]))
			return true;
	}
	return false;
}

static enum cause cause_of_object(const struct ev_object *object)
{
	switch (object->kind) {
	case OBJECT_FILE:
	case OBJECT_DIR:
	case OBJECT_BLOCK: return CAUSE_FILE;
	case OBJECT_PIPE: return CAUSE_PIPE;
	case OBJECT_SOCKET: return is_resolver(object) ? CAUSE_DNS : CAUSE_NETWORK;
	case OBJECT_CHAR: return object_is_terminal(object) ? CAUSE_TERMINAL : CAUSE_OTHER;
	case OBJECT_ANON:
		if (memmem(object->name, min((size_t)object->name_len, sizeof(object->name)),
			   "pidfd", strlen("pidfd")))
			return CAUSE_SUBPROCESS;
		return CAUSE_OTHER;
	default: return CAUSE_OTHER;
	}
}

/* What the standard library between the leaf and its caller says; CAUSE_OTHER: nothing. */
static enum cause cause_of_stack(const struct stack *stack)
{
	struct stdlib stdlib = site_stdlib_of(stack);
	uint32_t i;

	for (i = 0; stack && i < stack->nr && site_is_stdlib(&stdlib, stack->frames[i].file); i++) {
		const struct frame *frame = &stack->frames[i];

		if (i == 0 && site_path_ends(frame->file, "/socket.py") &&
		    (!strcmp(frame->name, "getaddrinfo") || !strcmp(frame->name, "getfqdn")))
			return CAUSE_DNS;
		if (site_path_ends(frame->file, "/subprocess.py") ||
		    site_path_ends(frame->file, "/multiprocessing/popen_fork.py"))
			return CAUSE_SUBPROCESS;
	}
	return CAUSE_OTHER;
}

static enum cause cause_of_call(const struct ev_sleep *ev)
{
	enum cause by_object = cause_of_object(&ev->object);

	switch (kind_of_call(ev->syscall)) {
	case CALL_SLEEP: return CAUSE_SLEEP;
	case CALL_LOCK: return CAUSE_LOCK;
	case CALL_CHILD: return CAUSE_SUBPROCESS;
	case CALL_SELECT:
		if (watches_nothing(ev))
			return CAUSE_SLEEP;
		return is_pidfd(&ev->object) ? CAUSE_SUBPROCESS : by_object;
	case CALL_BY_OBJECT: return by_object;
	case CALL_SOCKET: return by_object == CAUSE_DNS ? CAUSE_DNS : CAUSE_NETWORK;
	case CALL_FILE: /* most of these name a path and have no descriptor to ask */
		return CAUSE_FILE;
	default: return CAUSE_OTHER;
	}
}

/* close() takes the descriptor away before it sleeps.  What then takes time is a file's last write,
 * to a disk across the network; a socket that lingers is closed by socket.py. */
static enum cause cause_of_close(const struct stack *stack)
{
	if (stack && stack->nr && site_path_ends(stack->frames[0].file, "/socket.py"))
		return CAUSE_NETWORK;
	return CAUSE_FILE;
}

enum cause cause_of_sleep(const struct ev_sleep *ev, const struct stack *stack)
{
	enum cause by_call = cause_of_call(ev);
	enum cause by_stack = cause_of_stack(stack);

	/* A lock taken within subprocess.py is somebody else's lock; within getaddrinfo() it is
	 * part of it. */
	if (by_stack == CAUSE_DNS || (by_stack == CAUSE_SUBPROCESS && by_call != CAUSE_LOCK))
		return by_stack;
	if (ev->syscall == SYS_close && ev->object.kind == OBJECT_NONE)
		return cause_of_close(stack);
	return by_call;
}

void rules_asleep_by_cause(const struct iteration *iteration, uint64_t by_cause[CAUSE_MAX])
{
	uint32_t i;

	memset(by_cause, 0, sizeof(*by_cause) * CAUSE_MAX);
	for (i = 0; i < iteration->nr_sleeps; i++) {
		const struct sleep *sleep = &iteration->sleeps[i];

		if (sleep->ev.off_class == OFF_GIL || sleep->ev.off_class == OFF_OTHER ||
		    (sleep->ev.within & IN_IMPORT))
			continue; /* gil-wait's or gc-pause's, and in the import's part of the split */
		by_cause[cause_of_sleep(&sleep->ev, sleep->stack)] += sleep->ev.asleep_ns;
	}
}
