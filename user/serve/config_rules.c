/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which rules are looked at, from which limit on, and where not. */
#include <errno.h>
#include <string.h>

#include "config_read.h"
#include "util.h"

static int fail(char *error, const char *what)
{
	snprintf(error, YAML_ERROR_LEN, "%s", what);
	return -EINVAL;
}

typedef int read_rule(struct rules_config *to, enum rule_id id, const char *destination,
		      const struct yaml_node *node, char *error);

/* "RULE" or "RULE@DESTINATION" */
static int read_key(const struct yaml_node *map, const struct yaml_node *entry,
		    struct rules_config *to, read_rule *read, char *error)
{
	const char *at = strchr(entry->key, '@');
	char rule[64];
	enum rule_id id;

	snprintf(rule, sizeof(rule), "%.*s", at ? (int)min(at - entry->key, 63) : (int)sizeof(rule),
		 entry->key);
	if (rules_find(rule, &id))
		return fail(error, "no such rule; `loophound rules` lists them");
	if (yamltree_get(map, entry->key) != entry)
		return fail(error, "is there twice");
	return read(to, id, at ? at + 1 : NULL, entry, error);
}

static int walk_rules(const struct yaml_node *map, struct rules_config *to, read_rule *read,
		      char error[YAML_ERROR_LEN])
{
	const struct yaml_node *entry;
	int err = 0;

	if (map->type != YAML_MAP)
		return fail(error, "rules and values are expected");
	for (entry = map->first; entry && !err; entry = entry->next) {
		err = read_key(map, entry, to, read, error);
		if (err)
			yamltree_at(entry, error);
	}
	return err;
}

static int read_value(enum rule_id id, const struct yaml_node *node, uint64_t *out, char *error)
{
	int err;

	if (rules_is_about_connections(id))
		return yamltree_u64(node, 1, 1000000000, out, error);
	err = yamltree_duration_ns(node, out, error);
	return !err && !*out ? fail(error, "a limit is longer than 0") : err;
}

/* One that is there already, of all targets, is replaced. */
static int read_destination(struct rules_config *to, enum rule_id id, const char *destination,
			    const struct yaml_node *node, char *error)
{
	struct connection_peer peer;
	unsigned at = 0;
	int err;

	if (!rules_is_about_connections(id))
		return fail(error, "this rule has no limits of single destinations");
	memset(&peer, 0, sizeof(peer));
	if (!rules_parse_peer(destination, &peer))
		return fail(error,
			    "no destination; 10.0.0.5:5432, [::1]:80, /run/x.sock, @name are");
	while (at < to->nr_destinations &&
	       (to->destinations[at].rule != id ||
		memcmp(&to->destinations[at].peer, &peer, sizeof(peer)) != 0))
		at++;
	if (at == RULES_MAX_DESTINATIONS)
		return fail(error, "more than 64 limits of single destinations");
	err = read_value(id, node, &to->destinations[at].limit, error);
	if (err)
		return err;
	to->destinations[at].rule = id;
	to->destinations[at].peer = peer;
	to->nr_destinations = max(to->nr_destinations, at + 1);
	return 0;
}

static int read_limit(struct rules_config *to, enum rule_id id, const char *destination,
		      const struct yaml_node *node, char *error)
{
	return destination ? read_destination(to, id, destination, node, error)
			   : read_value(id, node, &to->limit_ns[id], error);
}

int config_read_limits(struct rules_config *to, const struct yaml_node *node,
		       char error[YAML_ERROR_LEN])
{
	return walk_rules(node, to, read_limit, error);
}

static int read_enabled(struct rules_config *to, enum rule_id id, const char *destination,
			const struct yaml_node *node, char *error)
{
	if (destination)
		return fail(error, "no such rule; `loophound rules` lists them");
	return yamltree_bool(node, &to->is_enabled[id], error);
}

int config_read_rules(struct rules_config *to, const struct yaml_node *node,
		      char error[YAML_ERROR_LEN])
{
	return walk_rules(node, to, read_enabled, error);
}

/* ---- what is silent ---- */

struct allowed {
	char file[EV_PATH_LEN], function[EV_PATH_LEN], rule[64];
};

static int read_allow_file(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return yamltree_text(node, ((struct allowed *)out)->file, EV_PATH_LEN, error);
}

static int read_allow_function(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return yamltree_text(node, ((struct allowed *)out)->function, EV_PATH_LEN, error);
}

static int read_allow_rule(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct allowed *allowed = out;
	enum rule_id id;
	int err = yamltree_text(node, allowed->rule, sizeof(allowed->rule), error);

	if (!err && rules_find(allowed->rule, &id))
		return fail(error, "no such rule; `loophound rules` lists them");
	return err;
}

static int add_allowed(struct rules_config *to, const struct allowed *allowed, char *error)
{
	bool is_site = allowed->file[0] && allowed->function[0];
	enum rule_id id;

	if (allowed->rule[0] && !allowed->file[0] && !allowed->function[0]) {
		(void)rules_find(allowed->rule, &id);
		to->is_enabled[id] = false;
		return 0;
	}
	if (!is_site || allowed->rule[0])
		return fail(error, "a site has a file and a function; a rule stands alone");
	if (to->nr_allow == RULES_MAX_ALLOW)
		return fail(error, "more than 64 sites");
	strcpy(to->allow[to->nr_allow].file, allowed->file);
	strcpy(to->allow[to->nr_allow++].function, allowed->function);
	return 0;
}

int config_read_allow(struct rules_config *to, const struct yaml_node *node,
		      char error[YAML_ERROR_LEN])
{
	static const struct yaml_field fields[] = { { "file", read_allow_file },
						    { "function", read_allow_function },
						    { "rule", read_allow_rule },
						    {} };
	const struct yaml_node *entry;

	if (node->type != YAML_LIST)
		return fail(error, "a list of sites is expected, each with file and function");
	for (entry = node->first; entry; entry = entry->next) {
		struct allowed allowed = {};
		int err = yamltree_walk(entry, fields, &allowed, error);

		if (!err)
			err = add_allowed(to, &allowed, error);
		if (err) {
			yamltree_at(entry, error);
			return err;
		}
	}
	return 0;
}

int config_read_library(struct rules_config *to, const struct yaml_node *node,
			char error[YAML_ERROR_LEN])
{
	const struct yaml_node *entry;
	int err;

	if (node->type != YAML_LIST)
		return fail(error, "a list of paths is expected");
	for (entry = node->first; entry; entry = entry->next) {
		if (to->nr_library == RULES_MAX_LIBRARY)
			return fail(error, "more than 16 paths");
		err = yamltree_text(entry, to->library[to->nr_library++], EV_PATH_LEN, error);
		if (err)
			return err;
	}
	return 0;
}
