/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "episode.h"

#include <string.h>

#include "site.h"
#include "util.h"

static bool is_same_peer(const struct connection_peer *a, const struct connection_peer *b)
{
	if (a->family != b->family || a->port != b->port || a->name_len != b->name_len)
		return false;
	return !memcmp(a->addr, b->addr, sizeof(a->addr)) &&
	       !memcmp(a->name, b->name, min((size_t)a->name_len, sizeof(a->name)));
}

uint64_t episode_limit(const struct rules_config *config, enum rule_id rule, const struct connection *connection)
{
	for (unsigned int i = 0; i < config->nr_destinations; i++)
		if (config->destinations[i].rule == rule &&
		    is_same_peer(&config->destinations[i].peer, &connection->ev.peer))
			return config->destinations[i].limit;
	return config->limit_ns[rule];
}

static void count(const struct rules_config *config, enum rule_id rule, const struct connection *connection,
		  const struct connection_episode *episode, struct finding_connection *out)
{
	const struct connection_counts *now = &connection->ev.counts, *since = &episode->since;
	uint64_t recent = 0;

	*out = (struct finding_connection){
		.is_set = true,
		.peer = connection->ev.peer,
		.limit = episode_limit(config, rule, connection),
		.peak = episode->peak,
		.before = since->open,
		.burst = episode->burst,
		.close_wait = now->close_wait,
		.begun = now->begun - since->begun,
		.closed = now->closed - since->closed,
		.nr_short = now->nr_short - since->nr_short,
		.lifetime_ns = now->lifetime_ns - since->lifetime_ns,
		.bytes_out = now->bytes_out - since->bytes_out,
		.bytes_in = now->bytes_in - since->bytes_in,
		.segments_out = now->segments_out - since->segments_out,
		.closed_at_exit = now->closed_at_exit - since->closed_at_exit,
		.closed_by_gc = now->closed_by_gc - since->closed_by_gc,
	};
	memcpy(out->service, connection->ev.service, sizeof(out->service));
	for (int i = 0; i < FAILURE_MAX; i++)
		out->failed[i] = now->failed[i] - since->failed[i];
	for (uint32_t i = 0; i < connection->nr_sites; i++)
		recent += connection->sites[i].recent;
	if (recent)
		out->share = (double)connection->sites[0].recent / (double)recent;
}

/* False: the site is silenced. */
static bool make(const struct rules_config *config, enum rule_id rule, struct connection *connection,
		 const struct connection_episode *episode, struct finding *out)
{
	struct iteration *about = &connection->about[rule - RULE_UNBOUNDED_CONCURRENCY];
	uint64_t now_ns = connection->ev.head.ts_ns;
	struct site site = { -1, -1, -1, -1, 0 };

	*out = (struct finding){
		.rule = rule,
		.cause = episode->cause,
		.iteration = about,
		.start_ns = episode->since_ns,
		.duration_ns = now_ns > episode->since_ns ? now_ns - episode->since_ns : 0,
		.syscall = -1,
		.fd = -1,
	};
	/* Who connects has not opened what is no connection. */
	if (connection->nr_sites &&
	    !(rule == RULE_CONNECTION_LEAK && connection->ev.peer.kind == CONNECTION_PROCESS)) {
		out->stack = connection->sites[0].stack;
		out->task = connection->sites[0].task;
		site_find(config, about->loop, out->stack, &site);
	}
	out->site = site.site;
	out->coroutine = site.coroutine;
	out->callback = site.callback;
	out->nr_library = site.nr_library;
	count(config, rule, connection, episode, &out->connection);
	out->calls = (uint32_t)min(out->connection.begun, (uint64_t)UINT32_MAX);
	about->ev.start_ns = about->ev.end_ns = out->start_ns;
	about->ev.end = episode->is_active ? ITERATION_UNDER_WAY : ITERATION_WAIT;
	return site.site < 0 || !site_is_allowed(config, &out->stack->frames[site.site]);
}

unsigned int episode_step(const struct rules_config *config, enum rule_id rule, struct connection *connection,
			  struct connection_episode *episode, enum cause cause, uint64_t since_ns,
			  const struct connection_counts *since, struct finding *out)
{
	bool is_past = cause != CAUSE_MAX, was_past = episode->is_active;

	if (is_past && !was_past) {
		*episode = (struct connection_episode){
			.is_active = true, .cause = cause, .since_ns = since_ns, .since = *since,
		};
	}
	if (is_past) {
		episode->peak = max(episode->peak, (uint32_t)connection->ev.window_peak);
		episode->burst = max(episode->burst, (uint32_t)connection->ev.window_burst);
	}
	if (is_past == was_past && !connection->is_over)
		return 0;
	if (!is_past && !was_past)
		return 0;
	episode->is_active = is_past && !connection->is_over;
	return make(config, rule, connection, episode, out);
}
