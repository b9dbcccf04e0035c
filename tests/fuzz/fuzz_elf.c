/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Can a hostile ELF file hurt?  The input is the file: opened, searched for symbols, sections and
 * USDT notes.  Its magic is put right, so that the fuzzer gets past it, and a sectioned file is
 * planted by the seed.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elffile.h"
#include "events.h"
#include "usdt.h"

#define BUDGET	  (64ULL << 20)
#define READS_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	const uint8_t *bytes;
	size_t size;
	unsigned nr_reads;
};

static int read_file(void *ctx, uint64_t offset, void *buf, size_t len)
{
	struct file *file = ctx;

	file->nr_reads++;
	if (offset > file->size || len > file->size - offset)
		return -EFAULT;
	memcpy(buf, file->bytes + offset, len);
	return 0;
}

static void look(struct elf *elf)
{
	struct elf_symbol symbols[2] = { { .name = "_PyRuntime" }, { .name = "Py_Version" } };
	static struct ev_probes probes;
	uint64_t bias;
	char byte;

	assert(elf->nr_segments <= ELFFILE_MAX_SEGMENTS);
	elffile_is_fixed(elf);
	elffile_bias(elf, 0x1000, 0, &bias);
	elffile_find_symbols(elf, symbols, 2);
	elffile_section(elf, ".PyRuntime");
	elffile_has_usdt(elf, "python");
	elffile_read(elf, UINT64_MAX, &byte, 1);
	memset(&probes, 0, sizeof(probes));
	usdt_find(elf, &probes);
	assert(probes.nr_sites <= PROBE_MAX_SITES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };
	uint8_t *copy = malloc(size ? size : 1);
	struct file file = { copy, size, 0 };
	struct mem mem = { read_file, &file, BUDGET };
	struct elf elf;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	memcpy(copy, magic, size < sizeof(magic) ? size : sizeof(magic));
	if (!elffile_open(&elf, &mem, size))
		look(&elf);
	elffile_close(&elf);
	assert(file.nr_reads < READS_MAX);
	free(copy);
	return 0;
}
