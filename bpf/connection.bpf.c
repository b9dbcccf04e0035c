/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP connections as they change their state.  A connect and a listen run in their process, and make the
 * socket one of a target; whatever comes later, in whoever's context, finds it by what the socket keeps.
 * A process that is no target pays a byte for a connect, and for all else a look whether the socket has a storage.
 *
 * inet_sock_set_state runs before the state is stored.  An event can be skipped when one interrupts the
 * other's program on a CPU; the next of the socket makes it good, and on_tcp_destroy is the last.
 */
#include "connect.bpf.h"

#define ECONNRESET   104
#define ETIMEDOUT    110
#define EPIPE	     32

static __always_inline u32 failure_of(int err)
{
	switch (err) {
	case 0:
		return FAILURE_GIVEN_UP;
	case ECONNREFUSED:
		return FAILURE_REFUSED;
	case ETIMEDOUT:
		return FAILURE_TIMED_OUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return FAILURE_UNREACHABLE;
	case ECONNRESET:
	case EPIPE: /* in CLOSE_WAIT, tcp_reset() */
		return FAILURE_RESET;
	}
	return FAILURE_OTHER;
}

/* An established connection (was: ESTABLISHED or CLOSE_WAIT) is over. */
static __always_inline void note_end(struct connection *connection, const struct sock *sk, u32 slot_id,
				     u32 was, int state)
{
	struct connection_slot *slot = slot_get(slot_id);
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	u64 out, in;
	int err;

	if (!slot || !tp)
		return;
	slot_note_end(slot, connection->since_ns);
	out = tp->bytes_sent - tp->bytes_retrans;
	in = tp->bytes_received;
	if (out) {
		__sync_fetch_and_add(&slot->counts.bytes_out, out);
		__sync_fetch_and_add(&slot->counts.segments_out, tp->data_segs_out);
	}
	if (in) /* the peer's FIN counts as a byte */
		__sync_fetch_and_add(&slot->counts.bytes_in, was == CLASS_CLOSE_WAIT ? in - 1 : in);
	err = sk->sk_err;
	if (state == TCP_CLOSE && err)
		__sync_fetch_and_add(&slot->counts.failed[failure_of(err)], 1);
	/* Only an end by this side has these states; a reset can come while anything runs. */
	if (state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK)
		note_closer(slot);
}

static __always_inline void note_established(struct connection *connection, u32 slot_id, bool is_inbound)
{
	struct connection_slot *slot = slot_get(slot_id);

	connection->since_ns = bpf_ktime_get_ns();
	if (!slot)
		return;
	if (is_inbound)
		__sync_fetch_and_add(&slot->counts.begun, 1);
	__sync_fetch_and_add(&slot->counts.completed, 1);
}

static __always_inline void note_failed(const struct sock *sk, u32 slot_id)
{
	struct connection_slot *slot = slot_get(slot_id);

	if (slot)
		__sync_fetch_and_add(&slot->counts.failed[failure_of(sk->sk_err)], 1);
}

/* What a socket that a listening one gave birth to has got from it is a place, and nothing else. */
static __always_inline void adopt_child(struct connection *connection, const struct sock *sk)
{
	if (connection->sk_addr == (u64)sk)
		return;
	connection->sk_addr = (u64)sk;
	connection->place = place_of(place_slot(connection->place), CLASS_NONE);
	connection->since_ns = 0;
	connection->owner_round = connection_scan.round;
	connection->other_round = 0;
	connection->lost_round = 0;
}

/* The socket is a target's: it has a new state. */
static __always_inline void change(struct connection *connection, const struct sock *sk, int state)
{
	u32 class = class_of_state(state), was;
	u64 place;

	if (!connection->sk_addr)
		return; /* just being made, by a look that will see its state */
	adopt_child(connection, sk);
	place = connection_set_class(connection, class);
	was = place_class(place);
	if (was == class)
		return;
	if (class == CLASS_ESTABLISHED || (class == CLASS_CLOSE_WAIT && was == CLASS_NONE))
		note_established(connection, place_slot(place), was == CLASS_NONE);
	else if (class == CLASS_NONE && was == CLASS_CONNECTING)
		note_failed(sk, place_slot(place));
	else if (class == CLASS_NONE && was != CLASS_LISTEN)
		note_end(connection, sk, place_slot(place), was, state);
}

/* As peer_of_inet(), with plain loads for IPv4: numbers cost the verifier nothing here, and a helper each else. */
static __always_inline bool peer_of_socket(const struct sock *sk, bool is_local, struct connection_peer *peer)
{
	const struct sock_common *common = &sk->__sk_common;

	if (common->skc_family != AF_INET)
		return peer_of_inet(address_of(sk), is_local, peer);
	peer->family = AF_INET;
	peer->port = is_local ? common->skc_num : __builtin_bswap16(common->skc_dport);
	*(u32 *)peer->addr = is_local ? common->skc_rcv_saddr : common->skc_daddr;
	return true;
}

/* A connect or a listen of the current process, which may be a target. */
static __always_inline void begin(struct sock *sk, u32 class)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, slot;
	struct target_entry *target = counted_target(tgid);
	struct connection_peer peer = {};
	struct connection *connection;

	if (!target)
		return;
	peer.kind = class == CLASS_LISTEN ? CONNECTION_IN : CONNECTION_OUT;
	if (!peer_of_socket(sk, class == CLASS_LISTEN, &peer))
		return;
	connection = bpf_sk_storage_get(&connections, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!connection) {
		count(STAT_CONNECTIONS_MISSED);
		return;
	}
	slot = connection_slot_find(target->target_id, &peer, 0);
	if (connection->sk_addr != (u64)sk)
		connection->place = place_of(slot, CLASS_NONE);
	connection->sk_addr = (u64)sk;
	connection->owner_round = connection_scan.round;
	connection->tgid = tgid;
	connection->target_id = target->target_id;
	connection->since_ns = 0;
	connection->lost_round = 0;
	connection_set_place(connection, place_of(slot, class));
	if (class == CLASS_CONNECTING)
		connect_begun(slot);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sk, int old_state, int state)
{
	struct connection *connection;

	/* A handshake that goes on, of who connects (both ends did at once) or of who was connected to. */
	if (state == TCP_SYN_RECV)
		return 0;
	if (state == TCP_SYN_SENT || state == TCP_LISTEN) {
		if (sk->sk_protocol == IPPROTO_TCP)
			begin(sk, class_of_state(state));
		return 0;
	}
	connection = bpf_sk_storage_get(&connections, sk, 0, 0);
	if (connection)
		change(connection, sk, state);
	return 0;
}

/* The last of a socket. All was said before, unless an event was skipped. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_tcp_destroy, struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, 0);

	if (!connection || connection->sk_addr != (u64)sk || !place_class(connection->place))
		return 0;
	count(STAT_CONNECTIONS_MISSED);
	change(connection, sk, TCP_CLOSE);
	return 0;
}
