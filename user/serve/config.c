/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The keys of the configuration, a table a section. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "config_read.h"
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
	config->others.lines_per_second = 50;
	rules_config_init(&config->others.rules);
}

void serve_config_free(struct serve_config *config)
{
	free(take(config->selection.selectors));
	free(take(config->policies));
	config->selection.nr = 0;
}

static void swap(void *a, void *b, size_t size)
{
	char *one = a, *other = b;

	for (size_t i = 0; i < size; i++) {
		char byte = one[i];

		one[i] = other[i];
		other[i] = byte;
	}
}

void serve_config_swap(struct serve_config *a, struct serve_config *b)
{
	swap(a, b, sizeof(*a));
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
MEMBER(read_per_target, yamltree_u64(node, 1, 100000, &c->others.lines_per_second, error))
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
	{ "per_target_per_second", read_per_target },
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

MEMBER(read_limits, config_read_limits(&c->others.rules, node, error))
MEMBER(read_rules, config_read_rules(&c->others.rules, node, error))
MEMBER(read_allow, config_read_allow(&c->others.rules, node, error))
MEMBER(read_library, config_read_library(&c->others.rules, node, error))

/* What targets say differs from all else, so all else has to be read before: see
 * serve_config_read(). */
static int read_targets_later(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	(void)out;
	return node->type == YAML_LIST ? 0 : fail(error, "a list of entries is expected");
}

static const struct yaml_field root_fields[] = {
	{ "web", read_web },
	{ "log", read_log },
	{ "breaches", read_breaches },
	{ "metrics", read_metrics },
	{ "limits", read_limits },
	{ "rules", read_rules },
	{ "allow", read_allow },
	{ "library", read_library },
	{ "targets", read_targets_later },
	{},
};

int serve_config_check(const struct serve_config *config, char error[YAML_ERROR_LEN])
{
	if (config->breaches.to == SINK_FILE && config->breaches.file[0] != '/')
		return fail(error, "breaches.to is file: breaches.file has to be an absolute path");
	return 0;
}

int serve_config_read(struct serve_config *config, const char *path, char error[YAML_ERROR_LEN])
{
	const struct yaml_node *targets;
	struct yaml yaml;
	int err = yamltree_read(&yaml, path, error);

	if (err)
		return err;
	err = yamltree_walk(yaml.root, root_fields, config, error);
	targets = err ? NULL : yamltree_get(yaml.root, "targets");
	if (targets) {
		err = config_read_targets(config, targets, error);
		if (err)
			yamltree_at(targets, error);
	}
	if (err)
		yamltree_place(&yaml, error);
	yamltree_free(&yaml);
	return err;
}
