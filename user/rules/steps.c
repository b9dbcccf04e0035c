/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "steps.h"

uint32_t steps_of(const struct iteration *iteration, struct step steps[STEPS_MAX])
{
	uint32_t nr = 0, i, k;

	for (i = 0; i < iteration->nr_samples; i++) {
		if (iteration->samples[i].within & (IN_GC | IN_IMPORT))
			continue; /* other rules have those */
		for (k = 0; k < nr && steps[k].id != iteration->samples[i].step; k++)
			;
		if (k == STEPS_MAX)
			continue;
		if (k == nr)
			steps[nr++] = (struct step){ .id = iteration->samples[i].step };
		steps[k].nr++;
	}
	return nr;
}
