/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Scans the entries of a dict in the order they were made: the hash of a str is salted with a secret
 * of the process, so its table of indices is of no use from outside.
 */
#include "pydict.h"

#include <errno.h>
#include <string.h>

#include "pystr.h"
#include "util.h"

/* The same from 3.9 to 3.15, of objects but for layout->object_shift: Include/object.h, cpython/dictobject.h. */
#define OBJECT_TYPE   8
#define TYPE_NAME     24
#define MODULE_DICT   16 /* PyModuleObject.md_dict, Objects/moduleobject.c */
#define DICT_KEYS     32
#define DICT_VALUES   40 /* NULL unless the values are kept elsewhere: instances' dicts */

/* struct _dictkeysobject, Objects/dict-common.h; from 3.11 on Include/internal/pycore_dict.h. */
#define KEYS_SIZE      8 /* to 3.10: slots of the table; later: log2 of its bytes in the second byte */
#define KEYS_NR_OLD    32
#define KEYS_NR	       24
#define KEYS_TABLE_OLD 40
#define KEYS_TABLE     32
#define SLOTS_MAX      (1ULL << 32)
#define LOG2_MAX       32
#define KIND_GENERAL   0 /* entries of hash, key, value; else of key, value */

#define STR_LENGTH	16
#define STR_STATE_BITS	0x7c /* kind, compact, ascii */
#define STR_STATE_ASCII 0x64 /* kind 1, both set */

#define WORDS_AT_ONCE (3 * 128) /* whole entries of either kind */

struct entries {
	uint64_t addr;
	uint64_t nr;
	unsigned words; /* of an entry: hash, if it is kept; key; value */
};

bool pydict_is_type(struct mem *mem, const struct py_layout *layout, uint64_t object_addr, const char *type_name)
{
	char name[PYDICT_MAX_KEY];
	size_t len = strlen(type_name) + 1;
	uint64_t type, name_addr;

	return object_addr && object_addr % 8 == 0 && len <= sizeof(name) &&
	       !procmem_read_u64(mem, object_addr + layout->object_shift + OBJECT_TYPE, &type) &&
	       !procmem_read_u64(mem, type + layout->object_shift + TYPE_NAME, &name_addr) &&
	       !procmem_read(mem, name_addr, name, len) && !memcmp(name, type_name, len);
}

static int read_entries_old(struct mem *mem, uint64_t keys, struct entries *entries)
{
	uint64_t slots;
	int err = procmem_read_u64(mem, keys + KEYS_SIZE, &slots);

	if (!err)
		err = procmem_read_u64(mem, keys + KEYS_NR_OLD, &entries->nr);
	if (err)
		return err;
	if (slots > SLOTS_MAX)
		return -EBADMSG;
	entries->addr = keys + KEYS_TABLE_OLD +
			slots * (slots <= 0xff ? 1 : slots <= 0xffff ? 2 : 4);
	entries->words = 3;
	return 0;
}

static int read_entries(struct mem *mem, uint64_t keys, struct entries *entries)
{
	uint64_t head;
	unsigned log2_bytes;
	int err = procmem_read_u64(mem, keys + KEYS_SIZE, &head);

	if (!err)
		err = procmem_read_u64(mem, keys + KEYS_NR, &entries->nr);
	if (err)
		return err;
	log2_bytes = head >> 8 & 0xff;
	if (log2_bytes > LOG2_MAX)
		return -EBADMSG;
	entries->addr = keys + KEYS_TABLE + (1ULL << log2_bytes);
	entries->words = (head >> 16 & 0xff) == KIND_GENERAL ? 3 : 2;
	return 0;
}

static int find_entries(struct mem *mem, const struct py_layout *layout, uint64_t dict_addr,
			struct entries *entries)
{
	uint64_t keys, values;
	int err;

	if (!pydict_is_type(mem, layout, dict_addr, "dict"))
		return -EBADMSG;
	err = procmem_read_u64(mem, dict_addr + layout->object_shift + DICT_KEYS, &keys);
	if (!err)
		err = procmem_read_u64(mem, dict_addr + layout->object_shift + DICT_VALUES, &values);
	if (err)
		return err;
	if (!keys || keys % 8 || values)
		return -EBADMSG;
	err = layout->minor <= 10 ? read_entries_old(mem, keys, entries) :
				    read_entries(mem, keys, entries);
	entries->nr = min(entries->nr, (uint64_t)PYDICT_MAX_ENTRIES);
	return err;
}

/* Header and characters in one read; a key at the end of memory may be too short for it, and is none. */
static bool is_key(struct mem *mem, const struct py_layout *layout, uint64_t str_addr, const char *key,
		   size_t len)
{
	uint8_t raw[128 + PYDICT_MAX_KEY];
	uint64_t length;

	if (!str_addr || str_addr % 8 || layout->str_ascii_data > 128 ||
	    procmem_read(mem, str_addr, raw, layout->str_ascii_data + len))
		return false;
	memcpy(&length, raw + layout->object_shift + STR_LENGTH, sizeof(length));
	return length == len && (pystr_state(layout, raw) & STR_STATE_BITS) == STR_STATE_ASCII &&
	       !memcmp(raw + layout->str_ascii_data, key, len);
}

int pydict_find(struct mem *mem, const struct py_layout *layout, uint64_t dict_addr, const char *key,
		uint64_t *value_addr)
{
	uint64_t words[WORDS_AT_ONCE], done = 0;
	struct entries entries = { 0 };
	size_t len = strlen(key);
	int err = len <= PYDICT_MAX_KEY ? find_entries(mem, layout, dict_addr, &entries) : -EINVAL;

	while (!err && done < entries.nr) {
		unsigned nr = (unsigned)min(entries.nr - done, (uint64_t)WORDS_AT_ONCE / entries.words);

		err = procmem_read(mem, entries.addr + done * entries.words * 8, words,
				   (size_t)nr * entries.words * 8);
		for (unsigned i = 0; !err && i < nr; i++) {
			const uint64_t *value = &words[(i + 1) * entries.words - 1];

			if (!*value || !is_key(mem, layout, value[-1], key, len))
				continue;
			*value_addr = *value;
			return 0;
		}
		done += nr;
	}
	return err ? err : -ENOENT;
}

int pydict_find_in_module(struct mem *mem, const struct py_layout *layout, uint64_t modules_addr,
			  const char *module, const char *name, uint64_t *value_addr)
{
	uint64_t module_addr, dict_addr;
	int err = pydict_find(mem, layout, modules_addr, module, &module_addr);

	if (!err)
		err = procmem_read_u64(mem, module_addr + layout->object_shift + MODULE_DICT, &dict_addr);
	return err ? err : pydict_find(mem, layout, dict_addr, name, value_addr);
}
