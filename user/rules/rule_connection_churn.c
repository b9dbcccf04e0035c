/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * connection-churn: many connections to one destination that last less than a second each, where one that is
 * kept would do.  Looked at over five seconds; whoever passes the limit sooner is told of sooner.
 *
 * As many as were open at the same time would be needed with a session, too: a fan-out is no churn, nor is
 * what a pool closes of one because it keeps only some (httpx: 20 of 100).
 */
#include "episode.h"
#include "rule.h"
#include "util.h"

#define WINDOW_S   5
#define TIMES_PEAK 4

unsigned int rule_connection_churn(const struct rules_config *config, struct connection *connection,
				   struct finding *findings, unsigned int cap)
{
	struct connection_memory *memory = &connection->memory;
	const struct ev_connection *ev = &connection->ev;
	uint64_t nr_short, since_ns, enough = episode_limit(config, RULE_CONNECTION_CHURN, connection) * WINDOW_S;
	struct connection_counts since;
	bool is_full, is_past;

	if (!cap || ev->peer.kind != CONNECTION_OUT)
		return 0;
	if (!memory->churn_base_ns) {
		memory->churn_base_ns = connection->previous.head.ts_ns;
		memory->churn_base = connection->previous.counts;
	}
	memory->churn_peak = max(memory->churn_peak, (uint32_t)ev->window_peak);
	nr_short = ev->counts.nr_short - memory->churn_base.nr_short;
	is_past = nr_short > enough && nr_short >= (uint64_t)TIMES_PEAK * memory->churn_peak;
	is_full = is_past || ev->head.ts_ns - memory->churn_base_ns >= WINDOW_S * NSEC_PER_SEC;
	if (!is_full && !connection->is_over)
		return 0;
	since_ns = memory->churn_base_ns;
	since = memory->churn_base;
	memory->churn_base_ns = ev->head.ts_ns;
	memory->churn_base = ev->counts;
	memory->churn_peak = 0;
	return episode_step(config, RULE_CONNECTION_CHURN, connection, &memory->churn,
			    is_past ? CAUSE_SHORT_LIVED : CAUSE_MAX, since_ns, &since, findings);
}
