/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Trees to values, by tables of what may be there. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "util.h"
#include "yamltree.h"

#define LONGEST_S (366.0 * 24 * 3600)

const struct yaml_node *yamltree_get(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *node;

	for (node = map ? map->first : NULL; node; node = node->next)
		if (node->key && !strcmp(node->key, key))
			return node;
	return NULL;
}

static int fail(char error[YAML_ERROR_LEN], const char *what)
{
	snprintf(error, YAML_ERROR_LEN, "%s", what);
	return -EINVAL;
}

/* The error of an inner map names its own line already. */
void yamltree_at(const struct yaml_node *node, char error[YAML_ERROR_LEN])
{
	char reason[YAML_ERROR_LEN];

	if (!strncmp(error, "line ", strlen("line ")))
		return;
	memcpy(reason, error, sizeof(reason));
	snprintf(error, YAML_ERROR_LEN, "line %u: %.100s: %.380s", node->line,
		 node->key ? node->key : "entry", reason);
}

static int refuse_unknown(const struct yaml_field *fields, char error[YAML_ERROR_LEN])
{
	size_t used = (size_t)snprintf(error, YAML_ERROR_LEN, "no such key; known are");

	for (; fields->key && used < YAML_ERROR_LEN; fields++)
		used += (size_t)snprintf(error + used, YAML_ERROR_LEN - used, " %s", fields->key);
	return -EINVAL;
}

int yamltree_walk(const struct yaml_node *map, const struct yaml_field *fields, void *out,
		  char error[YAML_ERROR_LEN])
{
	const struct yaml_field *field;
	const struct yaml_node *node;
	int err = 0;

	if (map && map->type != YAML_MAP)
		return fail(error, "keys and values are expected");
	for (node = map ? map->first : NULL; node && !err; node = node->next) {
		for (field = fields; field->key; field++)
			if (!strcmp(field->key, node->key))
				break;
		if (!field->key)
			err = refuse_unknown(fields, error);
		else if (yamltree_get(map, node->key) != node)
			err = fail(error, "is there twice");
		else
			err = field->read(out, node, error);
		if (err)
			yamltree_at(node, error);
	}
	return err;
}

int yamltree_text(const struct yaml_node *node, char *out, size_t size, char error[YAML_ERROR_LEN])
{
	if (node->type != YAML_SCALAR)
		return fail(error, "a text is expected");
	if (strlen(node->text) >= size) {
		snprintf(error, YAML_ERROR_LEN, "longer than %zu bytes", size - 1);
		return -EINVAL;
	}
	strcpy(out, node->text);
	return 0;
}

int yamltree_bool(const struct yaml_node *node, bool *out, char error[YAML_ERROR_LEN])
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off" };

	if (node->type == YAML_SCALAR && node->is_plain)
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (!strcasecmp(node->text, words[i])) {
				*out = i % 2 == 0;
				return 0;
			}
	return fail(error, "true or false is expected");
}

int yamltree_u64(const struct yaml_node *node, uint64_t least, uint64_t most, uint64_t *out,
		 char error[YAML_ERROR_LEN])
{
	unsigned long long value;
	char *end;

	if (node->type != YAML_SCALAR || !node->is_plain || node->text[0] < '0' ||
	    node->text[0] > '9')
		return fail(error, "a whole number is expected");
	errno = 0;
	value = strtoull(node->text, &end, 10);
	if (*end)
		return fail(error, "a whole number is expected");
	if (errno || value < least || value > most) {
		snprintf(error, YAML_ERROR_LEN, "%.40s is not within %llu and %llu", node->text,
			 (unsigned long long)least, (unsigned long long)most);
		return -EINVAL;
	}
	*out = value;
	return 0;
}

int yamltree_duration_ns(const struct yaml_node *node, uint64_t *out, char error[YAML_ERROR_LEN])
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 },
		      { "m", 60 },    { "h", 3600 },  { "d", 86400 } };
	double value;
	char *end;

	if (node->type == YAML_SCALAR && node->text[0] >= '0' && node->text[0] <= '9') {
		value = strtod(node->text, &end);
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (!strcmp(end, units[i].unit) && value * units[i].seconds <= LONGEST_S) {
				*out = (uint64_t)llround(value * units[i].seconds * 1e9);
				return 0;
			}
	}
	return fail(error, "a time with its unit is expected, as 20ms, 1.5s or 5m");
}
