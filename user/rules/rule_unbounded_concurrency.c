/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * unbounded-concurrency: more connections to one destination at the same time than its limit, or half as
 * many begun in one iteration of the loop, which is a gather over a list.  The latter also of a process and
 * all its destinations together, as a crawler has.
 *
 * A pool begins as many as it has room for at once, and no more: it is held to the limit only.
 */
#include <string.h>

#include "episode.h"
#include "rule.h"
#include "util.h"

/* Parts of the files that pools of connections are in. */
static const char *const pools[] = {
	"/aiohttp/connector.py", "/httpcore/",	   "/asyncpg/pool.py", "/aiomysql/pool.py", "/aiopg/pool.py",
	"/psycopg_pool/",	 "/redis/asyncio/", "/urllib3/",       "/sqlalchemy/pool/",
};

static bool is_pool(const struct stack *stack)
{
	for (uint32_t i = 0; i < stack->nr; i++)
		for (size_t k = 0; k < ARRAY_SIZE(pools); k++)
			if (strstr(stack->frames[i].file, pools[k]))
				return true;
	return false;
}

/*
 * Whether the task that connects does nothing else, as asyncpg's and anyio's, and who waits for it is not known: it
 * was made by a library, and a pool may be behind it, as httpx's is.  What programs call has a coroutine of its own
 * around that, open_connection() for one.
 */
static bool is_own_task(const struct stack *stack)
{
	const struct frame *outermost = NULL;

	for (uint32_t i = 0; i < stack->nr; i++)
		if (stack->frames[i].is_coroutine)
			outermost = &stack->frames[i];
	if (!outermost)
		return false;
	if (strstr(outermost->file, "/anyio/_core/_sockets.py"))
		return true;
	if (strstr(outermost->file, "/asyncpg/"))
		return !strcmp(outermost->name, "_create_ssl_connection");
	return strstr(outermost->file, "/asyncio/") &&
	       (!strcmp(outermost->name, "create_connection") ||
		!strcmp(outermost->name, "create_unix_connection"));
}

/* Nobody knows where a socket that could not be made was to be connected to. */
static bool ran_out(const struct connection *connection)
{
	return connection->ev.counts.failed[FAILURE_DESCRIPTORS] >
	       connection->previous.counts.failed[FAILURE_DESCRIPTORS];
}

static enum cause cause_of(const struct rules_config *config, const struct connection *connection)
{
	const struct ev_connection *ev = &connection->ev;
	uint64_t limit = episode_limit(config, RULE_UNBOUNDED_CONCURRENCY, connection);
	const struct stack *stack;

	if (ev->peer.kind == CONNECTION_IN)
		return CAUSE_MAX;
	if (ev->window_peak > limit)
		return CAUSE_CONCURRENT;
	if (ev->window_burst <= limit / 2)
		return CAUSE_MAX;
	/* One destination that did it alone is told of as itself, but what had no descriptor is of the process. */
	if (ev->peer.kind == CONNECTION_PROCESS && connection->other_burst > limit / 2 && !ran_out(connection))
		return CAUSE_MAX;
	if (!connection->nr_sites)
		return CAUSE_ITERATION;
	stack = connection->sites[0].stack;
	return is_pool(stack) || is_own_task(stack) ? CAUSE_MAX : CAUSE_ITERATION;
}

unsigned int rule_unbounded_concurrency(const struct rules_config *config, struct connection *connection,
					struct finding *findings, unsigned int cap)
{
	enum cause cause = cause_of(config, connection);

	if (!cap)
		return 0;
	return episode_step(config, RULE_UNBOUNDED_CONCURRENCY, connection, &connection->memory.concurrency,
			    cause, connection->previous.head.ts_ns, &connection->previous.counts, findings);
}
