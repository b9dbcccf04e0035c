/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads a Python str: PEP 393 storage of 1, 2 or 4 bytes a character, behind its header or
 * elsewhere.
 */
#include "pystr.h"

#include <errno.h>
#include <string.h>

#include "utf8.h"
#include "util.h"

/* PyASCIIObject, Include/cpython/unicodeobject.h, 3.9 to 3.15; further in by layout->object_shift. */
#define STR_TYPE       8
#define STR_LENGTH     16 /* characters, signed */
#define STR_STATE      32

#define STR_LENGTH_MAX (1LL << 30) /* no name is: not a str */

struct str_header {
	int64_t length;
	unsigned kind; /* bytes a character */
	bool is_compact, is_ascii;
};

uint32_t pystr_state(const struct py_layout *layout, const uint8_t *str)
{
	uint32_t state;

	memcpy(&state, str + layout->object_shift + STR_STATE, sizeof(state));
	/* Free-threaded 3.14+: `interned` is a byte of its own, and what follows it begins at bit 8. */
	return layout->object_shift && layout->minor >= 14 ? state >> 6 : state;
}

static int parse_header(const struct py_layout *layout, const uint8_t *raw, struct str_header *header)
{
	uint32_t state = pystr_state(layout, raw);
	uint64_t type_addr;

	memcpy(&type_addr, raw + layout->object_shift + STR_TYPE, sizeof(type_addr));
	memcpy(&header->length, raw + layout->object_shift + STR_LENGTH, sizeof(header->length));
	header->kind = state >> 2 & 7;
	header->is_compact = state >> 5 & 1;
	header->is_ascii = state >> 6 & 1;
	/* Kind 0 is a str that is not ready (until 3.11): names are always ready. */
	if (!type_addr || type_addr % 8 || header->length < 0 || header->length > STR_LENGTH_MAX ||
	    (header->kind != 1 && header->kind != 2 && header->kind != 4) ||
	    (header->is_ascii && header->kind != 1))
		return -EBADMSG;
	return 0;
}

int pystr_read(struct mem *mem, const struct py_layout *layout, uint64_t str_addr, char *utf8,
	       size_t room, size_t *bytes, bool *is_cut)
{
	uint8_t raw[UINT8_MAX + STR_STATE + 4], data[EV_NAME_MAX * 4];
	struct str_header header;
	uint64_t data_addr = str_addr;
	size_t nr, used = 0, at = 0;
	int err;

	if (!str_addr || str_addr % 8)
		return -EBADMSG;
	err = procmem_read(mem, str_addr, raw, layout->object_shift + STR_STATE + 4);
	if (!err)
		err = parse_header(layout, raw, &header);
	if (err)
		return err;
	if (header.is_compact)
		data_addr += header.is_ascii ? layout->str_ascii_data : layout->str_compact_data;
	else
		err = procmem_read_u64(mem, str_addr + layout->str_compact_data, &data_addr);
	/* A character is a byte of UTF-8 at least: more of them than bytes are never needed. */
	nr = (size_t)min((uint64_t)header.length, (uint64_t)min(room, (size_t)EV_NAME_MAX));
	if (!err)
		err = procmem_read(mem, data_addr, data, nr * header.kind);
	if (err)
		return err;

	for (; at < nr; at++) {
		char encoded[4];
		size_t n = utf8_put(utf8_character(data, at, header.kind), encoded);

		if (n > room - used)
			break;
		memcpy(utf8 + used, encoded, n);
		used += n;
	}
	*bytes = used;
	*is_cut = at < (uint64_t)header.length;
	return 0;
}

bool pystr_is(struct mem *mem, const struct py_layout *layout, uint64_t str_addr, const char *text)
{
	char name[32];
	size_t bytes;
	bool is_cut;

	return !pystr_read(mem, layout, str_addr, name, sizeof(name), &bytes, &is_cut) && !is_cut &&
	       bytes == strlen(text) && !memcmp(name, text, bytes);
}
