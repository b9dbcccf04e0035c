/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "policies.h"

#include <errno.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "util.h"

/* Records of a target that ended wait for names no longer than that. */
#define KEEP_NS (60 * NSEC_PER_SEC)

struct assigned {
	UT_hash_handle hh;
	uint32_t target_id;
	int number;
	uint64_t ended_ns; /* 0: it is followed */
};

struct policies {
	const struct policy *list, *others;
	unsigned nr;
	struct assigned *assigned;
};

int policies_new(struct policies **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void forget(struct policies *policies, struct assigned *assigned)
{
	HASH_DEL(policies->assigned, assigned);
	free(assigned);
}

void policies_free(struct policies *policies)
{
	if (!policies)
		return;
	while (policies->assigned)
		forget(policies, policies->assigned);
	free(policies);
}

void policies_set(struct policies *policies, const struct policy *list, unsigned nr,
		  const struct policy *others)
{
	policies->list = list;
	policies->nr = nr;
	policies->others = others;
}

static struct assigned *find(const struct policies *policies, uint32_t target_id)
{
	struct assigned *assigned;

	HASH_FIND(hh, policies->assigned, &target_id, sizeof(target_id), assigned);
	return assigned;
}

int policies_assign(struct policies *policies, uint32_t target_id, int number)
{
	struct assigned *assigned = find(policies, target_id);

	if (!assigned) {
		assigned = calloc(1, sizeof(*assigned));
		if (!assigned)
			return -ENOMEM;
		assigned->target_id = target_id;
		HASH_ADD(hh, policies->assigned, target_id, sizeof(assigned->target_id), assigned);
		if (!assigned->hh.tbl) {
			free(assigned);
			return -ENOMEM;
		}
	}
	assigned->number = number;
	assigned->ended_ns = 0;
	return 0;
}

void policies_end(struct policies *policies, uint32_t target_id, uint64_t now_ns)
{
	struct assigned *assigned = find(policies, target_id);

	if (assigned)
		assigned->ended_ns = now_ns;
}

void policies_expire(struct policies *policies, uint64_t now_ns)
{
	struct assigned *assigned, *next;

	HASH_ITER (hh, policies->assigned, assigned, next)
		if (assigned->ended_ns && now_ns - assigned->ended_ns >= KEEP_NS)
			forget(policies, assigned);
}

const struct policy *policies_of(const struct policies *policies, uint32_t target_id)
{
	const struct assigned *assigned = find(policies, target_id);
	int number = assigned ? assigned->number : POLICY_OTHERS;

	return number >= 0 && (unsigned)number < policies->nr ? &policies->list[number]
							      : policies->others;
}

static void lower(struct rules_config *lowest, const struct rules_config *config)
{
	for (unsigned i = 0; i < RULE_MAX; i++) {
		lowest->is_enabled[i] |= config->is_enabled[i];
		lowest->limit_ns[i] = min(lowest->limit_ns[i], config->limit_ns[i]);
	}
}

void policies_lowest(const struct policies *policies, struct rules_config *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < RULE_MAX; i++)
		out->limit_ns[i] = UINT64_MAX;
	for (unsigned i = 0; i < policies->nr; i++)
		lower(out, &policies->list[i].rules);
	if (!policies->nr)
		lower(out, &policies->others->rules);
}
