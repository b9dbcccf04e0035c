/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The few facts the reader needs of an ELF file, whose every byte is hostile: segments, two
 * symbols, a section's place, a note, a version literal.  Our own reader rather than libelf's: no
 * size, count or offset of the file is believed before it is checked, and a failed check is
 * -EBADMSG, never more.
 */
#ifndef ELFFILE_H
#define ELFFILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "procmem.h"

#define ELFFILE_MAX_SEGMENTS   64
#define ELFFILE_MAX_FILE_BYTES (512ULL << 20)

struct elf {
	struct mem *mem; /* of a file: offsets; of an image in memory: addresses */
	uint64_t base;	 /* address of the ELF header in mem; 0 for a file */
	uint64_t bytes;	 /* of the file; for an image as much as may be asked for */
	Elf64_Ehdr header;
	Elf64_Phdr segments[ELFFILE_MAX_SEGMENTS];
	unsigned nr_segments;
	Elf64_Shdr *sections; /* NULL for an image or a stripped header: no sections */
	unsigned nr_sections;
	char *section_names;
	size_t section_names_bytes;
};

struct elf_symbol {
	const char *name;
	uint64_t value; /* address as linked */
	bool is_found;
};

/*
 * Reads the headers of a file.  Returns -EBADMSG for what is no ELF or contradicts itself, -ENOEXEC
 * for another machine than x86-64.  The struct mem must outlive it; elffile_close() also after a
 * failure.
 */
int elffile_open(struct elf *elf, struct mem *mem, uint64_t file_bytes);
void elffile_close(struct elf *elf);

/* The ELF header and the segments; elf->mem, base and bytes are set. */
int elffile_read_segments(struct elf *elf);
/* Reads bytes at an offset of the file. */
int elffile_read(struct elf *elf, uint64_t offset, void *buf, size_t len);
/* Is the code linked to run at fixed addresses? */
bool elffile_is_fixed(const struct elf *elf);
/*
 * What to add to a linked address, from a mapping of the file. Returns -ENOENT if no segment is
 * there.
 */
int elffile_bias(const struct elf *elf, uint64_t start_addr, uint64_t offset, uint64_t *bias);

/* NULL if there is none of that name; only such whose bytes lie within the file. */
const Elf64_Shdr *elffile_section(const struct elf *elf, const char *name);
/* Looks in .dynsym, then in .symtab.  Returns 0 also if none was found. */
int elffile_find_symbols(struct elf *elf, struct elf_symbol *symbols, unsigned nr);
/* Does .note.stapsdt hold a probe of this provider? */
bool elffile_has_usdt(struct elf *elf, const char *provider);

#endif
