/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What rules.c expects of each rule's file. */
#ifndef RULE_H
#define RULE_H

#include <stddef.h>

#include "rules.h"

/* Writes up to cap findings, costliest first, without those that the allow-list silences. */
typedef unsigned int rule_eval(const struct rules_config *config, const struct iteration *iteration,
			       struct finding *findings, unsigned int cap);

/* The same of the latest record of a destination; see rules_eval_connection(). */
typedef unsigned int rule_eval_connection(const struct rules_config *config, struct connection *connection,
					  struct finding *findings, unsigned int cap);

/*
 * Quick calls of the iteration that can block, and that none of the nr findings so far is about: adds them
 * behind those. The new number.
 */
unsigned int rule_latent(const struct rules_config *config, const struct iteration *iteration,
			 struct finding *findings, unsigned int nr, unsigned int cap);

/* What an audit event calls itself; leaves out alone if it is none. */
void latent_describe(const struct sleep *sleep, char *out, size_t size);

rule_eval rule_blocking_call;
rule_eval rule_cpu_bound;
rule_eval rule_host_starved;
rule_eval rule_gil_wait;
rule_eval rule_loop_overload;
rule_eval rule_gc_pause;
rule_eval rule_import_on_loop;
rule_eval_connection rule_unbounded_concurrency;
rule_eval_connection rule_connection_churn;
rule_eval_connection rule_connection_leak;

/* Of gc-pause and import-on-loop, and of no other rule. */
static inline bool sample_is_within(const struct sample *sample)
{
	return sample->within & (IN_GC | IN_IMPORT);
}

#endif
