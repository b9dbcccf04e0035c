/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Quick calls that can block (--latent): a part of the stream, included by events.h only. */
#ifndef EVLATENT_H
#define EVLATENT_H

/*
 * Audit events of the interpreter that mean a call that can block and asks the kernel for nothing that
 * latent.bpf.c looks at.  Not socket.getaddrinfo, which is one of "127.0.0.1" as well; a name's look-up
 * reads files or asks a socket.  Not sqlite3.connect, for ":memory:".
 */
/* clang-format off */
#define AUDIT_LIST(X)			/* cause of blocking-call */	\
	X(1, "socket.gethostbyaddr", DNS)	\
	X(2, "os.chmod",	     FILE)	\
	X(3, "os.chown",	     FILE)	\
	X(4, "os.utime",	     FILE)	\
	X(5, "os.setxattr",	     FILE)	\
	X(6, "os.removexattr",	     FILE)
/* clang-format on */
#define AUDIT_MAX      7
#define AUDIT_NAME_LEN 24

/*
 * A call on the loop that can block and was quick: the first of its stack, or those since then, at most
 * one record a second.  The daemon makes the last one of a stack that was not seen for a while.
 */
struct ev_latent {
	struct ev_head head;
	__u64 iteration; /* of the newest */
	__u64 stack_id;
	__u64 task_id; /* of ev_task; 0: no task ran, or not known */
	__u64 first_ns, last_ns; /* when the first and the newest of them returned */
	__u64 args[3];	/* of the call that made the record, as are ret, fd and object */
	__s64 ret;
	__u32 count;
	__s32 syscall; /* number; -1: none, an audit event of the interpreter */
	__s32 fd;      /* that it worked on or made; -1: none */
	__u32 audit;   /* number of AUDIT_LIST; 0: none */
	struct ev_object object;
};
_Static_assert(sizeof(struct ev_latent) == 24 + 88 + 296, "stream ABI");

#endif
