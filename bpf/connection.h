/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the daemon reads of connections by mmap: shared by both halves, no record. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "events.h"

#define MAX_DESTINATIONS	   4096 /* of all targets; the daemon may lower it before load */
#define MAX_DESTINATIONS_OF_TARGET 1024
#define MAX_UNIX_CONNECTIONS	   65536

/* The place where connections of one process and destination are counted. */
struct connection_slot {
	__u32 target_id; /* 0: free, or not filled in yet: written last */
	__u32 serial;
	__u32 nr_places; /* CONNECTION_PROCESS: slots of this target, itself included */
	__u32 nr_to_sample; /* begun since the last sample */
	__u64 sampled_ns;
	__u64 burst_iteration; /* of which thread's which iteration nr_in_burst is */
	__u32 nr_in_burst;
	__u32 pad_burst;
	/* In one window, the even and the odd ones apart: window << 32 | value. */
	__u64 window_peak[2], window_burst[2];
	struct connection_counts counts; /* but for .open */
	struct connection_peer peer;
	__u32 process_slot; /* of the same target */
	__u32 is_released; /* by the daemon: no new connection finds it */
	__u32 pad;
	__u64 gc_closed_connections; /* CONNECTION_PROCESS: connections that the collector closed, to whomever */
	__u64 name_hash; /* as in its key */
};

/* What would be counts.open, which whoever copies them fills in. One that gets established meanwhile is not missed. */
static inline __u32 connection_open(const volatile struct connection_counts *counts)
{
	__u32 connecting = counts->connecting;

	return connecting + counts->established;
}

/*
 * What would be counts.closed_by_gc of a process, which whoever copies it fills in: the kernel half counts all that is
 * closed there, connections apart.  A close() that is under way may be in one only: it can be one less for a moment.
 */
static inline __u64 connection_closed_by_gc(const volatile struct connection_slot *slot)
{
	__u64 connections = slot->gc_closed_connections, all = slot->counts.closed_by_gc;

	return all > connections ? all - connections : 0;
}

struct connection_key {
	__u32 target_id;
	__u8 kind, family;
	__u16 port;
	__u8 addr[16];
	__u64 name_hash;
};
_Static_assert(sizeof(struct connection_key) == 32, "hashed as bytes: no padding");

/* What a look through the descriptors of a target is for. */
struct connection_scan {
	__u32 tgid;	/* the kernel's number */
	__u32 round;	/* numbers the looks; from 2 on */
	__u32 pass;	/* 0: listening sockets, 1: all others */
	__u32 nr_files; /* looked at */
	__u32 is_first; /* of this target: what it finds was there before */
};

#endif
