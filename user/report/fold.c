/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A table of sites in sets of WAYS, each set evicting its own least recently used one.  A folded
 * finding outlives the model's iteration, so the longest of each site is kept as a copy that owns
 * all it points to.
 */
#include "fold.h"

#include <errno.h>

#include "kept.h"
#include "site_key.h"
#include "util.h"

#define WAYS	8
#define NR_SETS (FOLD_MAX_SITES / WAYS)

struct entry {
	uint64_t hash;	       /* collisions share a line budget; the ranking tells them apart */
	uint64_t used;	       /* counts uses; 0: free */
	uint64_t window_ns;    /* when its second began */
	unsigned int nr_lines; /* shown in it */
	uint64_t count, total_ns, max_ns; /* folded in it */
	struct kept *kept;		  /* the longest of them */
};

struct fold {
	struct entry entries[NR_SETS][WAYS];
	uint64_t uses;
	uint64_t due_ns; /* when the first second with something folded is over; UINT64_MAX: none */
	fold_emit *emit;
	void *context;
};

int fold_new(struct fold **out, fold_emit *emit, void *context)
{
	struct fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return -ENOMEM;
	fold->due_ns = UINT64_MAX;
	fold->emit = emit;
	fold->context = context;
	*out = fold;
	return 0;
}

void fold_free(struct fold *fold)
{
	unsigned int i;

	for (i = 0; fold && i < FOLD_MAX_SITES; i++)
		free(fold->entries[i / WAYS][i % WAYS].kept);
	free(fold);
}

/* Shows what an entry has folded, as one line. */
static void show_folded(struct fold *fold, struct entry *entry)
{
	struct breach breach = {
		.count = entry->count,
		.total_ns = entry->total_ns,
		.max_ns = entry->max_ns,
	};

	if (!entry->kept)
		return;
	breach.finding = &entry->kept->finding;
	breach.asleep_by_cause = entry->kept->asleep_by_cause;
	fold->emit(fold->context, &breach);
	free(entry->kept);
	entry->kept = NULL;
	entry->count = entry->total_ns = entry->max_ns = 0;
}

/* Quick calls come in numbers. */
static uint64_t count_of(const struct finding *finding)
{
	return finding->is_latent ? finding->calls : 1;
}

void fold_show(struct fold *fold, struct finding *finding)
{
	uint64_t by_cause[CAUSE_MAX];
	struct breach breach = {
		.finding = finding,
		.count = count_of(finding),
		.total_ns = finding->duration_ns,
		.max_ns = finding->duration_ns,
		.asleep_by_cause = by_cause,
	};

	rules_describe(finding);
	rules_asleep_by_cause(finding->iteration, by_cause);
	fold->emit(fold->context, &breach);
}

static int fold_into(struct fold *fold, struct entry *entry, struct finding *finding)
{
	if (!entry->kept || finding->duration_ns > entry->max_ns) {
		struct kept *kept = kept_new(finding);

		if (!kept)
			return -ENOMEM;
		free(entry->kept);
		entry->kept = kept;
	}
	entry->count += count_of(finding);
	entry->total_ns += finding->duration_ns;
	entry->max_ns = max(entry->max_ns, finding->duration_ns);
	fold->due_ns = min(fold->due_ns, entry->window_ns + FOLD_WINDOW_NS);
	return 0;
}

/* What a finding is folded with: its site; without one, its loop. */
static uint64_t hash_of(const struct finding *finding)
{
	const struct ev_loop *loop = &finding->iteration->loop->info;
	struct site_key key;

	site_key_of(finding, &key);
	if (!finding->stack || finding->site < 0)
		key.hash ^= ((uint64_t)loop->head.target_id << 32 | loop->head.loop_id) *
			    0x9e3779b97f4a7c15ULL;
	return key.hash;
}

static struct entry *find_entry(struct fold *fold, uint64_t hash, uint64_t now_ns)
{
	struct entry *set = fold->entries[hash % NR_SETS], *oldest = set;
	unsigned int i;

	for (i = 0; i < WAYS; i++) {
		if (set[i].used && set[i].hash == hash)
			return &set[i];
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	show_folded(fold, oldest);
	*oldest = (struct entry){ .hash = hash, .window_ns = now_ns };
	return oldest;
}

int fold_add(struct fold *fold, struct finding *finding, uint64_t now_ns)
{
	struct entry *entry;

	fold_flush(fold, now_ns);
	entry = find_entry(fold, hash_of(finding), now_ns);
	entry->used = ++fold->uses;
	if (now_ns - entry->window_ns >= FOLD_WINDOW_NS) {
		entry->window_ns = now_ns;
		entry->nr_lines = 0;
	}
	if (entry->nr_lines >= (finding->is_latent ? 1 : FOLD_MAX_LINES))
		return fold_into(fold, entry, finding);
	entry->nr_lines++;
	fold_show(fold, finding);
	return 0;
}

void fold_flush(struct fold *fold, uint64_t now_ns)
{
	unsigned int i;

	if (now_ns < fold->due_ns)
		return;
	fold->due_ns = UINT64_MAX;
	for (i = 0; i < FOLD_MAX_SITES; i++) {
		struct entry *entry = &fold->entries[i / WAYS][i % WAYS];

		if (!entry->kept)
			continue;
		if (now_ns - entry->window_ns < FOLD_WINDOW_NS) {
			fold->due_ns = min(fold->due_ns, entry->window_ns + FOLD_WINDOW_NS);
			continue;
		}
		/* The line that shows them is the first of the next second. */
		show_folded(fold, entry);
		entry->window_ns = now_ns;
		entry->nr_lines = 1;
	}
}

void fold_finish(struct fold *fold)
{
	unsigned int i;

	for (i = 0; i < FOLD_MAX_SITES; i++)
		show_folded(fold, &fold->entries[i / WAYS][i % WAYS]);
}
