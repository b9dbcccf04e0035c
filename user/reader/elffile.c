/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Headers and sections of a hostile ELF file. */
#include "elffile.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#define MAX_SECTIONS	  4096
#define MAX_NAMES_BYTES	  (1u << 20)
#define MAX_STRINGS_BYTES (32u << 20) /* libpython with symbols has 1 MiB */
#define MAX_SYMBOLS	  (1u << 20)
#define MAX_NOTES_BYTES	  (256u << 10)
#define SYMBOLS_AT_ONCE	  1024
#define PAGE_BYTES	  4096ULL

static bool is_within(const struct elf *elf, uint64_t offset, uint64_t len)
{
	return offset <= elf->bytes && len <= elf->bytes - offset;
}

int elffile_read(struct elf *elf, uint64_t offset, void *buf, size_t len)
{
	if (!is_within(elf, offset, len) || elf->base > UINT64_MAX - offset)
		return -EBADMSG;
	return procmem_read(elf->mem, elf->base + offset, buf, len);
}

int elffile_read_segments(struct elf *elf)
{
	int err = elffile_read(elf, 0, &elf->header, sizeof(elf->header));

	if (err)
		return err;
	if (memcmp(elf->header.e_ident, ELFMAG, SELFMAG) != 0)
		return -EBADMSG;
	if (elf->header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->header.e_ident[EI_DATA] != ELFDATA2LSB || elf->header.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (elf->header.e_phentsize != sizeof(Elf64_Phdr) || elf->header.e_phnum == 0 ||
	    elf->header.e_phnum > ELFFILE_MAX_SEGMENTS)
		return -EBADMSG;
	err = elffile_read(elf, elf->header.e_phoff, elf->segments,
			   elf->header.e_phnum * sizeof(Elf64_Phdr));
	if (!err)
		elf->nr_segments = elf->header.e_phnum;
	return err;
}

/* Sections are optional: a file without them, or with broken ones, still has segments. */
static int read_sections(struct elf *elf)
{
	cleanup_free Elf64_Shdr *sections = NULL;
	cleanup_free char *names = NULL;
	const Elf64_Ehdr *header = &elf->header;
	size_t names_bytes;

	if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shnum == 0 ||
	    header->e_shnum > MAX_SECTIONS || header->e_shstrndx >= header->e_shnum)
		return 0;
	sections = calloc(header->e_shnum, sizeof(*sections));
	if (!sections)
		return -ENOMEM;
	if (elffile_read(elf, header->e_shoff, sections, header->e_shnum * sizeof(*sections)))
		return 0;
	names_bytes = sections[header->e_shstrndx].sh_size;
	if (names_bytes == 0 || names_bytes > MAX_NAMES_BYTES)
		return 0;
	names = malloc(names_bytes);
	if (!names)
		return -ENOMEM;
	if (elffile_read(elf, sections[header->e_shstrndx].sh_offset, names, names_bytes))
		return 0;
	names[names_bytes - 1] = '\0';
	elf->section_names = take(names);
	elf->section_names_bytes = names_bytes;
	elf->sections = take(sections);
	elf->nr_sections = header->e_shnum;
	return 0;
}

int elffile_open(struct elf *elf, struct mem *mem, uint64_t file_bytes)
{
	int err;

	memset(elf, 0, sizeof(*elf));
	if (file_bytes > ELFFILE_MAX_FILE_BYTES)
		return -EFBIG;
	elf->mem = mem;
	elf->bytes = file_bytes;
	err = elffile_read_segments(elf);
	return err ? err : read_sections(elf);
}

void elffile_close(struct elf *elf)
{
	free(elf->sections);
	free(elf->section_names);
	memset(elf, 0, sizeof(*elf));
}

bool elffile_is_fixed(const struct elf *elf)
{
	return elf->header.e_type == ET_EXEC;
}

int elffile_bias(const struct elf *elf, uint64_t start_addr, uint64_t offset, uint64_t *bias)
{
	if (elffile_is_fixed(elf)) {
		*bias = 0;
		return 0;
	}
	for (unsigned i = 0; i < elf->nr_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		uint64_t first = segment->p_offset & ~(PAGE_BYTES - 1);

		/* Wraps around harmlessly: the sum is only right modulo 2^64, as in the loader. */
		if (segment->p_type == PT_LOAD && offset >= first &&
		    offset - first < segment->p_filesz + (segment->p_offset - first)) {
			*bias = start_addr - (segment->p_vaddr + (offset - segment->p_offset));
			return 0;
		}
	}
	return -ENOENT;
}

