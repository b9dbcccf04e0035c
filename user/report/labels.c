/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "labels.h"

void labels_json(struct json *json, const struct policies *policies, const struct target *target)
{
	const struct policy *policy;

	if (!policies)
		return;
	policy = policies_of(policies, target->info.head.target_id);
	json_object(json, "labels");
	for (unsigned i = 0; i < policy->nr_labels; i++)
		json_string(json, policy->labels[i].name, policy->labels[i].value);
	json_object_end(json);
}
