/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The daemon's side of counting connections: lends the slots of destinations, which the kernel half writes, gives
 * back those that are not used any more, and runs the looks through the descriptors of targets.
 */
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "connection.h"
#include "numbers.h"

struct bpf_link;
struct bpf_object;
struct destinations;
struct tracepoints;

#define DESTINATIONS_MAX_LINKS 11

/*
 * Before the kernel half is loaded: nothing of it is, no map made and no tracepoint wanted, unless it is wanted.
 * spared "": they will not load (for tests).
 */
void destinations_prepare(struct bpf_object *obj, struct tracepoints *tracepoints, bool is_wanted, const char *spared);
/*
 * Attaches all of it, and adds to the links.  Without the changes of state of TCP nothing is counted: false.
 * Without tracepoints of system calls connections of AF_UNIX are the ones that looks find.  Either is said.
 * spared: a program that is not attached, as if the kernel refused (for tests); or NULL.
 */
bool destinations_attach(struct bpf_object *obj, struct tracepoints *tracepoints, struct bpf_link **links,
			 unsigned *nr_links, const char *spared);
/* They did not load. */
void destinations_say_refused(int err);

/* What it needs of the kernel half, which is loaded and stays longer. */
struct destinations_half {
	struct bpf_object *obj;
	struct connection_scan *scan;
	uint32_t *window, *high;
	struct numbers numbers;
};

/* 0 or a negative errno. */
int destinations_new(struct destinations **out, const struct destinations_half *half, uint32_t nr_slots);
void destinations_free(struct destinations *destinations);

/* Slots [0, n) may be in use: those whose target_id is not 0. */
uint32_t destinations_high(const struct destinations *destinations);
/* A slot, which changes while it is read. */
const volatile struct connection_slot *destinations_slot(const struct destinations *destinations, uint32_t slot);
/* A new window begins. The number of the one that is over. */
uint32_t destinations_next_window(struct destinations *destinations);
/* What a slot's window_* has of a window that is over or under way; 0: it was not raised in it. */
uint32_t destinations_in_window(const volatile __u64 windows[2], uint32_t window);

/*
 * Takes a slot out of use: no new connection finds it.  To be called again, with ticks in between, until it is
 * true: nothing was counted there any more, and the slot is free.
 */
bool destinations_release(struct destinations *destinations, uint32_t slot);

/*
 * Looks at processes: a new round of looks begins; each process is looked at twice, listening sockets first
 * (pass 0, then 1); then all that none of them had is swept up, unless a look failed.  is_first: it was not looked at
 * before.  0 or a negative errno.
 */
void destinations_begin_round(struct destinations *destinations);
int destinations_look(struct destinations *destinations, pid_t pid, uint32_t pass, bool is_first);
int destinations_sweep(struct destinations *destinations);

#endif
