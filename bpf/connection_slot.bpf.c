/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of destinations: each has a slot, made when it is seen first. */
#include "connection.bpf.h"

struct connection_scan connection_scan;
__u32 connection_window = 1;
__u32 connection_high; /* slots below it have been used */
__u32 next_serial = 1;

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
}

/* Fills a free slot, which nobody else knows until its key is there. Its number; NO_SLOT: none is free. */
static __always_inline u32 make_slot(const struct connection_key *key, const struct connection_peer *peer,
				     u32 process_slot)
{
	struct connection_slot *slot;
	u32 id, *known;

	if (bpf_map_pop_elem(&free_connection_slots, &id))
		return NO_SLOT;
	slot = slot_get(id);
	if (!slot)
		return NO_SLOT;
	clear_slot(slot);
	slot->peer = *peer;
	slot->name_hash = key->name_hash;
	slot->pid = bpf_get_current_pid_tgid() >> 32;
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

	if (!peer)
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
