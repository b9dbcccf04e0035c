/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a socket of AF_UNIX is connected to, and its entry in the table of them. */
#ifndef CONNECTION_UNIX_BPF_H
#define CONNECTION_UNIX_BPF_H

#include "connection.bpf.h"

#define SOCK_STREAM    1
#define SOCK_SEQPACKET 5

/* Of the name that the peer has. */
extern u64 name_hash(const struct connection_peer *peer);
/* The name that the socket at that address is bound to, into peer. 0: none. */
extern int unix_name_of(u64 sk_addr, struct connection_peer *peer);
/* By what a connection ends, as far as that is told. */
enum unix_end_by { UNIX_END_FOUND = 0, UNIX_END_CALL = 1, UNIX_END_EXIT = 2 };
/* The connection is over, its socket about to go. */
extern int unix_end(u64 sk_addr, struct connection *connection, u32 by);
/* A stream of AF_UNIX, and a descriptor of its process. */
struct unix_stream {
	u64 sk_addr; /* 0: the descriptor is none */
	u32 inode;
	s32 fd;
};

/*
 * A socket of a target has become one of that peer: its entry, which is new (1) unless the call that made it one and
 * a look met.  A stale one, of a socket that was there before and whose end went unseen, is ended.
 * owner: tgid << 32 | target_id; place: place_of() what it is to be; since_ns: as in struct connection.
 */
extern int unix_begin(const struct unix_stream *stream, u64 owner, u64 place, u64 since_ns);
/* The descriptor by which its owner will let go of it, unless one is known; and that it has none any more. */
extern int unix_descriptor_know(struct connection *connection, s32 fd);
extern int unix_descriptor_forget(struct connection *connection);

static __always_inline bool name_of_unix(const struct sock *sk, struct connection_peer *peer)
{
	return unix_name_of((u64)sk, peer);
}

static __always_inline bool unix_is_stream(const struct sock *sk)
{
	u32 type = BPF_CORE_READ(sk, sk_type);

	return BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX &&
	       (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

#endif
