/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a socket of AF_UNIX is connected to, and its entry in the table of them. */
#ifndef CONNECTION_UNIX_BPF_H
#define CONNECTION_UNIX_BPF_H

#include "connection.bpf.h"

#define SOCK_STREAM    1
#define SOCK_SEQPACKET 5

static __always_inline u64 name_hash(const struct connection_peer *peer)
{
	u64 hash = peer->name_len;
	int i;

	for (i = 0; i < CONNECTION_NAME_LEN / 4; i++)
		hash = hash_mix(hash, *(const u32 *)&peer->name[i * 4]);
	return hash | 1;
}

/* The name that a socket is bound to. False: none. */
static __always_inline bool name_of_unix(const struct sock *sk, struct connection_peer *peer)
{
	struct unix_address *addr = sk ? BPF_CORE_READ((const struct unix_sock *)sk, addr) : NULL;
	u32 path_at = bpf_core_field_offset(struct sockaddr_un, sun_path), len;
	void *path;
	long got;

	if (!addr)
		return false;
	path = (void *)addr + bpf_core_field_offset(struct unix_address, name) + path_at;
	got = bpf_probe_read_kernel_str(peer->name, sizeof(peer->name), path);
	peer->family = AF_UNIX;
	peer->name_len = got > 0 ? got - 1 : 0;
	if (got > 1)
		return true;
	/* An abstract name: a NUL, then bytes that may be any, as many as its length says. */
	len = BPF_CORE_READ(addr, len) - path_at;
	if (!len || len > CONNECTION_NAME_LEN)
		return false;
	peer->name_len = len;
	return !bpf_probe_read_kernel(peer->name, len, path);
}

static __always_inline bool unix_is_stream(const struct sock *sk)
{
	u32 type = BPF_CORE_READ(sk, sk_type);

	return BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX &&
	       (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

/* The connection is over, its socket about to go. */
static __always_inline void unix_end(u64 sk_addr, struct connection *connection)
{
	u64 place = connection_set_class(connection, CLASS_NONE);
	struct connection_slot *slot = slot_get(place_slot(place));

	if (slot && class_is_open(place_class(place)))
		slot_note_end(slot, connection->since_ns);
	bpf_map_delete_elem(&unix_connections, &sk_addr);
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
