/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Looks through the descriptors of a target: sockets that were open before it was watched are counted, each once
 * (its place is exchanged, whatever events come meanwhile); those that another process holds by now are
 * moved to it; a change of state that was not delivered is made good, when two looks in a row have found
 * it; and connections of AF_UNIX that nobody holds any more are over.
 *
 * The daemon runs it: a round looks at each target twice, at listening sockets first, since whether a
 * connection came from outside is told by its port; then sweeps.
 */
#include "connection_unix.bpf.h"

static __always_inline u64 port_key(const struct sock *sk)
{
	return (u64)BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) << 32 |
	       BPF_CORE_READ(sk, __sk_common.skc_num);
}

/* What an INET socket that nothing is known of is connected to, or listens on. */
__noinline int connection_peer_of_unknown(u64 sk_addr, u32 class, struct connection_peer *peer)
{
	u64 key = port_key((const struct sock *)sk_addr);
	const struct connection_peer *listening;

	if (!peer)
		return 0;
	if (class == CLASS_LISTEN) {
		peer->kind = CONNECTION_IN;
		return peer_of_inet(sk_addr, true, peer);
	}
	listening = bpf_map_lookup_elem(&listening_ports, &key);
	if (listening) {
		*peer = *listening;
		return 1;
	}
	peer->kind = CONNECTION_OUT;
	return peer_of_inet(sk_addr, false, peer);
}

/* A connection that no event told of: it was there before, or is of AF_UNIX and came in since. */
__noinline int connection_note_found(u32 id, u32 class)
{
	struct connection_slot *slot = slot_get(id);

	if (!slot || !class_is_open(class))
		return 0;
	if (connection_scan.is_first || slot->peer.family != AF_UNIX) {
		__sync_fetch_and_add(&slot->counts.nr_before, 1);
		return 0;
	}
	__sync_fetch_and_add(&slot->counts.begun, 1);
	__sync_fetch_and_add(&slot->counts.completed, 1);
	return 0;
}

/* The process that is looked at holds the socket: it is that one's, if its owner has let go of it. */
__noinline int connection_check_owner(struct connection *connection, u32 target_id)
{
	u32 round = connection_scan.round, tgid = connection_scan.tgid, owner, id;
	struct target_entry *target;
	struct connection_slot *slot;

	if (!connection)
		return 0;
	owner = connection->tgid;
	if (owner == tgid && connection->target_id == target_id) {
		connection->owner_round = round;
		return 0;
	}
	connection->other_round = round;
	target = bpf_map_lookup_elem(&targets, &owner);
	if (target && target->target_id == connection->target_id && connection->owner_round + 1 >= round)
		return 0;
	slot = slot_get(place_slot(connection->place));
	if (!slot)
		return 0;
	id = connection_slot_find(target_id, &slot->peer, slot->name_hash);
	if (id == NO_SLOT)
		return 0;
	if (slot->peer.family == AF_UNIX)
		unix_descriptor_forget(connection); /* of the owner that was */
	connection->tgid = tgid;
	connection->target_id = target_id;
	connection->owner_round = round;
	connection_move(connection, id);
	return 0;
}

/* The state is not what the place says.  An event may be about to say so: only what lasts is made good. */
__noinline int connection_check_class(struct connection *connection, u32 class)
{
	u32 round = connection_scan.round;

	if (!connection || place_class(connection->place) == class)
		return 0;
	if (connection->doubt_round + 1 == round) {
		count(STAT_CONNECTIONS_MISSED);
		connection_set_class(connection, class);
	} else {
		connection->doubt_round = round;
	}
	return 0;
}

static __noinline int look_at_tcp(struct sock *sk, u32 target_id)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, 0);
	u32 state = BPF_CORE_READ(sk, __sk_common.skc_state), class = class_of_state(state), id;
	struct connection_peer peer = {};
	u64 key;

	if (connection && connection->sk_addr == (u64)sk) {
		connection_check_owner(connection, target_id);
		if (state != TCP_SYN_RECV)
			connection_check_class(connection, class);
		return 0;
	}
	if (class == CLASS_NONE || !connection_peer_of_unknown(address_of(sk), class, &peer))
		return 0;
	if (class == CLASS_LISTEN) {
		key = port_key(sk);
		bpf_map_update_elem(&listening_ports, &key, &peer, BPF_ANY);
	}
	id = connection_slot_find(target_id, &peer, 0);
	if (id == NO_SLOT)
		return 0;
	connection = bpf_sk_storage_get(&connections, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!connection) {
		count(STAT_CONNECTIONS_MISSED);
		return 0;
	}
	connection->tgid = connection_scan.tgid;
	connection->target_id = target_id;
	connection->owner_round = connection_scan.round;
	connection->place = place_of(id, CLASS_NONE);
	barrier();
	connection->sk_addr = (u64)sk;
	/* Events are taken from here on; the state is the one of now, and the next look makes sure. */
	class = class_of_state(BPF_CORE_READ(sk, __sk_common.skc_state));
	connection_note_found(id, class);
	connection_set_class(connection, class);
	return 0;
}

