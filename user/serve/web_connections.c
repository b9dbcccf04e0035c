/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "web_connections.h"

#include "util.h"

void web_connections_init(struct web_connections *connections, unsigned most)
{
	connections->nr = 0;
	connections->most = min(most, (unsigned)WEB_CONNECTIONS_MAX);
	for (unsigned i = 0; i < WEB_CONNECTIONS_MAX; i++)
		connections->rows[i].fd = -1;
}

static struct web_connection *find(struct web_connections *connections, int fd)
{
	for (unsigned i = 0; i < WEB_CONNECTIONS_MAX; i++)
		if (connections->rows[i].fd == fd)
			return &connections->rows[i];
	return NULL;
}

void web_connections_begin(struct web_connections *connections, int fd, const struct sockaddr *from,
			   uint64_t now_ns)
{
	struct web_connection *row = find(connections, -1);

	if (!row)
		return;
	*row = (struct web_connection){ .fd = fd, .since_ns = now_ns };
	web_address_of(from, &row->address);
	connections->nr++;
}

void web_connections_end(struct web_connections *connections, int fd)
{
	struct web_connection *row = fd >= 0 ? find(connections, fd) : NULL;

	if (!row)
		return;
	row->fd = -1;
	connections->nr--;
}

void web_connections_asked(struct web_connections *connections, int fd)
{
	struct web_connection *row = fd >= 0 ? find(connections, fd) : NULL;

	if (row)
		row->has_asked = true;
}

bool web_connections_is_full(const struct web_connections *connections)
{
	return connections->nr >= connections->most;
}

/* It is over, though its descriptor stays until who owns it has seen that: not to be chosen again.
 */
static int give_up(struct web_connection *row)
{
	row->since_ns = UINT64_MAX;
	return row->fd;
}

static bool is_over(const struct web_connection *row)
{
	return row->fd < 0 || row->since_ns == UINT64_MAX;
}

int web_connections_expired(struct web_connections *connections, uint64_t now_ns)
{
	for (unsigned i = 0; i < WEB_CONNECTIONS_MAX; i++) {
		struct web_connection *row = &connections->rows[i];
		uint64_t most_ns = row->has_asked ? WEB_CONNECTION_MAX_NS : WEB_REQUEST_MAX_NS;

		if (!is_over(row) && now_ns - row->since_ns >= most_ns)
			return give_up(row);
	}
	return -1;
}

static unsigned count_of(const struct web_connections *connections,
			 const struct web_address *address)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < WEB_CONNECTIONS_MAX; i++)
		nr += !is_over(&connections->rows[i]) &&
		      web_address_equal(&connections->rows[i].address, address);
	return nr;
}

/* How long until it may be shut for another; 0: it may. */
static uint64_t grace_left(const struct web_connection *row, uint64_t now_ns)
{
	uint64_t grace_ns = row->has_asked ? WEB_ANSWER_GRACE_NS : WEB_REQUEST_GRACE_NS;
	uint64_t age_ns = now_ns - row->since_ns;

	return age_ns >= grace_ns ? 0 : grace_ns - age_ns;
}

int web_connections_victim(struct web_connections *connections, uint64_t now_ns, uint64_t *wait_ns)
{
	struct web_connection *victim = NULL;
	unsigned nr_of_victim = 0;

	*wait_ns = WEB_ANSWER_GRACE_NS;
	for (unsigned i = 0; i < WEB_CONNECTIONS_MAX; i++) {
		struct web_connection *row = &connections->rows[i];
		uint64_t left_ns;
		unsigned nr;

		if (is_over(row))
			continue;
		left_ns = grace_left(row, now_ns);
		if (left_ns) {
			*wait_ns = min(*wait_ns, left_ns);
			continue;
		}
		nr = count_of(connections, &row->address);
		if (!victim || nr > nr_of_victim ||
		    (nr == nr_of_victim && row->since_ns < victim->since_ns)) {
			victim = row;
			nr_of_victim = nr;
		}
	}
	return victim ? give_up(victim) : -1;
}
