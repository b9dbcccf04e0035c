/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The keys of the configuration, a table a section. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#define KIB 1024ULL

static const struct {
	const char *word;
	enum log_level level;
} levels[] = {
	{ "error", LOG_ERR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }
};

static const char *const sinks[] = { [SINK_STDOUT] = "stdout",
				     [SINK_FILE] = "file",
				     [SINK_JOURNAL] = "journal",
				     [SINK_NONE] = "none" };

int serve_config_level(const char *word, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(word, levels[i].word)) {
			*out = levels[i].level;
			return 0;
		}
	return -EINVAL;
}

int serve_config_sink(const char *word, enum breach_sink *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++)
		if (!strcmp(word, sinks[i])) {
			*out = (enum breach_sink)i;
			return 0;
		}
	return -EINVAL;
}

void serve_config_init(struct serve_config *config)
{
	memset(config, 0, sizeof(*config));
	snprintf(config->web.listen_address, sizeof(config->web.listen_address), "127.0.0.1:10911");
	config->web.max_connections = 64;
	config->web.max_requests_per_second = 20;
	config->log.level = LOG_INFO;
	config->breaches.to = SINK_STDOUT;
	config->breaches.max_bytes = 16 * KIB * KIB;
	config->breaches.keep = 4;
	config->breaches.per_second = 100;
	config->breaches.history = 1000;
	config->metrics = metrics_default_config;
	rules_config_init(&config->rules);
}

static int fail(char *error, const char *what)
{
	snprintf(error, YAML_ERROR_LEN, "%s", what);
	return -EINVAL;
}

/* A reader of one member, by its kind. */
#define MEMBER(name, expression)                                                             \
	static int name(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN]) \
	{                                                                                    \
		struct serve_config *c = out;                                                \
		return expression;                                                           \
	}

MEMBER(read_listen,
       yamltree_text(node, c->web.listen_address, sizeof(c->web.listen_address), error))
MEMBER(read_web_file, yamltree_text(node, c->web.config_file, sizeof(c->web.config_file), error))
MEMBER(read_insecure, yamltree_bool(node, &c->web.is_insecure_allowed, error))
MEMBER(read_connections, yamltree_u64(node, 1, 256, &c->web.max_connections, error))
MEMBER(read_requests, yamltree_u64(node, 1, 10000, &c->web.max_requests_per_second, error))
MEMBER(read_file, yamltree_text(node, c->breaches.file, sizeof(c->breaches.file), error))
MEMBER(read_max_bytes, yamltree_u64(node, 64 * KIB, 1ULL << 40, &c->breaches.max_bytes, error))
MEMBER(read_keep, yamltree_u64(node, 0, 1000, &c->breaches.keep, error))
MEMBER(read_per_second, yamltree_u64(node, 1, 100000, &c->breaches.per_second, error))
MEMBER(read_history, yamltree_u64(node, 0, 10000, &c->breaches.history, error))
MEMBER(read_retention, yamltree_duration_ns(node, &c->metrics.retention_ns, error))

static int read_max_workers(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct serve_config *config = out;
	uint64_t value = 0;
	int err = yamltree_u64(node, 1, 4096, &value, error);

	config->metrics.max_workers = (uint32_t)value;
	return err;
}

static int read_max_loops(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct serve_config *config = out;
	uint64_t value = 0;
	int err = yamltree_u64(node, 1, 4096, &value, error);

	config->metrics.max_loops = (uint32_t)value;
	return err;
}

static int read_buckets(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct metrics_config *metrics = &((struct serve_config *)out)->metrics;
	const struct yaml_node *entry;
	uint64_t ns;
	int err;

	if (node->type != YAML_LIST)
		return fail(error, "a list of times is expected, as [1ms, 10ms, 100ms]");
	metrics->nr_buckets = 0;
	for (entry = node->first; entry; entry = entry->next) {
		if (metrics->nr_buckets == METRICS_MAX_BUCKETS)
			return fail(error, "more than 32 buckets");
		err = yamltree_duration_ns(entry, &ns, error);
		if (err)
			return err;
		ns = metrics_bucket_near(ns); /* where the kernel half counts */
		if (metrics->nr_buckets && ns <= metrics->bucket_ns[metrics->nr_buckets - 1])
			return fail(error, "the times have to rise, by a quarter at least");
		metrics->bucket_ns[metrics->nr_buckets++] = ns;
	}
	return 0;
}

static int read_level(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct serve_config *config = out;

	if (node->type == YAML_SCALAR && !serve_config_level(node->text, &config->log.level))
		return 0;
	return fail(error, "error, warn, info or debug is expected");
}

static int read_log_format(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct serve_config *config = out;

	if (node->type != YAML_SCALAR ||
	    (strcmp(node->text, "logfmt") && strcmp(node->text, "json")))
		return fail(error, "logfmt or json is expected");
	config->log.is_json = !strcmp(node->text, "json");
	return 0;
}

static int read_to(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct serve_config *config = out;

	if (node->type == YAML_SCALAR && !serve_config_sink(node->text, &config->breaches.to))
		return 0;
	return fail(error, "stdout, file, journal or none is expected");
}

