/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of destinations: each has a slot, made when it is seen first. And what is booked in it, by whoever. */
#include "connection.bpf.h"

struct connection_scan connection_scan;
__u32 connection_window = 1;
__u32 connection_high; /* slots below it have been used */
__u32 next_serial = 1;
__u32 next_slot; /* that was never given out */

/* Two functions and not one: the verifier takes the size of what is at the address from its type. */
#define DEFINE_RAISE(name, type)                                                                   \
	__noinline int name(type *at, type value)                                                  \
	{                                                                                          \
		type seen, got;                                                                    \
		int i;                                                                             \
                                                                                                   \
		if (!at)                                                                           \
			return 0;                                                                  \
		seen = *(volatile type *)at;                                                       \
		for (i = 0; i < 8 && seen < value; i++) {                                          \
			got = __sync_val_compare_and_swap(at, seen, value);                        \
			if (got == seen)                                                           \
				break;                                                             \
			seen = got;                                                                \
		}                                                                                  \
		return 0;                                                                          \
	}

DEFINE_RAISE(peak_raise, u32)
DEFINE_RAISE(window_raise_to, u64)

static __always_inline void clear_slot(struct connection_slot *slot)
{
	__builtin_memset(&slot->counts, 0, sizeof(slot->counts));
	slot->window_peak[0] = slot->window_peak[1] = 0;
	slot->window_burst[0] = slot->window_burst[1] = 0;
	slot->nr_places = 0;
	slot->nr_to_sample = 0;
	slot->sampled_ns = 0;
	slot->burst_iteration = 0;
	slot->nr_in_burst = 0;
	slot->is_released = 0;
	slot->gc_closed_connections = 0;
}

/* Fills a free slot, which nobody else knows until its key is there. Its number; NO_SLOT: none is free. */
static __always_inline u32 make_slot(const struct connection_key *key, const struct connection_peer *peer,
				     u32 process_slot)
{
	struct connection_slot *slot;
	u32 id, *known;

	if (id_take(&next_slot, MAX_DESTINATIONS, &free_connection_slots, &id))
		return NO_SLOT;
	slot = slot_get(id);
	if (!slot)
		return NO_SLOT;
	clear_slot(slot);
	slot->peer = *peer;
	slot->name_hash = key->name_hash;
	slot->process_slot = process_slot == NO_SLOT ? id : process_slot;
	slot->serial = __sync_fetch_and_add(&next_serial, 1);
	barrier();
	slot->target_id = key->target_id;
	peak_raise(&connection_high, id + 1);
	if (!bpf_map_update_elem(&connection_keys, key, &id, BPF_NOEXIST))
		return id;
	/* Another CPU was faster, or the table is full. */
	slot->target_id = 0;
	bpf_map_push_elem(&free_connection_slots, &id, BPF_ANY);
	known = bpf_map_lookup_elem(&connection_keys, key);
	return known ? *known : NO_SLOT;
}

static const struct connection_peer process_peer = { .kind = CONNECTION_PROCESS };

/* The slot of the process itself. */
static __always_inline u32 process_slot_of(u32 target_id)
{
	struct connection_key key = { .target_id = target_id, .kind = CONNECTION_PROCESS };
	u32 *known = bpf_map_lookup_elem(&connection_keys, &key);

	return known ? *known : make_slot(&key, &process_peer, NO_SLOT);
}

__noinline int connection_slot_find(u32 target_id, const struct connection_peer *peer, u64 name_hash)
{
	struct connection_key key = {};
	struct connection_slot *process;
	u32 *known, id, process_slot;

	if (!peer || !target_id) /* of a process that is no target (any more) */
		return NO_SLOT;
	key.target_id = target_id;
	key.kind = peer->kind;
	key.family = peer->family;
	key.port = peer->port;
	__builtin_memcpy(key.addr, peer->addr, sizeof(key.addr));
	key.name_hash = name_hash;
	known = bpf_map_lookup_elem(&connection_keys, &key);
	if (known)
		return *known;
	process_slot = process_slot_of(target_id);
	process = slot_get(process_slot);
	if (process && process->nr_places < MAX_DESTINATIONS_OF_TARGET) {
		id = make_slot(&key, peer, process_slot);
		if (id != NO_SLOT) {
			__sync_fetch_and_add(&process->nr_places, 1);
			return id;
		}
	}
	count(STAT_DESTINATIONS_REFUSED);
	return process_slot;
}

/* ---- places ---- */

/*
 * What a socket of a class is in the counters of its slot.  Those of how far it is stand two to a word, so that
 * going on is one addition: one below zero, as it is for an instant if two CPUs book a socket the other way
 * round, borrows from its neighbour and gives that back.
 */
static const struct {
	u64 open; /* connecting, established */
	u64 late; /* close_wait, listening */
} shares[8] = {
	[CLASS_CONNECTING] = { .open = 1 },
	[CLASS_ESTABLISHED] = { .open = 1ULL << 32 },
	[CLASS_CLOSE_WAIT] = { .open = 1ULL << 32, .late = 1 },
	[CLASS_LISTEN] = { .late = 1ULL << 32 },
};
#define COUNTS_AT(field) __builtin_offsetof(struct connection_counts, field)
_Static_assert(COUNTS_AT(connecting) == 0 && COUNTS_AT(established) == 4, "a word");
_Static_assert(COUNTS_AT(close_wait) == 8 && COUNTS_AT(listening) == 12, "a word");

