/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counting connections: every socket of a target has a place, which is a slot (process and
 * destination) and a class (how far it is).  Whoever learns something new about a socket exchanges its place
 * for another in one step and books the difference, so that the counters of a slot are at any time the
 * number of sockets whose place it is, whoever came first: an event, another CPU, a look at what was
 * open before.
 */
#ifndef CONNECTION_BPF_H
#define CONNECTION_BPF_H

#include "emit.bpf.h"
#include "object.bpf.h"

#include "connection.h"

enum connection_class {
	CLASS_NONE = 0, /* not connected, or not any more */
	CLASS_CONNECTING = 1,
	CLASS_ESTABLISHED = 2,
	CLASS_CLOSE_WAIT = 3, /* established, and the peer has closed its end */
	CLASS_LISTEN = 4,
};

#define IPPROTO_TCP 6

#define ENETUNREACH  101
#define ECONNREFUSED 111
#define EHOSTUNREACH 113

/* The context of tracepoints of system calls. */
struct syscall_exit {
	u64 common;
	long nr, ret;
};

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
};

#define NO_SLOT 0xffffffffu

/* A socket of a target.  TCP: in the socket's own storage, gone with it.  AF_UNIX: in a hash by its address. */
struct connection {
	u64 sk_addr;   /* whose it is: a copy that a listening socket left to its child is not the child's */
	u64 place;     /* slot << 8 | class */
	u64 since_ns;  /* established since; 0: before it was looked at */
	u32 tgid, target_id; /* that it is counted for */
	/* Looks through descriptors: the latest round in which that process, and another one, had it. */
	u32 owner_round, other_round;
	union {
		u32 doubt_round; /* TCP: in which its state was not the one of its place */
		u32 descriptor; /* AF_UNIX: its owner's, as unix_descriptors has it, and 1; 0: not known */
	};
	union {
		u32 lost_round; /* TCP: in which no target had it */
		u32 inode;	/* AF_UNIX: of its file, which tells it from an earlier one at the same address */
	};
};

struct connections_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct connection);
};

struct unix_connections_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_UNIX_CONNECTIONS);
	__type(key, u64); /* address of the socket */
	__type(value, struct connection);
};

/* By which descriptor of its owner a connection of AF_UNIX will be let go of. */
struct unix_descriptor {
	u32 tgid;
	s32 fd;
};

struct unix_descriptors_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_UNIX_CONNECTIONS);
	__type(key, struct unix_descriptor);
	__type(value, u64); /* address of the socket */
};

struct connection_keys_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_DESTINATIONS);
	__type(key, struct connection_key);
	__type(value, u32); /* slot */
};

struct connection_slots_map { /* the daemon maps it */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_DESTINATIONS);
	__type(key, u32);
	__type(value, struct connection_slot);
};

struct free_connection_slots_map { /* that were used; the daemon gives them back */
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MAX_DESTINATIONS);
	__uint(value_size, sizeof(u32));
};

struct listening_ports_map { /* (network namespace, port) of listening sockets: seen by looks */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct connection_peer);
};

extern struct connections_map connections SEC(".maps");
extern struct unix_connections_map unix_connections SEC(".maps");
extern struct unix_descriptors_map unix_descriptors SEC(".maps");
extern struct connection_keys_map connection_keys SEC(".maps");
extern struct connection_slots_map connection_slots SEC(".maps");
extern struct free_connection_slots_map free_connection_slots SEC(".maps");
extern struct listening_ports_map listening_ports SEC(".maps");

extern __u32 connection_window; /* number of the window under way; the daemon counts */
extern struct connection_scan connection_scan; /* the look that is under way, or was the last */

/* NULL: the process is no target, though it may be kept in mind as one that could become one. */
static __always_inline struct target_entry *counted_target(u32 tgid)
{
	struct target_entry *target = target_of(tgid);

	return target && target->target_id ? target : NULL;
}

static __always_inline u32 place_slot(u64 place)
{
	return place >> 8;
}

static __always_inline u32 place_class(u64 place)
{
	return place & 0xff;
}

static __always_inline u64 place_of(u32 slot, u32 class)
{
	return (u64)slot << 8 | class;
}

static __always_inline bool class_is_open(u32 class)
{
	return class == CLASS_CONNECTING || class == CLASS_ESTABLISHED || class == CLASS_CLOSE_WAIT;
}

/* The slot of that number; NULL: there is none. */
static __always_inline struct connection_slot *slot_get(u32 slot)
{
	return bpf_map_lookup_elem(&connection_slots, &slot);
}

/* The slot for a peer of a target, found or made; NO_SLOT: no room for either.  name_hash: of peer->name. */
extern int connection_slot_find(u32 target_id, const struct connection_peer *peer, u64 name_hash);

/* Raises what is at that address. */
extern int peak_raise(u32 *at, u32 value);
extern int window_raise_to(u64 *at, u64 value);

/* Raises the value of the window under way. */
static __always_inline void window_raise(u64 windows[2], u32 value)
{
	u32 window = *(volatile u32 *)&connection_window;

	window_raise_to(window & 1 ? &windows[1] : &windows[0], (u64)window << 32 | value);
}

/* Books that a socket went from one place to another. */
extern int connection_book(u64 from, u64 to);

/* Gives the socket a class and leaves it where it is counted. The place that it had; ~0: it is being moved. */
extern u64 connection_set_class(struct connection *connection, u32 class);
/* Gives the socket a place in any case. */
extern int connection_set_place(struct connection *connection, u64 place);
/* Moves the socket to another slot, whatever its class. */
extern int connection_move(struct connection *connection, u32 slot);

/* A pointer of the kernel as a number: as such the verifier lets a function of its own have it, before 6.8. */
static __always_inline u64 address_of(const void *pointer)
{
	u64 addr = 0;

	bpf_probe_read_kernel(&addr, sizeof(addr), &pointer);
	return addr;
}

/* The address of an INET socket: its peer's, or (is_local) its own. False: it is neither IPv4 nor IPv6. */
extern int peer_of_inet(u64 sk_addr, u32 is_local, struct connection_peer *peer);

/* The address that connect() is given, likewise. */
extern int peer_as_asked(u64 user_addr, struct connection_peer *peer);

static __always_inline u32 class_of_state(u32 state)
{
	switch (state) {
	case TCP_SYN_SENT:
		return CLASS_CONNECTING;
	case TCP_ESTABLISHED:
		return CLASS_ESTABLISHED;
	case TCP_CLOSE_WAIT:
		return CLASS_CLOSE_WAIT;
	case TCP_LISTEN:
		return CLASS_LISTEN;
	}
	return CLASS_NONE;
}

/* An established connection of the slot is over, that began at since_ns; 0: before it was looked at. */
static __always_inline void slot_note_end(struct connection_slot *slot, u64 since_ns)
{
	u64 life_ns;

	__sync_fetch_and_add(&slot->counts.closed, 1);
	if (!since_ns)
		return;
	life_ns = bpf_ktime_get_ns() - since_ns;
	__sync_fetch_and_add(&slot->counts.lifetime_ns, life_ns);
	if (life_ns < CONNECTION_SHORT_NS)
		__sync_fetch_and_add(&slot->counts.nr_short, 1);
}

#endif
