/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections of a target, counted by destination: a part of the stream, included by events.h only. */
#ifndef EVCONNECTION_H
#define EVCONNECTION_H

#define CONNECTION_NAME_LEN 108 /* sun_path */

enum connection_kind {
	CONNECTION_OUT = 0, /* begun by the target; the address is the peer's */
	CONNECTION_IN = 1,  /* came to a listening socket of the target; the address is that socket's */
	/* No address: what the process has no place of its own for, and failures before there was one. */
	CONNECTION_PROCESS = 2,
	CONNECTION_KIND_MAX
};

/* IPv4 in the first four bytes, and so is what IPv6 sockets call ::ffff:a.b.c.d. */
struct connection_peer {
	__u8 kind;   /* enum connection_kind */
	__u8 family; /* AF_INET, AF_INET6, AF_UNIX; 0: CONNECTION_PROCESS */
	__u16 port;  /* host byte order */
	__u8 addr[16];
	__u16 name_len; /* AF_UNIX: bytes of name: a path, or a NUL and any bytes */
	__u8 name[CONNECTION_NAME_LEN];
	__u8 pad[2];
};
_Static_assert(sizeof(struct connection_peer) == 132, "stream ABI");

/* How an attempt, or (reset) a connection, came to nothing. */
enum connection_failure {
	FAILURE_REFUSED = 0,
	FAILURE_TIMED_OUT = 1,
	FAILURE_UNREACHABLE = 2,
	FAILURE_GIVEN_UP = 3,	 /* closed by the program before there was an answer: its own time-out */
	FAILURE_RESET = 4,
	FAILURE_DESCRIPTORS = 5, /* no socket could be made: EMFILE, ENFILE; of the whole process */
	FAILURE_OTHER = 6,
	FAILURE_MAX
};

/*
 * All but the first line are cumulative since the destination was first seen.  A TCP connection is established
 * while its state is ESTABLISHED or CLOSE_WAIT, so from the handshake until this end closes or shuts it
 * down: what `ss` shows in these states.
 */
struct connection_counts {
	__u32 connecting, established, close_wait, listening; /* now; close_wait is a part of established */
	__u32 open;	    /* connecting + established */
	__u32 peak;	    /* of open */
	__u64 begun;	    /* attempts; inbound: connections that came */
	__u64 completed;    /* of which established */
	__u64 closed;	    /* established ones that ended */
	__u64 failed[FAILURE_MAX];
	/* Of the closed ones: */
	__u64 lifetime_ns;	  /* sum */
	__u64 nr_short;		  /* that lasted less than CONNECTION_SHORT_NS */
	__u64 bytes_out, bytes_in; /* TCP */
	__u64 segments_out;	  /* TCP: with data */
	__u64 closed_at_exit;	  /* by the kernel, when the process ended, or by its interpreter before */
	__u64 closed_by_gc;	  /* while the garbage collector ran, before that */
	__u64 nr_before;	  /* were open when they were first looked at; not in begun */
};
_Static_assert(sizeof(struct connection_counts) == 24 + 3 * 8 + FAILURE_MAX * 8 + 64, "stream ABI");

#define CONNECTION_SHORT_NS 1000000000

/* Counters of one destination; made once a second while they change, and at the end. */
struct ev_connection {
	struct ev_head head;
	__u32 serial; /* of the destination; never used again within a session */
	__u32 window_peak;  /* of open, since the record before */
	__u32 window_burst; /* most begun in one iteration of a loop likewise; CONNECTION_PROCESS: to whomever */
	__u32 is_over; /* 1: the process ended or let go of it: no more of this serial */
	struct connection_counts counts;
	struct connection_peer peer;
	char service[20]; /* name of the port, "postgresql"; empty: none is known; ended by NUL */
};
_Static_assert(sizeof(struct ev_connection) == 24 + 16 + 168 + 132 + 20, "stream ABI");

/* Who begins connections: a sample of those of one destination, some at least of each second. */
struct ev_connect {
	struct ev_head head; /* loop_id: EV_NO_LOOP: a thread that runs no loop */
	__u64 stack_id;	     /* 0: not taken */
	__u64 task_id;	     /* of ev_task; 0: no task ran, or not known */
	__u32 serial;
	__u32 weight; /* begun since the sample before, with this one */
	__u32 open;   /* of the destination, with this one */
	__u32 burst;  /* begun in this iteration of the loop so far */
	__u32 pid, tid;
	__u32 process_serial; /* of the CONNECTION_PROCESS of the same target */
	__u32 pad;
};
_Static_assert(sizeof(struct ev_connect) == 24 + 48, "stream ABI");

#endif
