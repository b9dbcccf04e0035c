/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * host-starved: the loop's thread could have run and the host did not let it.  Names no code, since
 * whatever line was current is not the reason.
 */
#include "rule.h"

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

unsigned int rule_host_starved(const struct rules_config *config, const struct iteration *iteration,
			       struct finding *findings, unsigned int cap)
{
	const struct ev_iteration *ev = &iteration->ev;
	uint64_t limit_ns = config->limit_ns[RULE_HOST_STARVED];
	/* Ready since the wake-up: the wait for a CPU began before the iteration did. */
	uint64_t queued_ns = ev->run_queue_ns + ev->wake_delay_ns;
	uint64_t ready_ns = ev->start_ns > ev->wake_delay_ns ? ev->start_ns - ev->wake_delay_ns : 0;
	unsigned int nr = 0;

	if (queued_ns >= limit_ns && nr < cap)
		fill(iteration, CAUSE_RUN_QUEUE, ready_ns, queued_ns, &findings[nr++]);
	if (ev->off_ns[OFF_FAULT] >= limit_ns && nr < cap)
		fill(iteration, CAUSE_PAGE_FAULT, ev->start_ns, ev->off_ns[OFF_FAULT],
		     &findings[nr++]);
	if (ev->off_ns[OFF_STOPPED] >= limit_ns && nr < cap)
		fill(iteration, CAUSE_STOPPED, ev->start_ns, ev->off_ns[OFF_STOPPED],
		     &findings[nr++]);
	return nr;
}
