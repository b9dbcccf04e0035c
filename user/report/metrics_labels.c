/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Labels of the configuration, on a metric of their own: series of others do not change with them.
 */
#include "labels.h"
#include "metrics_rows.h"

void metrics_write_labels(const struct metrics *metrics, const struct policies *policies,
			  struct exposition *e)
{
	const struct worker_row *worker;

	exposition_family(e, "target_labels", EXPOSITION_INFO,
			  "What the configuration calls the process behind a worker.");
	TAILQ_FOREACH(worker, &metrics->workers, in)
	{
		const struct policy *policy = policies_of(policies, worker->target_id);

		if (!worker->target_id || worker == metrics->other || !policy->nr_labels)
			continue;
		metrics_begin_worker(e, worker);
		for (unsigned i = 0; i < policy->nr_labels; i++)
			exposition_label(e, policy->labels[i].name, policy->labels[i].value);
		exposition_u64(e, 1);
	}
}
