/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `rules`: what is looked for, from which limit on, by which evidence, and what to do about it. */
#include <string.h>

#include "commands.h"
#include "log.h"

static void print_rule(const struct rule *rule)
{
	printf("%s\n", rule->id);
	printf("  guideline  %s\n", rule->guideline);
	if (rule->unit == RULE_UNIT_NS)
		printf("  limit      %llu ms: %s\n",
		       (unsigned long long)(rule->default_limit_ns / NSEC_PER_MSEC), rule->limit);
	else
		printf("  limit      %llu %s: %s\n", (unsigned long long)rule->default_limit_ns,
		       rules_unit_name(rule->unit), rule->limit);
	printf("  evidence   %s\n", rule->evidence);
	printf("  advice     %s\n", rule->advice);
	if (rule->lint)
		printf("  lint       %s\n", rule->lint);
}

int cmd_rules(const struct opts *opts)
{
	enum rule_id id;

	if (opts->nr_args) {
		if (rules_find(opts->args[0], &id))
			return log_err(EXIT_USAGE, "%s: no such rule; `loophound rules` lists them",
				       opts->args[0]);
		print_rule(&rules[id]);
		return EXIT_OK;
	}
	for (unsigned i = 0; i < RULE_MAX; i++) {
		if (i)
			putchar('\n');
		print_rule(&rules[i]);
	}
	return EXIT_OK;
}
