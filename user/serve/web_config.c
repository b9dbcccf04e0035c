/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The keys of exporter-toolkit's file, as far as this server has what they ask for. */
#include "web_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "util.h"

struct context {
	struct web_settings *settings;
	const char *path; /* of the file: others are relative to it */
};

static int fail(char *error, const char *what)
{
	snprintf(error, YAML_ERROR_LEN, "%s", what);
	return -EINVAL;
}

/* A certificate or a key, whole. */
static int read_pem(const struct context *context, const struct yaml_node *node,
		    char pem[WEB_PEM_MAX], char *error)
{
	char name[PATH_MAX], path[2 * PATH_MAX];
	const char *slash = strrchr(context->path, '/');
	cleanup_close int fd = -1;
	size_t bytes = 0;
	ssize_t n = 1;
	int err = yamltree_text(node, name, sizeof(name), error);

	if (err)
		return err;
	if (name[0] == '/' || !slash)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - context->path), context->path,
			 name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd >= 0 && n > 0 && bytes < WEB_PEM_MAX) {
		n = read(fd, pem + bytes, WEB_PEM_MAX - bytes);
		bytes += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0 || bytes == WEB_PEM_MAX) {
		snprintf(error, YAML_ERROR_LEN, "%.200s: %s", path,
			 fd >= 0 && n >= 0 ? "longer than 64 KiB" : strerror(errno));
		return -EINVAL;
	}
	pem[bytes] = '\0';
	return 0;
}

static int read_cert(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct context *context = out;

	return read_pem(context, node, context->settings->cert, error);
}

static int read_key(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct context *context = out;

	return read_pem(context, node, context->settings->key, error);
}

static int read_min_version(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct context *context = out;

	if (node->type == YAML_SCALAR && !strcmp(node->text, "TLS12"))
		return 0;
	if (node->type != YAML_SCALAR || strcmp(node->text, "TLS13"))
		return fail(error, "TLS12 or TLS13 is expected");
	context->settings->min_tls_1_3 = 1;
	return 0;
}

static int read_client_auth(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	(void)out;
	if (node->type == YAML_SCALAR && !strcmp(node->text, "NoClientCert"))
		return 0;
	return fail(error,
		    "clients are not asked for certificates: only NoClientCert is supported");
}

static int read_tls(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	static const struct yaml_field fields[] = { { "cert_file", read_cert },
						    { "key_file", read_key },
						    { "min_version", read_min_version },
						    { "client_auth_type", read_client_auth },
						    {} };
	struct context *context = out;
	int err = yamltree_walk(node, fields, context, error);

	if (!err && (!context->settings->cert[0] || !context->settings->key[0]))
		return fail(error, "cert_file and key_file are needed");
	context->settings->has_tls = !err;
	return err;
}

/* "$2y$10$" and 53 characters; its cost is bounded, or one request would take minutes. */
static int check_hash(const char *hash, char *error)
{
	bool is_bcrypt = strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' &&
			 strchr("aby", hash[2]) && hash[3] == '$' && hash[6] == '$';
	int cost = is_bcrypt ? atoi(hash + 4) : 0;

	if (!is_bcrypt)
		return fail(error,
			    "a bcrypt hash is expected, as `htpasswd -nBC 10 \"\"` prints it");
	return cost < 4 || cost > 14 ? fail(error, "the hash's cost is not within 4 and 14") : 0;
}

static int read_users(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	struct web_settings *settings = ((struct context *)out)->settings;
	const struct yaml_node *entry;
	int err;

	if (node->type != YAML_MAP)
		return fail(error, "names and hashes are expected");
	for (entry = node->first; entry; entry = entry->next) {
		struct web_user *user = &settings->users[settings->nr_users];

		if (settings->nr_users == WEB_USERS_MAX)
			return fail(error, "more than 64 users");
		err = strlen(entry->key) >= sizeof(user->name)
			      ? fail(error, "a name that is too long")
			      : 0;
		if (!err && yamltree_get(node, entry->key) != entry)
			err = fail(error, "is there twice");
		if (!err)
			err = yamltree_text(entry, user->hash, sizeof(user->hash), error);
		if (!err)
			err = check_hash(user->hash, error);
		if (err) {
			yamltree_at(entry, error);
			return err;
		}
		snprintf(user->name, sizeof(user->name), "%s", entry->key);
		settings->nr_users++;
	}
	return 0;
}

int web_config_read(struct web_settings *settings, const char *path, char error[YAML_ERROR_LEN])
{
	static const struct yaml_field fields[] = { { "tls_server_config", read_tls },
						    { "basic_auth_users", read_users },
						    {} };
	struct context context = { settings, path };
	struct yaml yaml;
	int err = yamltree_read(&yaml, path, error);

	if (err)
		return err;
	err = yamltree_walk(yaml.root, fields, &context, error);
	if (err)
		yamltree_place(&yaml, error);
	yamltree_free(&yaml);
	return err;
}
