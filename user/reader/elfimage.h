/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Symbols of an ELF image in a process's memory, when its file is deleted or cannot be opened. */
#ifndef ELFIMAGE_H
#define ELFIMAGE_H

#include "elffile.h"

/*
 * As elffile_open(), of an image that the loader mapped with its header at base; it has no
 * sections.
 */
int elfimage_open(struct elf *elf, struct mem *mem, uint64_t base);
/* Returns -ENOENT if the image has no GNU hash table, 0 also if no symbol was found. */
int elfimage_find_symbols(struct elf *elf, uint64_t bias, struct elf_symbol *symbols, unsigned nr);

#endif
