/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Attaches to tracepoints of system calls, as libbpf does, but so that letting go is quick, and a start right behind
 * it as well.  Whoever closes the last perf event of a tracepoint waits for grace periods, and meanwhile no other can
 * open or close one: 40 ms each (measured on 6.18).  So a map has the events as well: they end when the kernel frees
 * it, in a thread of its own.  The programs are out with their links.
 *
 * Whoever starts right behind such an end would wait for it.  So all are opened beside the loading of the programs:
 * those of the watch that ended are mostly not the last then, and end at once.
 */
#ifndef TRACEPOINT_H
#define TRACEPOINT_H

#include <pthread.h>
#include <stdbool.h>

#define TRACEPOINTS_MAX 11

struct bpf_link;
struct bpf_program;

struct tracepoints {
	int map_fd; /* negative: the kernel has no such map, and whoever lets go waits */
	struct tracepoints_event {
		const char *name;
		int fd; /* ours until a link has it; or a negative errno */
	} events[TRACEPOINTS_MAX];
	unsigned nr;
	pthread_t opener;
	bool is_opening;
};

void tracepoints_init(struct tracepoints *tracepoints);
/* When the links are gone: who comes last ends the events. */
void tracepoints_close(struct tracepoints *tracepoints);

/* An attempt to attach: says what it wants (names that stay), and has a thread open it while it loads its programs. */
void tracepoints_want(struct tracepoints *tracepoints, const char *name);
void tracepoints_begin(struct tracepoints *tracepoints);
/* To one that is wanted, once. NULL, and errno. The link is libbpf's. */
struct bpf_link *tracepoints_attach(struct tracepoints *tracepoints, const struct bpf_program *program,
				    const char *name);
/* The attempt is over: lets go of all that is not attached to. */
void tracepoints_end(struct tracepoints *tracepoints);

#endif
