/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How many connections processes hold at this moment: from their descriptors under /proc and what
 * the kernel says of sockets (sock_diag), in whatever network namespace they are.  Nothing is
 * attached.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors of all processes together that are looked at; what goes past is not known. */
#define SOCKETS_MAX_DESCRIPTORS 262144
/* Network namespaces that are looked into; likewise. */
#define SOCKETS_MAX_NETWORKS 256

/*
 * TCP that is being connected, established or in CLOSE_WAIT, and AF_UNIX streams; a socket that two
 * processes hold counts for both.  Which way a connection went is told by its own port, on which
 * somebody listens; of AF_UNIX by the name, which an accepted one has of its listening socket.
 * Pairs do not count,
 * nor streams without a name whose other end is gone.
 */
struct socket_counts {
	bool is_known;
	uint32_t outbound, inbound, listening;
};

/* Fills counts[0] to counts[nr - 1].  0 or a negative errno. */
int sockets_count(const pid_t *pids, unsigned nr, struct socket_counts *counts);

#endif
