/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Findings in, totals per site out, for the closing summary.  Bounded: sites past it are counted,
 * not kept. */
#ifndef RANKING_H
#define RANKING_H

#include "report.h"

#define RANKING_MAX_SITES 2048

struct ranking;
int ranking_new(struct ranking **out);
void ranking_free(struct ranking *ranking);

void ranking_add(struct ranking *ranking, const struct finding *finding);
/* The site of a quick call is that of a breach that was added: it is no news any more. */
bool ranking_knows(const struct ranking *ranking, const struct finding *latent);
/* Sorts and lends the totals, costliest first.  Nothing may be added after it. */
unsigned int ranking_sort(struct ranking *ranking, const struct site_total **sites);
/* Breaches of sites that did not fit. */
uint64_t ranking_refused(const struct ranking *ranking);

#endif
