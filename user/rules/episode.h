/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the rules about connections share: a time in which a limit is passed, told when it begins and when it ends. */
#ifndef EPISODE_H
#define EPISODE_H

#include "rules.h"

/* The limit of a rule for a destination. */
uint64_t episode_limit(const struct rules_config *config, enum rule_id rule, const struct connection *connection);

/*
 * The latest record is past the limit (cause), or (CAUSE_MAX) not: writes a finding when that begins, which
 * goes on, or ends.  If it begins: since_ns, with the counters of that time.  1: written to *out; 0:
 * nothing new, or the allow-list has it.
 */
unsigned int episode_step(const struct rules_config *config, enum rule_id rule, struct connection *connection,
			  struct connection_episode *episode, enum cause cause, uint64_t since_ns,
			  const struct connection_counts *since, struct finding *out);

#endif
