/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * host-starved: the loop's thread could have run and the host did not let it, or not who had the GIL that it
 * waited for.  Names no code, since whatever line was current is not the reason.
 */
#include "rule.h"

#include <stddef.h>

#define THROTTLED_PART 3 /* of the wait */

static void fill(const struct iteration *iteration, enum cause cause, uint64_t start_ns,
		 uint64_t duration_ns, struct finding *finding)
{
	*finding = (struct finding){
		.rule = RULE_HOST_STARVED,
		.cause = cause,
		.iteration = iteration,
		.start_ns = start_ns,
		.duration_ns = duration_ns,
		.calls = 1,
		.site = -1,
		.coroutine = -1,
		.callback = -1,
		.syscall = -1,
		.fd = -1,
	};
}

/* The record that covers a time best: the latest start that is not after its own, else the earliest. */
static const struct ev_host *host_during(const struct target *target, uint64_t start_ns,
					 uint64_t end_ns)
{
	const struct ev_host *best = NULL;
	uint32_t i;

	for (i = 0; i < target->nr_hosts; i++) {
		const struct ev_host *ev = &target->hosts[i];
		bool covers = ev->since_ns <= start_ns;

		if (ev->head.ts_ns < end_ns || ev->since_ns >= end_ns)
			continue;
		if (!best || (covers ? best->since_ns > start_ns || ev->since_ns > best->since_ns :
				       ev->since_ns < best->since_ns))
			best = ev;
	}
	return best;
}

/*
 * Throttling that explains a good part of the wait is its cause: that much is certain and can be changed,
 * while a crowd can only be seen.  Else somebody else had the CPU.
 */
static void explain(struct finding *finding, uint64_t end_ns)
{
	const struct ev_host *host =
		host_during(finding->iteration->loop->target, finding->start_ns, end_ns);
	uint64_t throttled_ns;

	if (!host)
		return;
	finding->host = *host;
	throttled_ns = host->throttled_ns;
	if (iteration_is_ongoing(finding->iteration))
		throttled_ns += host->period_ns; /* what is under way is counted once it is over */
	if (host->nr_throttled && throttled_ns >= finding->duration_ns / THROTTLED_PART)
		finding->cause = CAUSE_THROTTLED;
}

unsigned int rule_host_starved(const struct rules_config *config, const struct iteration *iteration,
			       struct finding *findings, unsigned int cap)
{
	const struct ev_iteration *ev = &iteration->ev;
	uint64_t limit_ns = config->limit_ns[RULE_HOST_STARVED];
	/* Ready since the wake-up: the wait for a CPU began before the iteration did. */
	uint64_t queued_ns = ev->run_queue_ns + ev->wake_delay_ns + ev->off_ns[OFF_HOLDER_QUEUED];
	uint64_t ready_ns = ev->start_ns > ev->wake_delay_ns ? ev->start_ns - ev->wake_delay_ns : 0;
	unsigned int nr = 0;

	if (queued_ns >= limit_ns && nr < cap) {
		fill(iteration, CAUSE_RUN_QUEUE, ready_ns, queued_ns, &findings[nr]);
		explain(&findings[nr++], ev->end_ns);
	}
	if (ev->off_ns[OFF_FAULT] >= limit_ns && nr < cap)
		fill(iteration, CAUSE_PAGE_FAULT, ev->start_ns, ev->off_ns[OFF_FAULT],
		     &findings[nr++]);
	if (ev->off_ns[OFF_STOPPED] >= limit_ns && nr < cap)
		fill(iteration, CAUSE_STOPPED, ev->start_ns, ev->off_ns[OFF_STOPPED],
		     &findings[nr++]);
	return nr;
}