/* A map of rules to something. */
static int walk_rules(const struct yaml_node *map, struct rules_config *to,
		      int (*read)(struct rules_config *, enum rule_id, const struct yaml_node *,
				  char *),
		      char error[YAML_ERROR_LEN])
{
	const struct yaml_node *entry;
	enum rule_id id;
	int err;

	if (map->type != YAML_MAP)
		return fail(error, "rules and values are expected");
	for (entry = map->first; entry; entry = entry->next) {
		if (rules_find(entry->key, &id)) {
			snprintf(error, YAML_ERROR_LEN,
				 "line %u: %.60s: no such rule; `loophound rules` lists them",
				 entry->line, entry->key);
			return -EINVAL;
		}
		err = yamltree_get(map, entry->key) != entry ? fail(error, "is there twice")
							     : read(to, id, entry, error);
		if (err) {
			yamltree_at(entry, error);
			return err;
		}
	}
	return 0;
}

static int read_limit(struct rules_config *to, enum rule_id id, const struct yaml_node *node,
		      char *error)
{
	int err;

	if (rules_is_about_connections(id))
		return yamltree_u64(node, 1, 1000000000, &to->limit_ns[id], error);
	err = yamltree_duration_ns(node, &to->limit_ns[id], error);
	return !err && !to->limit_ns[id] ? fail(error, "a limit is longer than 0") : err;
}

static int read_enabled(struct rules_config *to, enum rule_id id, const struct yaml_node *node,
			char *error)
{
	return yamltree_bool(node, &to->is_enabled[id], error);
}

static int read_limits(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return walk_rules(node, &((struct serve_config *)out)->rules, read_limit, error);
}

static int read_rules(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return walk_rules(node, &((struct serve_config *)out)->rules, read_enabled, error);
}

static int read_allow_file(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct rules_config *to = out;

	return yamltree_text(node, to->allow[to->nr_allow].file, EV_PATH_LEN, error);
}

static int read_allow_function(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct rules_config *to = out;

	return yamltree_text(node, to->allow[to->nr_allow].function, EV_PATH_LEN, error);
}

static int read_allow(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	static const struct yaml_field fields[] = { { "file", read_allow_file },
						    { "function", read_allow_function },
						    {} };
	struct rules_config *to = &((struct serve_config *)out)->rules;
	const struct yaml_node *entry;
	int err;

	if (node->type != YAML_LIST)
		return fail(error, "a list of sites is expected, each with file and function");
	for (entry = node->first; entry; entry = entry->next) {
		if (to->nr_allow == RULES_MAX_ALLOW)
			return fail(error, "more than 64 sites");
		err = yamltree_walk(entry, fields, to, error);
		if (err)
			return err;
		if (!to->allow[to->nr_allow].file[0] || !to->allow[to->nr_allow].function[0])
			return fail(error, "a site has a file and a function");
		to->nr_allow++;
	}
	return 0;
}

static int read_library(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct rules_config *to = &((struct serve_config *)out)->rules;
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

static const struct yaml_field web_fields[] = {
	{ "listen_address", read_listen },
	{ "config_file", read_web_file },
	{ "allow_insecure", read_insecure },
	{ "max_connections", read_connections },
	{ "max_requests_per_second", read_requests },
	{},
};
static const struct yaml_field log_fields[] = { { "level", read_level },
						{ "format", read_log_format },
						{} };
static const struct yaml_field breach_fields[] = {
	{ "to", read_to },
	{ "file", read_file },
	{ "max_bytes", read_max_bytes },
	{ "keep", read_keep },
	{ "per_second", read_per_second },
	{ "history", read_history },
	{},
};
static const struct yaml_field metrics_fields[] = {
	{ "buckets", read_buckets },
	{ "retention", read_retention },
	{ "max_workers", read_max_workers },
	{ "max_loops", read_max_loops },
	{},
};

static int read_web(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return yamltree_walk(node, web_fields, out, error);
}

static int read_log(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return yamltree_walk(node, log_fields, out, error);
}

static int read_breaches(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return yamltree_walk(node, breach_fields, out, error);
}

static int read_metrics(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	return yamltree_walk(node, metrics_fields, out, error);
}

static const struct yaml_field root_fields[] = {
	{ "web", read_web },	     { "log", read_log },	  { "breaches", read_breaches },
	{ "metrics", read_metrics }, { "limits", read_limits },	  { "rules", read_rules },
	{ "allow", read_allow },     { "library", read_library }, {},
};

int serve_config_check(const struct serve_config *config, char error[YAML_ERROR_LEN])
{
	if (config->breaches.to == SINK_FILE && config->breaches.file[0] != '/')
		return fail(error, "breaches.to is file: breaches.file has to be an absolute path");
	return 0;
}

int serve_config_read(struct serve_config *config, const char *path, char error[YAML_ERROR_LEN])
{
	struct yaml yaml;
	int err = yamltree_read(&yaml, path, error);

	if (err)
		return err;
	err = yamltree_walk(yaml.root, root_fields, config, error);
	if (err)
		yamltree_place(&yaml, error);
	yamltree_free(&yaml);
	return err;
}
