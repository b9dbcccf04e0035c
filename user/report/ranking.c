/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A hash table of site totals that only grows, up to its bound. */
#include "ranking.h"

#include <errno.h>
#include <string.h>

#include "site_key.h"
#include "util.h"

#define NR_SLOTS (2 * RANKING_MAX_SITES)

struct ranking {
	struct site_total sites[RANKING_MAX_SITES]; /* in order of appearance */
	uint64_t hashes[RANKING_MAX_SITES];
	uint16_t slots[NR_SLOTS]; /* index into sites plus one; 0: free */
	unsigned int nr;
	uint64_t nr_refused;
};

int ranking_new(struct ranking **out)
{
	struct ranking *ranking = calloc(1, sizeof(*ranking));

	if (!ranking)
		return -ENOMEM;
	*out = ranking;
	return 0;
}

void ranking_free(struct ranking *ranking)
{
	free(ranking);
}

/* Names longer than a total holds are compared as far as it holds them. */
static bool is_same(const struct site_total *site, const struct site_key *key)
{
	return site->rule == key->rule && site->cause == key->cause && site->line == key->line &&
	       site->is_latent == key->is_latent &&
	       !strncmp(site->function, key->function, sizeof(site->function) - 1) &&
	       !strncmp(site->file, key->file, sizeof(site->file) - 1);
}

/* Its site, or NULL and the free slot where it belongs. */
static const struct site_total *find(const struct ranking *ranking, const struct site_key *key,
				     unsigned int *slot)
{
	for (*slot = key->hash % NR_SLOTS; ranking->slots[*slot]; *slot = (*slot + 1) % NR_SLOTS) {
		unsigned int i = ranking->slots[*slot] - 1;

		if (ranking->hashes[i] == key->hash && is_same(&ranking->sites[i], key))
			return &ranking->sites[i];
	}
	return NULL;
}

bool ranking_knows(const struct ranking *ranking, const struct finding *latent)
{
	struct finding breach = *latent;
	struct site_key key;
	unsigned int slot;

	breach.is_latent = false;
	site_key_of(&breach, &key);
	return find(ranking, &key, &slot) != NULL;
}

static struct site_total *find_or_add(struct ranking *ranking, const struct site_key *key)
{
	unsigned int slot;
	struct site_total *site = (struct site_total *)find(ranking, key, &slot);

	if (site)
		return site;
	if (ranking->nr == RANKING_MAX_SITES)
		return NULL;
	ranking->hashes[ranking->nr] = key->hash;
	site = &ranking->sites[ranking->nr++];
	ranking->slots[slot] = ranking->nr;
	site->rule = key->rule;
	site->cause = key->cause;
	site->is_latent = key->is_latent;
	site->line = key->line;
	snprintf(site->function, sizeof(site->function), "%s", key->function);
	snprintf(site->file, sizeof(site->file), "%s", key->file);
	return site;
}

void ranking_add(struct ranking *ranking, const struct finding *finding)
{
	struct site_total *site;
	struct site_key key;

	site_key_of(finding, &key);
	site = find_or_add(ranking, &key);
	if (!site) {
		ranking->nr_refused++;
		return;
	}
	site->count += finding->is_latent ? finding->calls : 1;
	if (!rules_is_about_connections(finding->rule))
		site->total_ns += finding->duration_ns;
	site->max_ns = max(site->max_ns, finding->duration_ns);
}

/* Total order, so that equal input gives equal output whatever qsort() does. */
static int by_cost(const void *a, const void *b)
{
	const struct site_total *left = a, *right = b;
	int order;

	if (left->is_latent != right->is_latent)
		return left->is_latent ? 1 : -1;
	if (left->is_latent && left->count != right->count)
		return left->count < right->count ? 1 : -1;
	if (left->total_ns != right->total_ns)
		return left->total_ns < right->total_ns ? 1 : -1;
	order = strcmp(left->file, right->file);
	if (!order)
		order = (left->line > right->line) - (left->line < right->line);
	if (!order)
		order = strcmp(left->function, right->function);
	return order ? order : (int)left->cause - (int)right->cause;
}

unsigned int ranking_sort(struct ranking *ranking, const struct site_total **sites)
{
	qsort(ranking->sites, ranking->nr, sizeof(ranking->sites[0]), by_cost);
	*sites = ranking->sites;
	return ranking->nr;
}

uint64_t ranking_refused(const struct ranking *ranking)
{
	return ranking->nr_refused;
}
