/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Quick calls that can block (--latent): a part of the stream, included by events.h only. */
#ifndef EVLATENT_H
#define EVLATENT_H

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
	__u32 audit;   /* the audit event; 0: none */
	struct ev_object object;
};
_Static_assert(sizeof(struct ev_latent) == 24 + 88 + 296, "stream ABI");

#endif