__noinline int connection_look_at_unix(const struct unix_stream *stream, u32 target_id)
{
	struct connection_peer peer = {};
	struct connection *connection;
	u32 class, id;
	struct sock *sk, *other;
	u64 key;

	if (!stream)
		return 0;
	key = stream->sk_addr;
	sk = (struct sock *)key;
	other = BPF_CORE_READ((struct unix_sock *)sk, peer);
	class = class_of_state(BPF_CORE_READ(sk, __sk_common.skc_state));
	if (class == CLASS_NONE)
		return 0;
	connection = bpf_map_lookup_elem(&unix_connections, &key);
	if (connection && connection->inode != stream->inode)
		connection = NULL; /* an earlier one at this address */
	peer.kind = CONNECTION_IN;
	if (!name_of_unix(sk, &peer)) {
		peer.kind = CONNECTION_OUT;
		if (!name_of_unix(other, &peer))
			return 0; /* a pair */
	}
	if (connection) {
		*unix_hint(connection_scan.tgid) = 1;
		connection_check_owner(connection, target_id);
		if (connection->tgid == connection_scan.tgid)
			unix_descriptor_know(connection, stream->fd);
		return 0;
	}
	id = connection_slot_find(target_id, &peer, name_hash(&peer));
	if (id == NO_SLOT)
		return 0;
	if (unix_begin(stream, (u64)connection_scan.tgid << 32 | target_id, place_of(id, class), 0))
		connection_note_found(id, class);
	return 0;
}

/* Nobody holds it: neither its owner nor another target had it in this round. */
static long sweep(void *map, u64 *key, struct connection *connection, void *ctx)
{
	u32 round = connection_scan.round;

	/* One that began while the round was under way has its number. */
	if (connection->owner_round < round && connection->other_round < round)
		unix_end(*key, connection, UNIX_END_FOUND);
	return 0;
}

SEC("iter/task_file")
int look_through_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct target_entry *target;
	struct socket *socket;
	struct sock *sk;
	u32 tgid = connection_scan.tgid, is_listening;
	struct unix_stream stream;

	if (!task || !file) {
		if (connection_scan.pass == 2)
			bpf_for_each_map_elem(&unix_connections, sweep, NULL, 0);
		return 0;
	}
	if (connection_scan.pass == 2 || (u32)task->tgid != tgid)
		return 0;
	connection_scan.nr_files++;
	target = counted_target(tgid);
	socket = target ? bpf_sock_from_file(file) : NULL;
	sk = socket ? socket->sk : NULL;
	if (!sk)
		return 0;
	is_listening = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
	if (is_listening != !connection_scan.pass)
		return 0;
	if (unix_is_stream(sk)) {
		stream.sk_addr = address_of(sk);
		stream.inode = BPF_CORE_READ(file, f_inode, i_ino);
		stream.fd = ctx->fd;
		connection_look_at_unix(&stream, target->target_id);
	} else if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP) {
		look_at_tcp(sk, target->target_id);
	}
	return 0;
}

/*
 * TCP, after the round: what none of the targets had in it, nor in the one before, nor in the look that finds it so
 * twice.  Its descriptor was passed to a process that is not watched, or is under way in a message; should a
 * target get it, the next look counts it as one that was open before.
 */
SEC("iter/bpf_sk_storage_map")
int look_through_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct connection *connection = sk && ctx->value ? bpf_sk_storage_get(&connections, sk, 0, 0) : NULL;
	u32 round = connection_scan.round;
	struct connection_slot *slot;
	u64 place;

	if (!connection || connection->sk_addr != (u64)sk || !place_class(connection->place))
		return 0;
	/* One that nobody has accepted has no descriptor yet. */
	if (connection->owner_round + 1 >= round || connection->other_round + 1 >= round ||
	    !BPF_CORE_READ(sk, sk_socket))
		return 0;
	if (connection->lost_round + 1 != round) {
		connection->lost_round = round;
		return 0;
	}
	place = connection_set_class(connection, CLASS_NONE);
	connection->sk_addr = 0;
	slot = slot_get(place_slot(place));
	if (slot && class_is_open(place_class(place)))
		slot_note_end(slot, 0);
	return 0;
}
