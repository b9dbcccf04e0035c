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
/* The connection is over, its socket about to go. */
extern int unix_end(u64 sk_addr, struct connection *connection);

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

/* A socket of a target has become one of that peer. The connection; NULL: the table is full. */
static __always_inline struct connection *unix_begin(u64 sk_addr, u32 tgid, u32 target_id, u32 slot,
						     u32 class, u64 since_ns)
{
	struct connection *connection = bpf_map_lookup_elem(&unix_connections, &sk_addr);
	struct connection fresh = {};

	if (connection) /* of a socket that was there before, and whose end went unseen */
		unix_end(sk_addr, connection);
	fresh.sk_addr = sk_addr;
	fresh.place = place_of(slot, CLASS_NONE);
	fresh.tgid = tgid;
	fresh.target_id = target_id;
	fresh.since_ns = since_ns;
	fresh.owner_round = connection_scan.round;
	if (bpf_map_update_elem(&unix_connections, &sk_addr, &fresh, BPF_ANY)) {
		count(STAT_CONNECTIONS_MISSED);
		return NULL;
	}
	connection = bpf_map_lookup_elem(&unix_connections, &sk_addr);
	if (connection)
		connection_set_class(connection, class);
	return connection;
}

#endif
