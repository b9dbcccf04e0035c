/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Puts the host's evidence into the stream, right before the iteration that it explains. */
#include "engine_state.h"

void engine_note_loop(struct engine *engine, const struct ev_head *ev, uint64_t now_ns)
{
	if (ev->type == EV_LOOP)
		host_watch(engine->host, ev->target_id, (pid_t)((const struct ev_loop *)ev)->pid, now_ns);
	else if (ev->type == EV_LOOP_EXIT)
		host_unwatch(engine->host, ev->target_id);
}

void engine_feed_host(struct engine *engine, const struct ev_head *head,
		      const struct ev_iteration *iteration, uint64_t now_ns)
{
	const struct rules_config *config = engine_rules_of(engine, head->target_id);
	uint64_t delay_ns = iteration->wake_delay_ns, start_ns = iteration->start_ns;
	struct ev_host ev = {
		.head = { EV_HOST, sizeof(ev), now_ns, head->target_id, EV_NO_LOOP },
	};

	if (!config->is_enabled[RULE_HOST_STARVED] ||
	    iteration->run_queue_ns + delay_ns + iteration->off_ns[OFF_HOLDER_QUEUED] <
		    config->limit_ns[RULE_HOST_STARVED])
		return;
	host_evidence(engine->host, head->target_id, start_ns > delay_ns ? start_ns - delay_ns : 0,
		      now_ns, &ev);
	engine_feed(engine, &ev.head);
}
