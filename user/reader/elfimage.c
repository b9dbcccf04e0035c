/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Symbols of an ELF image out of the target's memory, for a file that is deleted or cannot be
 * opened: dynamic section -> hash table -> symbol, as the dynamic loader does it.
 */
#include "elfimage.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#define MAX_DYNAMIC 512
#define MAX_CHAIN   65536 /* symbols compared at most: a forged chain may have no end */
#define MAX_NAME    64

struct dynamic {
	uint64_t symbols_addr, strings_addr, hash_addr;
	uint64_t strings_bytes;
};

/* The loader relocates these entries in place on glibc, musl leaves them as linked. */
static uint64_t relocated(uint64_t value, uint64_t bias)
{
	return value >= bias ? value : value + bias;
}

static int read_dynamic(struct elf *elf, uint64_t bias, struct dynamic *dynamic)
{
	Elf64_Dyn entries[MAX_DYNAMIC];
	unsigned nr = 0;

	for (unsigned i = 0; i < elf->nr_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		int err;

		if (segment->p_type != PT_DYNAMIC)
			continue;
		nr = (unsigned)min(segment->p_memsz / sizeof(entries[0]), (uint64_t)MAX_DYNAMIC);
		err = procmem_read(elf->mem, segment->p_vaddr + bias, entries,
				   nr * sizeof(entries[0]));
		if (err)
			return err;
		break;
	}
	memset(dynamic, 0, sizeof(*dynamic));
	for (unsigned i = 0; i < nr && entries[i].d_tag != DT_NULL; i++) {
		uint64_t value = entries[i].d_un.d_val;

		if (entries[i].d_tag == DT_SYMTAB)
			dynamic->symbols_addr = relocated(value, bias);
		else if (entries[i].d_tag == DT_STRTAB)
			dynamic->strings_addr = relocated(value, bias);
		else if (entries[i].d_tag == DT_GNU_HASH)
			dynamic->hash_addr = relocated(value, bias);
		else if (entries[i].d_tag == DT_STRSZ)
			dynamic->strings_bytes = value;
	}
	return dynamic->symbols_addr && dynamic->strings_addr && dynamic->hash_addr ? 0 : -ENOENT;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return hash;
}

static int match_at(struct elf *elf, const struct dynamic *dynamic, uint32_t index,
		    struct elf_symbol *wanted)
{
	size_t name_bytes = strlen(wanted->name) + 1;
	char name[MAX_NAME];
	Elf64_Sym symbol;
	int err;

	if (name_bytes > sizeof(name))
		return -EINVAL;
	err = procmem_read(elf->mem, dynamic->symbols_addr + index * sizeof(symbol), &symbol,
			   sizeof(symbol));
	if (err)
		return err;
	if (symbol.st_shndx == SHN_UNDEF || symbol.st_name > dynamic->strings_bytes ||
	    name_bytes > dynamic->strings_bytes - symbol.st_name)
		return 0;
	err = procmem_read(elf->mem, dynamic->strings_addr + symbol.st_name, name, name_bytes);
	if (!err && memcmp(name, wanted->name, name_bytes) == 0) {
		wanted->value = symbol.st_value;
		wanted->is_found = true;
	}
	return err;
}

/*
 * Table: nbuckets, symoffset, bloom words, shift; the 8-byte bloom words; buckets; one hash a
 * symbol.
 */
static int find_symbol(struct elf *elf, const struct dynamic *dynamic, struct elf_symbol *wanted)
{
	uint32_t head[4], index, hash = gnu_hash(wanted->name);
	uint64_t buckets_addr;
	int err = procmem_read(elf->mem, dynamic->hash_addr, head, sizeof(head));

	if (err)
		return err;
	if (head[0] == 0)
		return -EBADMSG;
	buckets_addr = dynamic->hash_addr + sizeof(head) + head[2] * 8ULL;
	err = procmem_read_u32(elf->mem, buckets_addr + hash % head[0] * 4ULL, &index);
	if (err || index < head[1])
		return err;
	for (unsigned step = 0; step < MAX_CHAIN && !wanted->is_found; step++, index++) {
		uint32_t found;

		err = procmem_read_u32(
			elf->mem, buckets_addr + head[0] * 4ULL + (index - head[1]) * 4ULL, &found);
		if (!err && (found | 1) == (hash | 1))
			err = match_at(elf, dynamic, index, wanted);
		if (err || (found & 1))
			return err;
	}
	return 0;
}

int elfimage_open(struct elf *elf, struct mem *mem, uint64_t base)
{
	memset(elf, 0, sizeof(*elf));
	elf->mem = mem;
	elf->base = base;
	elf->bytes = ELFFILE_MAX_FILE_BYTES;
	return elffile_read_segments(elf);
}

int elfimage_find_symbols(struct elf *elf, uint64_t bias, struct elf_symbol *symbols, unsigned nr)
{
	struct dynamic dynamic;
	int err = read_dynamic(elf, bias, &dynamic);

	for (unsigned i = 0; !err && i < nr; i++)
		err = find_symbol(elf, &dynamic, &symbols[i]);
	return err;
}
