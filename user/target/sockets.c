/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "netlink.h"
#include "util.h"

/* include/net/tcp_states.h, which AF_UNIX has two of */
enum { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_CLOSE_WAIT = 8, STATE_LISTEN = 10 };
#define OPEN_STATES (1u << STATE_ESTABLISHED | 1u << STATE_SYN_SENT | 1u << STATE_CLOSE_WAIT)

/* A socket that a process holds; unsorted in the order of the processes, then by inode. */
struct held {
	uint32_t inode;
	uint32_t process;
};

/* A stream of AF_UNIX without a name: what its peer is called decides. */
struct nameless {
	uint32_t peer, inode;
};

struct network {
	uint64_t id; /* inode of the namespace; 0: it may not be looked into */
	pid_t pid;   /* of one process in it */
};

struct look {
	struct held *held;
	size_t nr, room;
	struct nameless *nameless;
	size_t nr_nameless, nameless_room;
	struct socket_counts *counts;
	struct network *networks; /* by process */
	uint8_t *listening;	  /* ports of the network that is looked into, a bit each */
};

#define PORTS_BYTES (65536 / 8)

static void look_free(struct look *look)
{
	free(look->held);
	free(look->nameless);
	free(look->networks);
	free(look->listening);
}

/* Room for one more element. 0 or a negative errno. */
static int grow(void **at, size_t nr, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 1024;
	void *grown;

	if (nr < *room)
		return 0;
	grown = reallocarray(*at, wanted, size);
	if (!grown)
		return -ENOMEM;
	*at = grown;
	*room = wanted;
	return 0;
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

/* The sockets of one process. *nr_left: descriptors that may still be looked at. 1: all are there;
 * 0: not. */
static int take_sockets(struct look *look, pid_t pid, uint32_t process, unsigned *nr_left)
{
	cleanup(close_folder) DIR *folder = NULL;
	char path[40], link[40];
	struct dirent *entry;
	unsigned inode;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	if (!folder)
		return 0;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		if (!*nr_left)
			return 0;
		--*nr_left;
		len = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		if (sscanf(link, "socket:[%u]", &inode) != 1)
			continue;
		if (grow((void **)&look->held, look->nr, &look->room, sizeof(*look->held)))
			return -ENOMEM;
		look->held[look->nr++] = (struct held){ inode, process };
	}
	return 1;
}

static uint64_t network_of(pid_t pid)
{
	struct stat network;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &network) ? 0 : network.st_ino;
}

static int by_inode(const void *a, const void *b)
{
	const struct held *left = a, *right = b;

	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return (left->process > right->process) - (left->process < right->process);
}

/* Sorts them, and leaves one of those that a process holds by several descriptors. */
static void sort_held(struct look *look)
{
	size_t nr = 0;

	if (!look->nr)
		return;
	qsort(look->held, look->nr, sizeof(*look->held), by_inode);
	for (size_t i = 1; i < look->nr; i++)
		if (by_inode(&look->held[i], &look->held[nr]))
			look->held[++nr] = look->held[i];
	look->nr = nr + 1;
}

/* The first holder of a socket. NULL: it is none of theirs. */
static const struct held *holders(const struct look *look, uint32_t inode)
{
	size_t from = 0, to = look->nr;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (look->held[middle].inode < inode)
			from = middle + 1;
		else
			to = middle;
	}
	return from < look->nr && look->held[from].inode == inode ? &look->held[from] : NULL;
}

enum way { OUTBOUND, INBOUND, LISTENING };

static void count_socket(struct look *look, uint32_t inode, enum way way)
{
	const struct held *each = holders(look, inode), *end = look->held + look->nr;

	for (; each && each < end && each->inode == inode; each++) {
		struct socket_counts *counts = &look->counts[each->process];

		counts->outbound += way == OUTBOUND;
		counts->inbound += way == INBOUND;
		counts->listening += way == LISTENING;
	}
}

