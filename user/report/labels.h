/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the configuration calls a target: its labels, as JSON, as fields of the journal, as a
 * metric. */
#ifndef LABELS_H
#define LABELS_H

#include "exposition.h"
#include "json.h"
#include "metrics.h"
#include "model.h"
#include "policies.h"

/* The member "labels" of the object that is open; none where there are no policies. */
void labels_json(struct json *json, const struct policies *policies, const struct target *target);
/* The family that joins them to a worker (metrics_labels.c). */
void metrics_write_labels(const struct metrics *metrics, const struct policies *policies,
			  struct exposition *e);

#endif