/* A socket that is counted in the slot goes from one class to another. */
__noinline int connection_book_class(struct connection_slot *slot, u32 from, u32 to)
{
	u64 open, late, *words;
	u32 now;

	if (!slot)
		return 0;
	words = (u64 *)&slot->counts;
	from &= 7;
	to &= 7;
	open = shares[to].open - shares[from].open;
	late = shares[to].late - shares[from].late;
	if (late)
		__sync_fetch_and_add(&words[1], late);
	if (!open)
		return 0;
	open += __sync_fetch_and_add(&words[0], open);
	if (shares[from].open || !shares[to].open)
		return 0;
	now = (u32)open + (u32)(open >> 32);
	peak_raise(&slot->counts.peak, now);
	window_raise(slot->window_peak, now);
	return 0;
}

__noinline int connection_book(u64 from, u64 to)
{
	if (place_slot(from) == place_slot(to)) {
		connection_book_class(slot_get(place_slot(to)), place_class(from), place_class(to));
		return 0;
	}
	/* First what is more, then what is less: the sum over all slots is never too small. */
	connection_book_class(slot_get(place_slot(to)), CLASS_NONE, place_class(to));
	connection_book_class(slot_get(place_slot(from)), place_class(from), CLASS_NONE);
	return 0;
}

__noinline u64 connection_set_class(struct connection *connection, u32 class)
{
	u64 was, got;
	int i;

	if (!connection)
		return ~0ULL;
	was = *(volatile u64 *)&connection->place;
	for (i = 0; i < 8; i++) {
		got = __sync_val_compare_and_swap(&connection->place, was,
						  place_of(place_slot(was), class));
		if (got == was) {
			if (place_class(was) != class)
				connection_book(was, place_of(place_slot(was), class));
			return was;
		}
		was = got;
	}
	return ~0ULL;
}

__noinline int connection_set_place(struct connection *connection, u64 place)
{
	u64 was;

	if (!connection)
		return 0;
	was = __sync_lock_test_and_set(&connection->place, place);
	if (was != place)
		connection_book(was, place);
	return 0;
}

__noinline int connection_move(struct connection *connection, u32 slot)
{
	u64 was, got;
	int i;

	if (!connection)
		return 0;
	was = *(volatile u64 *)&connection->place;
	for (i = 0; i < 8; i++) {
		got = __sync_val_compare_and_swap(&connection->place, was, place_of(slot, place_class(was)));
		if (got == was) {
			if (place_slot(was) != slot)
				connection_book(was, place_of(slot, place_class(was)));
			return 0;
		}
		was = got;
	}
	return 0;
}

/* An IPv6 address that is one of IPv4 becomes that. */
static __always_inline void shorten(struct connection_peer *peer)
{
	const u32 *words = (const u32 *)peer->addr;

	if (words[0] || words[1] || words[2] != __builtin_bswap32(0xffff))
		return;
	peer->family = AF_INET;
	__builtin_memcpy(peer->addr, peer->addr + 12, 4);
	__builtin_memset(peer->addr + 4, 0, 12);
}

__noinline int peer_of_inet(u64 sk_addr, u32 is_local, struct connection_peer *peer)
{
	const struct sock *sk = (const struct sock *)sk_addr;
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family), v4;
	struct in6_addr v6;

	if (!peer || (family != AF_INET && family != AF_INET6))
		return 0;
	peer->family = family;
	peer->port = is_local ? BPF_CORE_READ(sk, __sk_common.skc_num) :
				__builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == AF_INET) {
		v4 = is_local ? BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr) :
				BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(peer->addr, &v4, sizeof(v4));
		return 1;
	}
	if (is_local)
		BPF_CORE_READ_INTO(&v6, sk, __sk_common.skc_v6_rcv_saddr);
	else
		BPF_CORE_READ_INTO(&v6, sk, __sk_common.skc_v6_daddr);
	__builtin_memcpy(peer->addr, &v6, sizeof(v6));
	shorten(peer);
	return 1;
}

__noinline int peer_as_asked(u64 user_addr, struct connection_peer *peer)
{
	struct { /* sockaddr_in, or sockaddr_in6 */
		u16 family, port;
		u32 v4;
		u8 v6[16];
	} asked;

	if (!peer || bpf_probe_read_user(&asked, 8, (void *)user_addr))
		return 0;
	peer->family = asked.family;
	peer->port = __builtin_bswap16(asked.port);
	if (asked.family == AF_INET) {
		__builtin_memcpy(peer->addr, &asked.v4, sizeof(asked.v4));
		return 1;
	}
	if (asked.family != AF_INET6 || bpf_probe_read_user(peer->addr, sizeof(peer->addr), (void *)(user_addr + 8)))
		return 0;
	shorten(peer);
	return 1;
}