static int on_tcp(void *ctx, const void *message, size_t bytes)
{
	const struct inet_diag_msg *socket = message;
	struct look *look = ctx;
	uint16_t port;

	if (bytes < sizeof(*socket))
		return -EPROTO;
	port = ntohs(socket->id.idiag_sport);
	if (socket->idiag_state == STATE_LISTEN) {
		look->listening[port / 8] |= (uint8_t)(1u << port % 8);
		count_socket(look, socket->idiag_inode, LISTENING);
	} else {
		count_socket(look, socket->idiag_inode,
			     look->listening[port / 8] >> port % 8 & 1 ? INBOUND : OUTBOUND);
	}
	return 0;
}

#define NO_PEER UINT32_MAX /* the other end is gone, and what it was is not known any more */

/* Whether it has a name; and the inode of its other end, 0: one that nobody has accepted yet. */
static bool read_unix(const struct unix_diag_msg *socket, size_t bytes, uint32_t *peer)
{
	size_t at = NETLINK_ALIGNED(sizeof(*socket));
	struct netlink_attribute attribute;
	bool is_named = false;

	*peer = NO_PEER;
	while (netlink_attribute(socket, bytes, &at, &attribute)) {
		if (attribute.type == UNIX_DIAG_NAME)
			is_named = attribute.bytes > 0;
		if (attribute.type == UNIX_DIAG_PEER && attribute.bytes >= sizeof(*peer))
			memcpy(peer, attribute.data, sizeof(*peer));
	}
	return is_named;
}

static int on_unix(void *ctx, const void *message, size_t bytes)
{
	const struct unix_diag_msg *socket = message;
	struct look *look = ctx;
	bool is_named;
	uint32_t peer;

	if (bytes < sizeof(*socket))
		return -EPROTO;
	if ((socket->udiag_type != SOCK_STREAM && socket->udiag_type != SOCK_SEQPACKET) ||
	    !holders(look, socket->udiag_ino))
		return 0;
	is_named = read_unix(socket, bytes, &peer);
	if (socket->udiag_state == STATE_LISTEN || is_named) {
		count_socket(look, socket->udiag_ino,
			     socket->udiag_state == STATE_LISTEN ? LISTENING : INBOUND);
		return 0;
	}
	if (peer == NO_PEER)
		return 0;
	if (!peer) {
		count_socket(look, socket->udiag_ino, OUTBOUND);
		return 0;
	}
	if (grow((void **)&look->nameless, look->nr_nameless, &look->nameless_room,
		 sizeof(*look->nameless)))
		return -ENOMEM;
	look->nameless[look->nr_nameless++] = (struct nameless){ peer, socket->udiag_ino };
	return 0;
}

static int by_peer(const void *a, const void *b)
{
	const struct nameless *left = a, *right = b;

	return (left->peer > right->peer) - (left->peer < right->peer);
}

/* The other ends of those without a name. */
static int on_unix_peer(void *ctx, const void *message, size_t bytes)
{
	const struct unix_diag_msg *socket = message;
	struct look *look = ctx;
	struct nameless wanted, *found;
	uint32_t peer;

	if (bytes < sizeof(*socket))
		return -EPROTO;
	wanted.peer = socket->udiag_ino;
	found = bsearch(&wanted, look->nameless, look->nr_nameless, sizeof(wanted), by_peer);
	if (found && read_unix(socket, bytes, &peer))
		count_socket(look, found->inode, OUTBOUND);
	return 0;
}

static int ask_tcp(struct look *look, int fd, uint8_t family, uint32_t states)
{
	struct inet_diag_req_v2 request = { .sdiag_family = family,
					    .sdiag_protocol = IPPROTO_TCP,
					    .idiag_states = states };

	return netlink_dump(fd, SOCK_DIAG_BY_FAMILY, &request, sizeof(request), on_tcp, look);
}

static int ask_unix(struct look *look, int fd, netlink_message_fn on_message)
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX,
					 .udiag_states =
						 1u << STATE_ESTABLISHED | 1u << STATE_LISTEN,
					 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER };

	return netlink_dump(fd, SOCK_DIAG_BY_FAMILY, &request, sizeof(request), on_message, look);
}

