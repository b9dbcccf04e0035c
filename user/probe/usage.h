/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How full the kernel half's ring and its bounded maps are, and what its programs cost and missed.
 */
#ifndef USAGE_H
#define USAGE_H

#include <stdint.h>

struct parts;
struct usage;

/* Maps whose entries are taken out by hand; the others are arrays, or caches that forget by
 * themselves. */
enum usage_map_id {
	USAGE_TARGETS = 0,	    /* processes: targets, candidates, lineage */
	USAGE_LOOPS = 1,	    /* numbers of loop threads */
	USAGE_DESTINATIONS = 2,	    /* of connections */
	USAGE_UNIX_CONNECTIONS = 3, /* open AF_UNIX sockets that are counted */
	USAGE_MAP_MAX
};

struct usage_map {
	const char *name;
	uint64_t entries, max_entries; /* max_entries 0: it was not made */
};

struct usage_ring {
	uint64_t bytes;	     /* that wait now */
	uint64_t peak_bytes; /* the most that waited when they were taken out */
	uint64_t capacity_bytes;
};

struct usage_program {
	const char *name;
	uint64_t run_ns, runs; /* 0 unless kernel.bpf_stats_enabled */
	uint64_t missed;       /* not run: it was running already, on the same CPU */
};

/* The parts are loaded and stay longer. 0 or a negative errno. */
int usage_new(struct usage **out, const struct parts *parts, const int32_t *nr_loops);
void usage_free(struct usage *usage);

/* Before records are taken out of the ring. */
void usage_note_ring(struct usage *usage);
void usage_ring(const struct usage *usage, struct usage_ring *ring);

/*
 * Tables that must be walked to be counted are, at most every USAGE_WALK_NS: a few milliseconds if
 * they are full.
 */
#define USAGE_WALK_NS 1000000000ULL
void usage_maps(struct usage *usage, uint64_t now_ns, struct usage_map maps[USAGE_MAP_MAX]);

/* Each program that is loaded. */
typedef void (*usage_program_fn)(void *ctx, const struct usage_program *program);
void usage_programs(const struct usage *usage, usage_program_fn on_program, void *ctx);

#endif
