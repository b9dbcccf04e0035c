/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the kernel half has counted of connections, and what /proc says that there are. */
#ifndef COUNTED_H
#define COUNTED_H

#include "watched.h"

#include <dirent.h>
#include <sys/socket.h>

#include "destinations.h"
#include "sockets.h"

struct sums {
	uint32_t connecting, established, listening, close_wait, peak;
	uint64_t begun, completed, closed, before, failed[FAILURE_MAX];
};

static inline void sums_of(struct watch *w, uint32_t target_id, int kind, int family, struct sums *out)
{
	const struct destinations *destinations = probes_destinations(w->probes);

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < destinations_high(destinations); i++) {
		const volatile struct connection_slot *slot = destinations_slot(destinations, i);
		const volatile struct connection_counts *counts = &slot->counts;

		if (slot->target_id != target_id || slot->peer.kind != kind)
			continue;
		if (family && slot->peer.family != family)
			continue;
		out->connecting += counts->connecting;
		out->established += counts->established;
		out->listening += counts->listening;
		out->close_wait += counts->close_wait;
		out->peak += counts->peak;
		out->begun += counts->begun;
		out->completed += counts->completed;
		out->closed += counts->closed;
		out->before += counts->nr_before;
		for (int k = 0; k < FAILURE_MAX; k++)
			out->failed[k] += counts->failed[k];
	}
}

/* A round as the daemon runs it. */
static inline void look(struct watch *w, const pid_t *pids, bool is_first)
{
	struct destinations *destinations = probes_destinations(w->probes);

	if (!is_first)
		destinations_begin_round(destinations);
	for (uint32_t pass = 0; pass < 2; pass++)
		for (const pid_t *pid = pids; *pid; pid++)
			assert_int_equal(destinations_look(destinations, *pid, pass, is_first), 0);
	if (!is_first)
		assert_int_equal(destinations_sweep(destinations), 0);
}

#define LOOK(w, is_first, ...) look(w, (const pid_t[]){ __VA_ARGS__, 0 }, is_first)

#define MAX_INODES 4096

static inline unsigned inodes_of(pid_t pid, unsigned long *inodes)
{
	char path[64], link[64];
	struct dirent *entry;
	unsigned nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (len < 0 || nr == MAX_INODES)
			continue;
		link[len] = '\0';
		nr += sscanf(link, "socket:[%lu]", &inodes[nr]) == 1;
	}
	closedir(dir);
	return nr;
}

/* TCP sockets of the process in such a state, that are connected to (or, is_local, bound to) the port. */
static inline uint32_t truth(pid_t pid, unsigned state, unsigned port, bool is_local)
{
	static unsigned long inodes[MAX_INODES];
	unsigned nr = inodes_of(pid, inodes), local, remote, st;
	uint32_t found = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		char path[64], line[512];
		unsigned long inode;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/net/tcp%s", pid, v6 ? "6" : "");
		file = fopen(path, "r");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file)) {
			if (sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x %*s %*s %*s %*d %*d %lu", &local,
				   &remote, &st, &inode) != 4)
				continue;
			if (st != state || (is_local ? local : remote) != port)
				continue;
			for (unsigned i = 0; i < nr; i++)
				found += inodes[i] == inode;
		}
		fclose(file);
	}
	return found;
}

/* Of TCP and AF_UNIX together, sock_diag says what is counted, if none waits for accept(). */
static inline void check_sock_diag(struct watch *w, pid_t pid, uint32_t target_id)
{
	struct socket_counts told;
	struct sums out, in;

	assert_int_equal(sockets_count(&pid, 1, &told), 0);
	assert_true(told.is_known);
	sums_of(w, target_id, CONNECTION_OUT, 0, &out);
	sums_of(w, target_id, CONNECTION_IN, 0, &in);
	assert_int_equal(out.connecting + out.established, told.outbound);
	assert_int_equal(in.connecting + in.established, told.inbound);
}

#define ESTABLISHED 1
#define SYN_SENT    2
#define CLOSE_WAIT  8
#define LISTEN	    10

static inline unsigned child_number(struct child *child)
{
	return (unsigned)strtoul(child_line(child), NULL, 10);
}

/*
 * Streams of AF_UNIX of the process that are connected: accepted ones, which have the name of their listening socket,
 * or (is_outbound) those without a name: pairs, too.
 */
static inline uint32_t truth_unix(pid_t pid, bool is_outbound)
{
	static unsigned long inodes[MAX_INODES];
	unsigned nr = inodes_of(pid, inodes), flags, type, state;
	uint32_t found = 0;
	char path[64], line[512], name[128];
	unsigned long inode;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/net/unix", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		int got = sscanf(line, "%*[^:]: %*x %*x %x %x %x %lu %127s", &flags, &type, &state, &inode, name);

		if (got < 4 || type != SOCK_STREAM || state != 3 || (got == 5) == is_outbound)
			continue;
		for (unsigned i = 0; i < nr; i++)
			found += inodes[i] == inode;
	}
	fclose(file);
	return found;
}

#endif
