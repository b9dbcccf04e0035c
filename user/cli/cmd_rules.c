/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `rules`: what is looked for, from which limit on, by which evidence, and what to do about it. */
#include <string.h>

#include "commands.h"
#include "log.h"
#include "terminal.h"
#include "text.h"

#define LABEL_COLUMNS 13

static void print_fact(const char *label, const char *text)
{
	printf("  %-*s", LABEL_COLUMNS - 2, label);
	text_wrap(stdout, terminal_line(stdout), LABEL_COLUMNS, text);
	putchar('\n');
}

/* Codes are kept as "A,B"; a line can be broken between words only. */
static void print_lint(const char *codes)
{
	char text[400];
	size_t at = 0;

	for (; *codes && at + 2 < sizeof(text); codes++) {
		text[at++] = *codes;
		if (*codes == ',')
			text[at++] = ' ';
	}
	text[at] = '\0';
	print_fact("lint", text);
}

static void print_rule(const struct rule *rule)
{
	bool is_time = rule->unit == RULE_UNIT_NS;
	char limit[400];

	snprintf(limit, sizeof(limit), "%llu %s: %s",
		 (unsigned long long)(is_time ? rule->default_limit_ns / NSEC_PER_MSEC : rule->default_limit_ns),
		 is_time ? "ms" : rules_unit_name(rule->unit), rule->limit);
	printf("%s\n", rule->id);
	print_fact("guideline", rule->guideline);
	print_fact("limit", limit);
	print_fact("evidence", rule->evidence);
	print_fact("advice", rule->advice);
	if (rule->lint)
		print_lint(rule->lint);
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
