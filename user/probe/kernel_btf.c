/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

#define MAX_MEMBERS 1024 /* of one structure */
#define MAX_DEPTH   32	 /* of structures in structures and arrays */

/* What is copied from where, and as what: of each of the kernel's types its number in the copy; 0: not there yet. */
struct copy {
	const struct btf *from;
	struct btf *to;
	int *ids;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As CO-RE has it: without the flavour behind three underscores. */
static char *essential_name(const char *name)
{
	const char *flavour = strstr(name + 1, "___");

	return flavour ? strndup(name, (size_t)(flavour - name)) : strdup(name);
}

static const char *name_of_struct(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf_is_composite(type) ? btf__name_by_offset(btf, type->name_off) : NULL;

	return name && name[0] ? name : NULL;
}

int kernel_btf_names(const struct btf *of, struct kernel_btf_names *names)
{
	unsigned nr_types = btf__type_cnt(of);

	*names = (struct kernel_btf_names){ .names = calloc(nr_types, sizeof(*names->names)) };
	if (!names->names)
		return -ENOMEM;
	for (unsigned id = 1; id < nr_types; id++) {
		const char *name = name_of_struct(of, btf__type_by_id(of, id));

		if (!name)
			continue;
		names->names[names->nr] = essential_name(name);
		if (!names->names[names->nr]) {
			kernel_btf_free(names);
			return -ENOMEM;
		}
		names->nr++;
	}
	qsort(names->names, names->nr, sizeof(*names->names), compare);
	return 0;
}

void kernel_btf_free(struct kernel_btf_names *names)
{
	for (unsigned i = 0; i < names->nr; i++)
		free(names->names[i]);
	free(take(names->names));
	names->nr = 0;
}

static bool has_name(const struct kernel_btf_names *names, const char *name)
{
	return bsearch(&name, names->names, names->nr, sizeof(*names->names), compare);
}

static int copy_type(struct copy *copy, unsigned id, unsigned depth);

/* Members first: a type is added whole. */
static int copy_composite(struct copy *copy, const struct btf_type *type, unsigned depth)
{
	const struct btf_member *members = btf_members(type);
	const char *name = btf__name_by_offset(copy->from, type->name_off);
	unsigned nr = btf_vlen(type);
	int ids[MAX_MEMBERS], id, err = 0;

	if (nr > MAX_MEMBERS || depth > MAX_DEPTH)
		return -E2BIG;
	for (unsigned i = 0; i < nr; i++) {
		ids[i] = copy_type(copy, members[i].type, depth + 1);
		if (ids[i] < 0)
			return ids[i];
	}
	id = btf_is_struct(type) ? btf__add_struct(copy->to, name, type->size)
				 : btf__add_union(copy->to, name, type->size);
	for (unsigned i = 0; id > 0 && !err && i < nr; i++)
		err = btf__add_field(copy->to, btf__name_by_offset(copy->from, members[i].name_off), ids[i],
				     btf_member_bit_offset(type, i), btf_member_bitfield_size(type, i));
	return err ? err : id;
}

static int copy_array(struct copy *copy, const struct btf_array *array, unsigned depth)
{
	int index = copy_type(copy, array->index_type, depth + 1), element;

	if (index < 0 || depth > MAX_DEPTH)
		return index < 0 ? index : -E2BIG;
	element = copy_type(copy, array->type, depth + 1);
	return element < 0 ? element : btf__add_array(copy->to, index, element, array->nelems);
}

/* Without its typedefs and qualifiers, which no relocation looks at. */
static int copy_new(struct copy *copy, const struct btf_type *type, unsigned depth)
{
	const char *name = btf__name_by_offset(copy->from, type->name_off);

	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return copy_composite(copy, type, depth);
	case BTF_KIND_ARRAY: return copy_array(copy, btf_array(type), depth);
	case BTF_KIND_INT: return btf__add_int(copy->to, name, type->size, btf_int_encoding(type));
	case BTF_KIND_FLOAT: return btf__add_float(copy->to, name, type->size);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return btf__add_enum(copy->to, NULL, type->size);
	default: return btf__add_ptr(copy->to, 0);
	}
}

/* Its number in the copy, or a negative errno. */
static int copy_type(struct copy *copy, unsigned id, unsigned depth)
{
	int resolved = btf__resolve_type(copy->from, id);

	/* An incomplete or empty one: only ever pointed to. */
	if (resolved <= 0)
		return resolved < 0 ? resolved : btf__add_ptr(copy->to, 0);
	if (!copy->ids[resolved])
		copy->ids[resolved] = copy_new(copy, btf__type_by_id(copy->from, (unsigned)resolved), depth);
	return copy->ids[resolved];
}

static int copy_named(struct copy *copy, const struct kernel_btf_names *names)
{
	unsigned nr = btf__type_cnt(copy->from);
	int id = 0;

	for (unsigned i = 1; id >= 0 && i < nr; i++) {
		const char *name = name_of_struct(copy->from, btf__type_by_id(copy->from, i));

		if (name && has_name(names, name))
			id = copy_type(copy, i, 0);
	}
	return id < 0 ? id : 0;
}

static int write_whole(const struct btf *btf, int fd)
{
	uint32_t bytes;
	const void *data = btf__raw_data(btf, &bytes);

	if (!data)
		return -errno;
	return write(fd, data, bytes) == (ssize_t)bytes ? 0 : -EIO;
}

int kernel_btf_write(const struct kernel_btf_names *names, int fd)
{
	struct btf *from = btf__load_vmlinux_btf(), *to = btf__new_empty();
	int *ids = from ? calloc(btf__type_cnt(from), sizeof(*ids)) : NULL;
	int err = from && to && ids ? 0 : -ENOMEM;

	if (!err)
		err = copy_named(&(struct copy){ from, to, ids }, names);
	if (!err)
		err = write_whole(to, fd);
	free(ids);
	btf__free(to);
	btf__free(from);
	return err;
}
