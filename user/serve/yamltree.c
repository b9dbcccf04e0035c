/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* libyaml's events to a tree. */
#include "yamltree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "util.h"

struct builder {
	char *error;
	yaml_parser_t parser;
	unsigned nr_nodes;
};

static int fail(const struct builder *b, const yaml_mark_t *mark, const char *what)
{
	snprintf(b->error, YAML_ERROR_LEN, "line %zu: %s", mark->line + 1, what);
	return -EINVAL;
}

static void free_node(struct yaml_node *node)
{
	struct yaml_node *child;

	if (!node)
		return;
	while ((child = node->first)) {
		node->first = child->next;
		free_node(child); /* at most YAML_MAX_DEPTH deep */
	}
	free(node->text);
	free(node->key);
	free(node);
}

void yamltree_free(struct yaml *yaml)
{
	free_node(take(yaml->root));
	free(take(yaml->path));
}

void yamltree_place(const struct yaml *yaml, char error[YAML_ERROR_LEN])
{
	char reason[YAML_ERROR_LEN];

	memcpy(reason, error, sizeof(reason));
	snprintf(error, YAML_ERROR_LEN, "%.200s: %.300s", yaml->path, reason);
}

static int next_event(struct builder *b, yaml_event_t *event)
{
	if (yaml_parser_parse(&b->parser, event))
		return 0;
	return fail(b, &b->parser.problem_mark,
		    b->parser.problem ? b->parser.problem : "no memory");
}

/* Nothing that could make the tree larger than its file, or mean something else than it says. */
static int check_event(const struct builder *b, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT)
		return fail(b, &event->start_mark, "aliases are not supported");
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
			return fail(b, &event->start_mark, "a text with a NUL in it");
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor || tag)
		return fail(b, &event->start_mark, "anchors and tags are not supported");
	return 0;
}

static struct yaml_node *new_node(struct builder *b, const yaml_event_t *event)
{
	struct yaml_node *node = b->nr_nodes++ < YAML_MAX_NODES ? calloc(1, sizeof(*node)) : NULL;

	if (!node)
		return NULL;
	node->line = (unsigned)event->start_mark.line + 1;
	node->type = event->type == YAML_SCALAR_EVENT		? YAML_SCALAR
		     : event->type == YAML_SEQUENCE_START_EVENT ? YAML_LIST
								: YAML_MAP;
	if (node->type != YAML_SCALAR)
		return node;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup((const char *)event->data.scalar.value);
	if (node->text)
		return node;
	free(node);
	return NULL;
}

static void append(struct yaml_node *parent, struct yaml_node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

/* The key that an event is, and the event of its value. */
static int take_key(struct builder *b, yaml_event_t *event, char **key)
{
	int err = check_event(b, event);

	if (!err && event->type != YAML_SCALAR_EVENT)
		err = fail(b, &event->start_mark, "a key has to be a word");
	if (!err) {
		*key = strdup((const char *)event->data.scalar.value);
		if (!*key)
			err = fail(b, &event->start_mark, "no memory");
	}
	yaml_event_delete(event);
	return err ? err : next_event(b, event);
}

static int build(struct builder *b, const yaml_event_t *event, unsigned depth,
		 struct yaml_node **out);

/* Fills a list or a map up to its end. */
static int fill(struct builder *b, struct yaml_node *parent, unsigned depth)
{
	for (;;) {
		struct yaml_node *child = NULL;
		cleanup_free char *key = NULL;
		yaml_event_t event;
		bool is_end;
		int err = next_event(b, &event);

		if (err)
			return err;
		is_end = event.type == YAML_SEQUENCE_END_EVENT ||
			 event.type == YAML_MAPPING_END_EVENT;
		if (!is_end && parent->type == YAML_MAP)
			err = take_key(b, &event, &key);
		if (err)
			return err;
		if (!is_end)
			err = build(b, &event, depth + 1, &child);
		yaml_event_delete(&event);
		if (err || is_end)
			return err;
		child->key = take(key);
		append(parent, child);
	}
}

static int build(struct builder *b, const yaml_event_t *event, unsigned depth,
		 struct yaml_node **out)
{
	struct yaml_node *node;
	int err = check_event(b, event);

	if (err)
		return err;
	if (depth > YAML_MAX_DEPTH)
		return fail(b, &event->start_mark, "too deep");
	node = new_node(b, event);
	if (!node)
		return fail(b, &event->start_mark, "too much, or no memory");
	if (node->type != YAML_SCALAR)
		err = fill(b, node, depth);
	if (err)
		free_node(node);
	else
		*out = node;
	return err;
}

/* The one document of the stream, which may be empty. */
static int build_document(struct builder *b, struct yaml_node **root)
{
	bool has_document = false;

	for (;;) {
		yaml_event_type_t type;
		yaml_event_t event;
		int err = next_event(b, &event);

		if (err)
			return err;
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && has_document)
			err = fail(b, &event.start_mark, "a second document");
		else if (type == YAML_DOCUMENT_START_EVENT)
			has_document = true;
		else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
			 type != YAML_DOCUMENT_END_EVENT)
			err = build(b, &event, 0, root);
		yaml_event_delete(&event);
		if (err || type == YAML_STREAM_END_EVENT)
			return err;
	}
}

