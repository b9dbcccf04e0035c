/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An instance keeps its attributes in a dict of its own or, from 3.11 on, in an array beside it whose names are
 * the type's.  Its hash table is of no use from outside (pydict.c), so the names are looked through.
 */
#include "pyattribute.h"

#include "pystr.h"
#include "util.h"

#define MAX_ATTRIBUTES	  256
#define OBJECT_TYPE	  8 /* this and what follows: CPython 3.9 to 3.15; see pyattribute_word() */
#define TYPE_BASICSIZE	  32
#define TYPE_FLAGS	  168
#define TYPE_DICTOFFSET	  288
#define TYPE_INLINE_VALUES (1u << 2) /* 3.13+ */
#define TYPE_MANAGED_DICT  (1u << 4) /* 3.11+ */
#define DICT_KEYS	  32
#define DICT_VALUES	  40
#define MANAGED_VALUES	  (-32) /* 3.11, before the object */
#define MANAGED_DICT	  (-24)
#define MANAGED_DICT_FREE (-8) /* free-threaded: the collector keeps no head before an object */

uint64_t pyattribute_word(struct mem *mem, const struct py_layout *layout, uint64_t addr, uint64_t offset)
{
	return addr ? procmem_word(mem, addr + layout->object_shift + offset) : 0;
}

/* Attributes of an instance: a dict's keys, and their values beside them or (0) within. */
struct attributes {
	uint64_t keys, values;
};

static uint64_t cached_keys(struct mem *mem, const struct py_layout *layout, uint64_t type)
{
	static const uint16_t offsets[] = { 864, 872, 872, 880, 880, 880, 888 }; /* 3.9 to 3.15 */

	return pyattribute_word(mem, layout, type, offsets[min(layout->minor - 9u, ARRAY_SIZE(offsets) - 1)]);
}

static struct attributes of_dict(struct mem *mem, const struct py_layout *layout, uint64_t dict)
{
	struct attributes out = { .keys = pyattribute_word(mem, layout, dict, DICT_KEYS) };

	if (out.keys)
		out.values = pyattribute_word(mem, layout, dict, DICT_VALUES);
	if (out.values && layout->minor >= 13)
		out.values += 8; /* PyDictValues has a head */
	return out;
}

static struct attributes find_attributes(struct mem *mem, const struct py_layout *layout,
					 uint64_t object)
{
	uint64_t type = pyattribute_word(mem, layout, object, OBJECT_TYPE), dict, values = 0, offset, flags;

	if (!type)
		return (struct attributes){ 0 };
	if (layout->minor <= 10) {
		offset = pyattribute_word(mem, layout, type, TYPE_DICTOFFSET);
		return of_dict(mem, layout, offset && offset < 4096 ? procmem_word(mem, object + offset) : 0);
	}
	flags = pyattribute_word(mem, layout, type, TYPE_FLAGS);
	if (!(flags & TYPE_MANAGED_DICT))
		return (struct attributes){ 0 };
	dict = procmem_word(mem, object + (uint64_t)(layout->object_shift ? MANAGED_DICT_FREE : MANAGED_DICT));
	if (layout->minor == 11) {
		values = procmem_word(mem, object + (uint64_t)MANAGED_VALUES);
	} else if (layout->minor == 12) {
		values = dict & 1 ? dict + 1 : 0;
	} else if (flags & TYPE_INLINE_VALUES) {
		/* capacity, size, embedded, valid; then the values */
		values = object + pyattribute_word(mem, layout, type, TYPE_BASICSIZE);
		values = procmem_word(mem, values) >> 24 & 0xff ? values + 8 : 0;
	}
	if (values)
		return (struct attributes){ cached_keys(mem, layout, type), values };
	return of_dict(mem, layout, dict);
}

uint64_t pyattribute_find(struct mem *mem, const struct py_layout *layout, uint64_t object,
			  const char *name)
{
	struct attributes attributes = find_attributes(mem, layout, object);
	uint64_t keys = attributes.keys, entries, nr, head, entry_bytes = 24, key_at = 8;

	if (!keys)
		return 0;
	head = procmem_word(mem, keys + 8);
	if (layout->minor <= 10) { /* dk_size indices of 1 byte, up to 128, or of 2 */
		nr = procmem_word(mem, keys + 32);
		entries = keys + 40 + (head <= 0xff ? head : 2 * head);
	} else { /* dk_log2_size, dk_log2_index_bytes, dk_kind */
		nr = procmem_word(mem, keys + 24);
		entries = keys + 32 + (1ULL << (head >> 8 & 31));
		if (head >> 16 & 0xff) {
			entry_bytes = 16;
			key_at = 0;
		}
	}
	for (uint64_t i = 0; i < min(nr, (uint64_t)MAX_ATTRIBUTES); i++) {
		uint64_t entry = entries + i * entry_bytes + key_at;

		if (pystr_is(mem, layout, procmem_word(mem, entry), name))
			return procmem_word(mem, attributes.values ? attributes.values + 8 * i
								 : entry + 8);
	}
	return 0;
}
