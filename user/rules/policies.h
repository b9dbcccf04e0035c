/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which rules hold for which target, and what it is labelled with: a service's configuration may
 * say so by target; everybody else has one policy for all.  Pure.
 */
#ifndef POLICIES_H
#define POLICIES_H

#include "rules.h"

#define POLICY_MAX_LABELS 8
#define POLICY_LABEL_LEN  48
#define POLICY_VALUE_LEN  128

struct policy {
	struct rules_config rules;
	uint64_t lines_per_second; /* of one target */
	/* Names as Prometheus has them; values are UTF-8, not yet safe for anything. */
	struct policy_label {
		char name[POLICY_LABEL_LEN], value[POLICY_VALUE_LEN];
	} labels[POLICY_MAX_LABELS];
	unsigned nr_labels;
};

#define POLICY_OTHERS (-1) /* in place of a number: of all that no list is about */

struct policies;

int policies_new(struct policies **out);
void policies_free(struct policies *policies);
/*
 * From now on: policies by number, and that of all others.  They are the caller's and stay until
 * the next call. What was assigned keeps its number; whose number is past the list is one of the
 * others.
 */
void policies_set(struct policies *policies, const struct policy *list, unsigned nr,
		  const struct policy *others);
/* A target has that number from now on. 0 or -ENOMEM. */
int policies_assign(struct policies *policies, uint32_t target_id, int number);
/* Nobody follows it any more; what is still said of it is said by its policy, for a minute. */
void policies_end(struct policies *policies, uint32_t target_id, uint64_t now_ns);
/* Forgets those that ended long enough ago. */
void policies_expire(struct policies *policies, uint64_t now_ns);

/* Never NULL. */
const struct policy *policies_of(const struct policies *policies, uint32_t target_id);

/* The least that any of them asks for: what is below its limits breaks no rule of anybody. */
void policies_lowest(const struct policies *policies, struct rules_config *out);

#endif
