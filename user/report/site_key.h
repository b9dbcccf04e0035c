/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What makes two findings the same site: the identity that folding and ranking share. */
#ifndef SITE_KEY_H
#define SITE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "rules.h"

/* Points into the finding; is valid as long as that. */
struct site_key {
	uint64_t hash;
	enum rule_id rule;
	enum cause cause;
	bool is_latent;
	int32_t line;
	const char *function, *file; /* "" for a finding without a site */
};

void site_key_of(const struct finding *finding, struct site_key *out);

#endif
