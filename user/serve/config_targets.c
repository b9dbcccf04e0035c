/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is watched, and what holds for whom: the list `targets`. */
#include <errno.h>
#include <string.h>

#include "config_read.h"
#include "util.h"

static int fail(char *error, const char *what)
{
	snprintf(error, YAML_ERROR_LEN, "%s", what);
	return -EINVAL;
}

struct entry {
	struct selector *selector;
	struct policy *policy;
	bool has_policy; /* it says something that holds for a process that is watched */
};

/* An empty text would be one that anything fits. */
static int read_text(const struct yaml_node *node, char *out, size_t size, char *error)
{
	int err = yamltree_text(node, out, size, error);

	return !err && !out[0] ? fail(error, "is empty; leave it out for any") : err;
}

#define SELECTOR(member)                                                                   \
	static int read_##member(void *out, const struct yaml_node *node,                  \
				 char error[YAML_ERROR_LEN])                               \
	{                                                                                  \
		struct selector *selector = ((struct entry *)out)->selector;               \
		return read_text(node, selector->member, sizeof(selector->member), error); \
	}

SELECTOR(unit)
SELECTOR(user_unit)
SELECTOR(container)
SELECTOR(pod)
SELECTOR(name)

static int read_exe(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct selector *selector = ((struct entry *)out)->selector;
	int err = read_text(node, selector->exe, sizeof(selector->exe), error);

	if (!err && !strchr("/*?[", selector->exe[0]))
		return fail(error,
			    "a path from the root or a pattern is expected, as /srv/*/bin/python*");
	return err;
}

static int read_cgroup(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct selector *selector = ((struct entry *)out)->selector;
	int err = read_text(node, selector->cgroup, sizeof(selector->cgroup), error);

	if (!err && selector->cgroup[0] != '/')
		return fail(error,
			    "a path from the root is expected, as /system.slice/app.service");
	return err;
}

static int read_watch(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	bool is_watched = true;
	int err = yamltree_bool(node, &is_watched, error);

	((struct entry *)out)->selector->is_excluded = !is_watched;
	return err;
}

#define POLICY(name, expression)                                                             \
	static int name(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN]) \
	{                                                                                    \
		struct policy *policy = ((struct entry *)out)->policy;                       \
		((struct entry *)out)->has_policy = true;                                    \
		return expression;                                                           \
	}

POLICY(read_limits, config_read_limits(&policy->rules, node, error))
POLICY(read_rules, config_read_rules(&policy->rules, node, error))
POLICY(read_allow, config_read_allow(&policy->rules, node, error))
POLICY(read_per_second, yamltree_u64(node, 1, 100000, &policy->lines_per_second, error))

/* ---- labels ---- */

/* What metrics of a process have already, and what Prometheus adds to each. */
static bool is_taken(const char *name)
{
	static const char *const taken[] = { "process",	  "worker", "loop",  "pid",   "python",
					     "loop_kind", "usdt",   "rule",  "cause", "destination",
					     "listen",	  "reason", "state", "le",    "quantile",
					     "instance",  "job" };

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (!strcmp(name, taken[i]))
			return true;
	return false;
}

/* As Prometheus has them: letters, digits and "_", no digit first; two "_" first are its own. */
static bool is_label_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_",
			  digits[] = "0123456789";
	const char *c = name;

	if (!*c || strchr(digits, *c) || !strncmp(name, "__", 2))
		return false;
	while (*c && (strchr(letters, *c) || strchr(digits, *c)))
		c++;
	return !*c;
}

static int read_label(const struct yaml_node *map, const struct yaml_node *node,
		      struct policy *policy, char *error)
{
	struct policy_label *label;

	if (!is_label_name(node->key))
		return fail(error, "no name of a label: letters, digits and _, and no digit first");
	if (strlen(node->key) >= POLICY_LABEL_LEN)
		return fail(error, "longer than 47 characters");
	if (is_taken(node->key))
		return fail(error, "this name of a label has a meaning already");
	if (yamltree_get(map, node->key) != node)
		return fail(error, "is there twice");
	if (policy->nr_labels == POLICY_MAX_LABELS)
		return fail(error, "more than 8 labels");
	label = &policy->labels[policy->nr_labels++];
	strcpy(label->name, node->key);
	return read_text(node, label->value, sizeof(label->value), error);
}

static int read_labels(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct entry *entry = out;
	int err = 0;

	entry->has_policy = true;
	if (node->type != YAML_MAP)
		return fail(error, "names and values are expected, as team: shop");
	for (const struct yaml_node *label = node->first; label && !err; label = label->next) {
		err = read_label(node, label, entry->policy, error);
		if (err)
			yamltree_at(label, error);
	}
	return err;
}

/* ---- entries ---- */

static const struct yaml_field fields[] = {
	{ "unit", read_unit },
	{ "user_unit", read_user_unit },
	{ "container", read_container },
	{ "pod", read_pod },
	{ "exe", read_exe },
	{ "name", read_name },
	{ "cgroup", read_cgroup },
	{ "watch", read_watch },
	{ "limits", read_limits },
	{ "rules", read_rules },
	{ "allow", read_allow },
	{ "per_second", read_per_second },
	{ "labels", read_labels },
	{},
};

static int read_entry(struct serve_config *config, const struct yaml_node *node, char *error)
{
	struct entry entry = { .selector = &config->selection.selectors[config->selection.nr],
			       .policy = &config->policies[config->selection.nr] };
	int err;

	*entry.policy = config->others;
	err = node->type == YAML_MAP ? yamltree_walk(node, fields, &entry, error)
				     : fail(error, "keys and values are expected");
	if (!err && entry.selector->is_excluded && entry.has_policy)
		err = fail(error,
			   "what is not watched has no limits, rules, allow, per_second or labels");
	if (err)
		yamltree_at(node, error);
	else
		config->selection.nr++;
	return err;
}

int config_read_targets(struct serve_config *config, const struct yaml_node *node,
			char error[YAML_ERROR_LEN])
{
	const struct yaml_node *entry;
	bool has_watched = false;
	unsigned nr = 0;
	int err = 0;

	for (entry = node->first; entry; entry = entry->next)
		nr++;
	if (!nr)
		return fail(error, "is empty; leave it out to watch all");
	if (nr > SELECTION_MAX)
		return fail(error, "more than 64 entries");
	config->selection.selectors = calloc(nr, sizeof(*config->selection.selectors));
	config->policies = calloc(nr, sizeof(*config->policies));
	if (!config->selection.selectors || !config->policies)
		return fail(error, "no memory");
	for (entry = node->first; entry && !err; entry = entry->next)
		err = read_entry(config, entry, error);
	for (unsigned i = 0; i < config->selection.nr; i++)
		has_watched |= !config->selection.selectors[i].is_excluded;
	if (!err && !has_watched)
		return fail(error, "watches nobody; end it with an entry {} for all others");
	return err;
}
