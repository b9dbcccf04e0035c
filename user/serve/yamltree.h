/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A YAML file as a bounded tree: what the configuration and the web configuration are read from.
 * Anchors, aliases, tags and further documents are refused: nothing here can grow beyond its file.
 */
#ifndef YAMLTREE_H
#define YAMLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 8
#define YAML_MAX_NODES 20000

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_type type;
	unsigned line; /* from 1 */
	bool is_plain; /* a scalar without quotes: may be a number or a truth value */
	char *text;    /* of a scalar, UTF-8 without NUL */
	char *key;     /* of a map's entry; NULL: it is none */
	struct yaml_node *first, *last, *next;
};

struct yaml {
	char *path;
	struct yaml_node *root; /* a map; NULL: the file says nothing */
};

#define YAML_ERROR_LEN 512

/* Reads a file. 0, or a negative errno and one line that names file, line and what is wrong. */
int yamltree_read(struct yaml *yaml, const char *path, char error[YAML_ERROR_LEN]);
void yamltree_free(struct yaml *yaml);

/* The entry of a map that is called so; NULL: there is none. map may be NULL. */
const struct yaml_node *yamltree_get(const struct yaml_node *map, const char *key);

/* What a schema says of one key of a map. */
struct yaml_field {
	const char *key;
	/* Takes its value. 0, or -EINVAL and the reason, without file, line or key. */
	int (*read)(void *out, const struct yaml_node *node, char error[YAML_ERROR_LEN]);
};

/*
 * Walks a map by its schema, which ends with a NULL key.  A key that is not in it, or there twice,
 * is an error.  0 or -EINVAL and "line N: key: reason"; yamltree_place() puts the path before it.
 */
int yamltree_walk(const struct yaml_node *map, const struct yaml_field *fields, void *out,
		  char error[YAML_ERROR_LEN]);
/* Puts "line N: key: " before a reason that has no line yet. */
void yamltree_at(const struct yaml_node *node, char error[YAML_ERROR_LEN]);
void yamltree_place(const struct yaml *yaml, char error[YAML_ERROR_LEN]);

/* Values. 0 or -EINVAL and the reason. */
int yamltree_text(const struct yaml_node *node, char *out, size_t size, char error[YAML_ERROR_LEN]);
int yamltree_bool(const struct yaml_node *node, bool *out, char error[YAML_ERROR_LEN]);
int yamltree_u64(const struct yaml_node *node, uint64_t least, uint64_t most, uint64_t *out,
		 char error[YAML_ERROR_LEN]);
/* "20ms", "1.5s", "5m", "1h": a number alone could be anything, and is an error. */
int yamltree_duration_ns(const struct yaml_node *node, uint64_t *out, char error[YAML_ERROR_LEN]);

#endif