const Elf64_Shdr *elffile_section(const struct elf *elf, const char *name)
{
	for (unsigned i = 0; i < elf->nr_sections; i++) {
		const Elf64_Shdr *section = &elf->sections[i];

		if (section->sh_name >= elf->section_names_bytes ||
		    strcmp(elf->section_names + section->sh_name, name) != 0)
			continue;
		if (section->sh_type != SHT_NOBITS &&
		    !is_within(elf, section->sh_offset, section->sh_size))
			return NULL;
		return section;
	}
	return NULL;
}

static void match_symbol(const Elf64_Sym *symbol, const char *strings, size_t strings_bytes,
			 struct elf_symbol *symbols, unsigned nr)
{
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_name >= strings_bytes)
		return;
	for (unsigned i = 0; i < nr; i++) {
		if (symbols[i].is_found || strcmp(strings + symbol->st_name, symbols[i].name) != 0)
			continue;
		symbols[i].value = symbol->st_value;
		symbols[i].is_found = true;
	}
}

static bool is_all_found(const struct elf_symbol *symbols, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		if (!symbols[i].is_found)
			return false;
	}
	return true;
}

static int find_in_table(struct elf *elf, const Elf64_Shdr *table, struct elf_symbol *symbols,
			 unsigned nr)
{
	cleanup_free Elf64_Sym *chunk = NULL;
	cleanup_free char *strings = NULL;
	const Elf64_Shdr *names;
	uint64_t left = min(table->sh_size / sizeof(Elf64_Sym), (uint64_t)MAX_SYMBOLS);
	uint64_t at = table->sh_offset;
	int err;

	if (table->sh_type == SHT_NOBITS || table->sh_link >= elf->nr_sections)
		return 0;
	names = &elf->sections[table->sh_link];
	if (names->sh_size == 0 || names->sh_size > MAX_STRINGS_BYTES ||
	    !is_within(elf, names->sh_offset, names->sh_size))
		return 0;
	strings = malloc(names->sh_size);
	chunk = malloc(SYMBOLS_AT_ONCE * sizeof(*chunk));
	if (!strings || !chunk)
		return -ENOMEM;
	err = elffile_read(elf, names->sh_offset, strings, names->sh_size);
	strings[names->sh_size - 1] = '\0';
	while (!err && left && !is_all_found(symbols, nr)) {
		unsigned count = (unsigned)min(left, (uint64_t)SYMBOLS_AT_ONCE);

		err = elffile_read(elf, at, chunk, count * sizeof(*chunk));
		for (unsigned i = 0; !err && i < count; i++)
			match_symbol(&chunk[i], strings, names->sh_size, symbols, nr);
		at += count * sizeof(*chunk);
		left -= count;
	}
	return err;
}

int elffile_find_symbols(struct elf *elf, struct elf_symbol *symbols, unsigned nr)
{
	static const char *const tables[] = { ".dynsym", ".symtab" };

	for (unsigned i = 0; i < ARRAY_SIZE(tables) && !is_all_found(symbols, nr); i++) {
		const Elf64_Shdr *table = elffile_section(elf, tables[i]);
		int err = table ? find_in_table(elf, table, symbols, nr) : 0;

		if (err)
			return err;
	}
	return 0;
}

/*
 * A stapsdt note: three 4-byte lengths and type, the owner "stapsdt", then three addresses and the
 * provider's name.  https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
 */
bool elffile_has_usdt(struct elf *elf, const char *provider)
{
	const Elf64_Shdr *section = elffile_section(elf, ".note.stapsdt");
	cleanup_free char *notes = NULL;
	size_t bytes, at = 0, provider_bytes = strlen(provider) + 1;

	if (!section || section->sh_type == SHT_NOBITS)
		return false;
	bytes = min(section->sh_size, (uint64_t)MAX_NOTES_BYTES);
	notes = malloc(bytes ? bytes : 1);
	if (!notes || elffile_read(elf, section->sh_offset, notes, bytes))
		return false;
	while (bytes - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t owner_bytes, desc_at;

		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		if (note.n_namesz > bytes - at)
			return false;
		owner_bytes = (note.n_namesz + 3u) & ~3u;
		if (owner_bytes > bytes - at || note.n_descsz > bytes - at - owner_bytes)
			return false;
		desc_at = at + owner_bytes;
		if (note.n_descsz >= 24 + provider_bytes &&
		    memcmp(notes + desc_at + 24, provider, provider_bytes) == 0)
			return true;
		at = desc_at + min((size_t)((note.n_descsz + 3u) & ~3u), bytes - desc_at);
	}
	return false;
}