/* A regular file, whole; NULL and *err. */
static char *read_file(const char *path, size_t *bytes, int *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *data = NULL;
	struct stat status;
	ssize_t n = 1;

	*bytes = 0;
	*err = fd < 0 || fstat(fd, &status) ? -errno : 0;
	if (!*err && !S_ISREG(status.st_mode))
		*err = -EINVAL;
	if (!*err && !(data = malloc(YAML_MAX_BYTES + 1)))
		*err = -ENOMEM;
	while (!*err && n > 0 && *bytes <= YAML_MAX_BYTES) {
		n = read(fd, data + *bytes, YAML_MAX_BYTES + 1 - *bytes);
		if (n < 0)
			*err = -errno;
		else
			*bytes += (size_t)n;
	}
	if (!*err && *bytes > YAML_MAX_BYTES)
		*err = -EFBIG;
	return *err ? NULL : take(data);
}

static int read_tree(struct yaml *yaml, const char *data, size_t bytes, char error[YAML_ERROR_LEN])
{
	struct builder b = { .error = error };
	int err;

	if (!yaml_parser_initialize(&b.parser)) {
		snprintf(error, YAML_ERROR_LEN, "no memory");
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)data, bytes);
	err = build_document(&b, &yaml->root);
	yaml_parser_delete(&b.parser);
	if (err || !yaml->root)
		return err;
	/* "---" alone, or nothing but comments. */
	if (yaml->root->type == YAML_SCALAR && yaml->root->is_plain && !yaml->root->text[0]) {
		free_node(take(yaml->root));
		return 0;
	}
	if (yaml->root->type == YAML_MAP)
		return 0;
	snprintf(error, YAML_ERROR_LEN, "line %u: keys and values are expected", yaml->root->line);
	return -EINVAL;
}

int yamltree_read(struct yaml *yaml, const char *path, char error[YAML_ERROR_LEN])
{
	cleanup_free char *data = NULL;
	size_t bytes;
	int err;

	*yaml = (struct yaml){};
	data = read_file(path, &bytes, &err);
	if (!data) {
		snprintf(error, YAML_ERROR_LEN, "%s: %s", path,
			 err == -EFBIG	  ? "longer than 1 MiB"
			 : err == -EINVAL ? "not a regular file"
					  : strerror(-err));
		return err;
	}
	yaml->path = strdup(path);
	if (!yaml->path) {
		snprintf(error, YAML_ERROR_LEN, "%s: no memory", path);
		return -ENOMEM;
	}
	err = read_tree(yaml, data, bytes, error);
	if (!err)
		return 0;
	yamltree_place(yaml, error);
	yamltree_free(yaml);
	return err;
}
