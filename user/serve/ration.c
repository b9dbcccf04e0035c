/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ration.h"

#include <errno.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "util.h"

#define TELL_NS NSEC_PER_SEC

struct bucket {
	double tokens;
	uint64_t at_ns; /* when there were so many; 0: full */
};

struct share {
	UT_hash_handle hh;
	uint32_t target_id, pid;
	uint64_t per_second, held;
	struct bucket bucket;
};

struct ration {
	uint64_t per_second;
	struct bucket bucket;
	struct share *shares;
	struct ration_held held;
	uint64_t held_since_ns; /* 0: nothing is held back that was not told */
};

int ration_new(struct ration **out, uint64_t per_second)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	ration_set(*out, per_second);
	return 0;
}

static void drop(struct ration *ration, struct share *share)
{
	HASH_DEL(ration->shares, share);
	free(share);
}

void ration_free(struct ration *ration)
{
	if (!ration)
		return;
	while (ration->shares)
		drop(ration, ration->shares);
	free(ration);
}

void ration_set(struct ration *ration, uint64_t per_second)
{
	ration->per_second = per_second;
	ration->bucket.at_ns = 0;
}

static void fill(struct bucket *bucket, uint64_t per_second, uint64_t now_ns)
{
	if (!bucket->at_ns)
		bucket->tokens = (double)per_second;
	else if (now_ns > bucket->at_ns)
		bucket->tokens +=
			(double)(now_ns - bucket->at_ns) / NSEC_PER_SEC * (double)per_second;
	bucket->at_ns = max(bucket->at_ns, now_ns);
	bucket->tokens = min(bucket->tokens, (double)per_second);
}

/* Its share, made if need be; NULL: no memory. */
static struct share *share_of(struct ration *ration, const struct ration_of *of)
{
	struct share *share;

	HASH_FIND(hh, ration->shares, &of->target_id, sizeof(of->target_id), share);
	if (!share) {
		share = calloc(1, sizeof(*share));
		if (!share)
			return NULL;
		share->target_id = of->target_id;
		HASH_ADD(hh, ration->shares, target_id, sizeof(share->target_id), share);
		if (!share->hh.tbl) {
			free(share);
			return NULL;
		}
	}
	share->pid = of->pid;
	share->per_second = of->per_second;
	return share;
}

static enum ration_verdict hold(struct ration *ration, uint64_t *count, uint64_t now_ns,
				enum ration_verdict why)
{
	++*count;
	if (!ration->held_since_ns)
		ration->held_since_ns = now_ns;
	return why;
}

enum ration_verdict ration_ask(struct ration *ration, const struct ration_of *of, uint64_t now_ns)
{
	struct share *share = share_of(ration, of);

	fill(&ration->bucket, ration->per_second, now_ns);
	if (share) {
		fill(&share->bucket, share->per_second, now_ns);
		if (share->bucket.tokens < 1) {
			share->held++;
			return hold(ration, &ration->held.of_target, now_ns, RATION_TARGET);
		}
	}
	if (ration->bucket.tokens < 1)
		return hold(ration, &ration->held.overall, now_ns, RATION_OVERALL);
	ration->bucket.tokens -= 1;
	if (share)
		share->bucket.tokens -= 1;
	return RATION_GIVEN;
}

static void insert_worst(struct ration_held *held, const struct share *share)
{
	unsigned at = held->nr_worst;

	while (at && held->worst[at - 1].lines < share->held)
		at--;
	if (at == RATION_WORST)
		return;
	held->nr_worst = min(held->nr_worst + 1, (unsigned)RATION_WORST);
	memmove(&held->worst[at + 1], &held->worst[at],
		(held->nr_worst - at - 1) * sizeof(held->worst[0]));
	held->worst[at].pid = share->pid;
	held->worst[at].lines = share->held;
}

bool ration_tick(struct ration *ration, uint64_t now_ns, struct ration_held *held)
{
	bool is_due = ration->held_since_ns && now_ns - ration->held_since_ns >= TELL_NS;
	struct share *share, *next;

	*held = ration->held;
	HASH_ITER (hh, ration->shares, share, next) {
		if (is_due && share->held)
			insert_worst(held, share);
		if (is_due)
			share->held = 0;
		fill(&share->bucket, share->per_second, now_ns);
		if (share->bucket.tokens >= (double)share->per_second && !share->held)
			drop(ration, share);
	}
	if (!is_due)
		return false;
	ration->held = (struct ration_held){};
	ration->held_since_ns = 0;
	return true;
}
