/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * connection-leak: connections that nobody closes.  The peer has, and this end keeps them in CLOSE_WAIT; or
 * they only ever grow in number; or the collector closes them, or the end of the process does.  Of the process
 * itself, what the collector closes that is no socket: files, pipes and the like.
 */
#include "episode.h"
#include "rule.h"
#include "util.h"

#define LINGER_NS (5 * NSEC_PER_SEC)
#define GROW_NS	  (60 * NSEC_PER_SEC)

/* More than the limit have been in CLOSE_WAIT at every look for so long. */
static bool lingers(struct connection *connection, uint64_t limit)
{
	struct connection_memory *memory = &connection->memory;
	const struct ev_connection *ev = &connection->ev;

	if (ev->counts.close_wait <= limit) {
		memory->close_wait_ns = 0;
		return false;
	}
	if (!memory->close_wait_ns)
		memory->close_wait_ns = ev->head.ts_ns;
	return ev->head.ts_ns - memory->close_wait_ns >= LINGER_NS;
}

/* Within a minute more than the limit were opened, and not one ended. */
static bool grows(struct connection *connection, uint64_t limit)
{
	struct connection_memory *memory = &connection->memory;
	const struct ev_connection *ev = &connection->ev;
	bool is_past;

	if (!memory->grow_base_ns || ev->counts.closed != memory->grow_base.closed) {
		memory->grow_base_ns = ev->head.ts_ns;
		memory->grow_base = ev->counts;
		return false;
	}
	if (ev->head.ts_ns - memory->grow_base_ns < GROW_NS)
		return memory->leak.is_active && memory->leak.cause == CAUSE_GROWTH;
	is_past = ev->counts.open > memory->grow_base.open + limit;
	memory->grow_base_ns = ev->head.ts_ns;
	memory->grow_base = ev->counts;
	return is_past;
}

static enum cause cause_of(struct connection *connection, uint64_t limit)
{
	const struct connection_counts *now = &connection->ev.counts;
	const struct connection_counts *since = &connection->memory.leak.since;

	if (connection->ev.peer.kind == CONNECTION_PROCESS)
		return now->closed_by_gc - since->closed_by_gc > limit ? CAUSE_COLLECTOR : CAUSE_MAX;
	if (lingers(connection, limit))
		return CAUSE_CLOSE_WAIT;
	if (grows(connection, limit))
		return CAUSE_GROWTH;
	/* These are told once, with all that came since the telling before. */
	if (connection->is_over && now->closed_at_exit > limit)
		return CAUSE_AT_EXIT;
	if (now->closed_by_gc - since->closed_by_gc > limit)
		return CAUSE_COLLECTOR;
	return CAUSE_MAX;
}

unsigned int rule_connection_leak(const struct rules_config *config, struct connection *connection,
				  struct finding *findings, unsigned int cap)
{
	struct connection_memory *memory = &connection->memory;
	struct connection_episode *episode = &memory->leak;
	uint64_t limit = episode_limit(config, RULE_CONNECTION_LEAK, connection), since_ns;
	struct connection_counts since = episode->since;
	enum cause cause;
	unsigned int nr;

	if (!cap || connection->ev.peer.kind == CONNECTION_IN)
		return 0;
	since_ns = memory->grow_base_ns ? memory->grow_base_ns : connection->ev.head.ts_ns;
	if (!memory->first_ns)
		memory->first_ns = connection->ev.head.ts_ns;
	cause = cause_of(connection, limit);
	if (cause == CAUSE_CLOSE_WAIT)
		since_ns = memory->close_wait_ns;
	else if (cause != CAUSE_GROWTH)
		since_ns = memory->first_ns;
	nr = episode_step(config, RULE_CONNECTION_LEAK, connection, episode, cause, since_ns, &since, findings);
	/* What the collector had closed by now is told. */
	if (nr && !episode->is_active)
		episode->since = connection->ev.counts;
	return nr;
}
