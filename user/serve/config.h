/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What `loophound serve` is told, by its file and its flags. packaging/loophound.yaml documents
 * every key. */
#ifndef CONFIG_H
#define CONFIG_H

#include <limits.h>

#include "log.h"
#include "metrics.h"
#include "policies.h"
#include "selection.h"
#include "yamltree.h"

enum breach_sink {
	SINK_STDOUT,  /* JSON lines */
	SINK_FILE,    /* the same, rotated */
	SINK_JOURNAL, /* systemd's, with native fields */
	SINK_NONE,
};

struct serve_config {
	struct {
		char listen_address[128];
		char config_file[PATH_MAX]; /* exporter-toolkit's; empty: neither TLS nor passwords
					     */
		bool is_insecure_allowed;   /* an address that others reach, without passwords */
		uint64_t max_connections, max_requests_per_second;
	} web;
	struct {
		enum log_level level;
		bool is_json;
	} log;
	struct {
		enum breach_sink to;
		char file[PATH_MAX];
		uint64_t max_bytes, keep; /* of the file: rotated past it; old ones that stay */
		uint64_t per_second; /* lines at most, of all targets together; policies have that
					of one */
		uint64_t history;    /* lines that /api/v1/breaches shows */
	} breaches;
	struct metrics_config metrics;
	/* Who is watched, and by which policies, one a selector; others: all, if there is no
	 * selector. */
	struct selection selection;
	struct policy *policies;
	struct policy others;
};

/* Everything at its default. */
void serve_config_init(struct serve_config *config);
void serve_config_free(struct serve_config *config);
/* Each becomes the other, where it is. */
void serve_config_swap(struct serve_config *a, struct serve_config *b);
/* Reads a file over the defaults; to be freed, whatever it returns. 0, or a negative errno and one
 * line that names file, line and key. */
int serve_config_read(struct serve_config *config, const char *path, char error[YAML_ERROR_LEN]);
/* What no single key says: -EINVAL and the reason. */
int serve_config_check(const struct serve_config *config, char error[YAML_ERROR_LEN]);
/* A word of log.level or breaches.to; -EINVAL. */
int serve_config_level(const char *word, enum log_level *out);
int serve_config_sink(const char *word, enum breach_sink *out);

#endif
