/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Attaches to tracepoints of system calls, as libbpf does, but so that letting go is quick.  Whoever closes the
 * last perf event of a tracepoint waits for grace periods, and meanwhile no other can: 40 ms each (measured on 6.18).
 * So a map has the events as well: they end when the kernel frees it, in a thread of its own.  The programs are out
 * with their links.
 */
#ifndef TRACEPOINT_H
#define TRACEPOINT_H

struct bpf_link;
struct bpf_program;

struct tracepoints {
	int map_fd;  /* negative: the kernel has no such map, and whoever lets go waits */
	unsigned nr; /* in it */
};

/* For so many. Its owner closes map_fd. */
void tracepoints_open(struct tracepoints *tracepoints, unsigned max);
/* NULL, and errno. The link is libbpf's. */
struct bpf_link *tracepoints_attach(struct tracepoints *tracepoints, const struct bpf_program *program,
				    const char *name);

#endif