/* All sockets of the network namespace that fd was made in. */
static int ask_network(struct look *look, int fd)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int err = 0;

	memset(look->listening, 0, PORTS_BYTES);
	look->nr_nameless = 0;
	/* Who listens comes first: it tells the others apart. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; !err && i < ARRAY_SIZE(families); i++) {
			err = ask_tcp(look, fd, families[i],
				      pass ? OPEN_STATES : 1u << STATE_LISTEN);
			if (err == -ENOENT && families[i] == AF_INET6)
				err = 0; /* a kernel without it */
		}
	if (!err)
		err = ask_unix(look, fd, on_unix);
	if (err || !look->nr_nameless)
		return err;
	qsort(look->nameless, look->nr_nameless, sizeof(*look->nameless), by_peer);
	return ask_unix(look, fd, on_unix_peer);
}

/* A socket of the network namespace of that process. Negative errno: not to be had. */
static int open_in(pid_t pid, uint64_t id, int own_fd)
{
	cleanup_close int fd = -1;
	struct stat network;
	char path[40];
	int opened;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &network))
		return -errno;
	if (network.st_ino != id)
		return -ESTALE; /* the process is another, or went elsewhere */
	if (id == network_of(getpid()))
		return netlink_open(NETLINK_SOCK_DIAG);
	if (own_fd < 0 || setns(fd, CLONE_NEWNET))
		return -EPERM;
	opened = netlink_open(NETLINK_SOCK_DIAG);
	if (setns(own_fd, CLONE_NEWNET))
		abort(); /* whatever came next would be done in somebody else's network */
	return opened;
}

static int by_network(const void *a, const void *b)
{
	const struct network *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

/* Looks into one; what cannot be had makes its processes unknown. */
static int take_network(struct look *look, const struct network *network, const uint64_t *of,
			unsigned nr, int own_fd, bool is_allowed)
{
	cleanup_close int fd = is_allowed ? open_in(network->pid, network->id, own_fd) : -EPERM;
	int err = fd < 0 ? fd : ask_network(look, fd);

	for (unsigned i = 0; err && i < nr; i++)
		if (of[i] == network->id)
			look->counts[i].is_known = false;
	return err == -ENOMEM ? err : 0;
}

static int take_networks(struct look *look, const uint64_t *of, unsigned nr)
{
	cleanup_close int own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	unsigned nr_seen = 0;
	int err = 0;

	qsort(look->networks, nr, sizeof(*look->networks), by_network);
	for (unsigned i = 0; !err && i < nr; i++) {
		if (!look->networks[i].id ||
		    (i && look->networks[i].id == look->networks[i - 1].id))
			continue;
		nr_seen++;
		err = take_network(look, &look->networks[i], of, nr, own_fd,
				   nr_seen <= SOCKETS_MAX_NETWORKS);
	}
	return err;
}

int sockets_count(const pid_t *pids, unsigned nr, struct socket_counts *counts)
{
	cleanup_free uint64_t *networks_of = calloc(nr + 1, sizeof(*networks_of));
	cleanup(look_free) struct look look = { .counts = counts };
	unsigned nr_left = SOCKETS_MAX_DESCRIPTORS;

	look.networks = calloc(nr + 1, sizeof(*look.networks));
	look.listening = malloc(PORTS_BYTES);
	if (!networks_of || !look.networks || !look.listening)
		return -ENOMEM;
	for (unsigned i = 0; i < nr; i++) {
		int got = take_sockets(&look, pids[i], i, &nr_left);

		if (got < 0)
			return got;
		networks_of[i] = network_of(pids[i]);
		look.networks[i] = (struct network){ networks_of[i], pids[i] };
		counts[i] = (struct socket_counts){ .is_known = got && networks_of[i] };
	}
	sort_held(&look);
	return take_networks(&look, networks_of, nr);
}
