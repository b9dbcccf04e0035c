/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ELF files whole, cut and with flipped bytes: this very program, which is one and has a known
 * symbol.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elffile.h"
#include "elfimage.h"
#include "usdt.h"
#include "util.h"

#define KNOWN "reader_test_known_symbol"

extern const int reader_test_known_symbol;
__attribute__((visibility("default"))) const int reader_test_known_symbol = 4711;

/* Where this program's ELF header is; the linker defines it. */
extern const char __ehdr_start[];

static uint8_t *file;
static size_t file_bytes;

struct view {
	const uint8_t *bytes;
	size_t len;
};

static int view_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct view *view = ctx;

	if (addr > view->len || len > view->len - addr)
		return -EFAULT;
	memcpy(buf, view->bytes + addr, len);
	return 0;
}

/* Everything the reader asks of a file. Returns whether the symbol was found. */
static bool use_file(const uint8_t *bytes, size_t len, size_t claimed_bytes, uint64_t *value)
{
	struct view view = { bytes, len };
	struct mem mem = { view_read, &view, 256 << 20 };
	struct elf_symbol symbols[] = { { .name = KNOWN }, { .name = "no_such_symbol" } };
	struct elf elf;
	uint64_t bias;

	if (elffile_open(&elf, &mem, claimed_bytes) == 0) {
		elffile_find_symbols(&elf, symbols, ARRAY_SIZE(symbols));
		elffile_section(&elf, ".PyRuntime");
		elffile_has_usdt(&elf, "python");
		usdt_find(&elf, &(struct ev_probes){ .nr_sites = 0 });
		elffile_bias(&elf, 0x1000, 0, &bias);
		elffile_bias(&elf, UINT64_MAX, UINT64_MAX, &bias);
	}
	elffile_close(&elf);
	assert_false(symbols[1].is_found);
	*value = symbols[0].value;
	return symbols[0].is_found;
}

static int load_self(void **state)
{
	cleanup_fclose FILE *self = fopen("/proc/self/exe", "rb");

	(void)state;
	if (!self || fseek(self, 0, SEEK_END))
		return -1;
	file_bytes = (size_t)ftell(self);
	rewind(self);
	file = malloc(file_bytes);
	return file && fread(file, 1, file_bytes, self) == file_bytes ? 0 : -1;
}

static int unload_self(void **state)
{
	(void)state;
	free(file);
	return 0;
}

static void the_symbol_and_the_bias_give_its_address(void **state)
{
	struct view view = { file, file_bytes };
	struct mem mem = { view_read, &view, 256 << 20 };
	struct elf elf;
	uint64_t value, bias;

	(void)state;
	assert_true(use_file(file, file_bytes, file_bytes, &value));
	assert_int_equal(elffile_open(&elf, &mem, file_bytes), 0);
	assert_int_equal(elffile_bias(&elf, (uintptr_t)__ehdr_start, 0, &bias), 0);
	assert_int_equal(bias + value, (uintptr_t)&reader_test_known_symbol);
	assert_non_null(elffile_section(&elf, ".text"));
	assert_null(elffile_section(&elf, ".no-such-section"));
	assert_false(elffile_has_usdt(&elf, "python"));
	elffile_close(&elf);
}

/* glibc's image in our own memory: its symbols as the loader finds them. */
static void symbols_are_found_in_an_image(void **state)
{
	struct elf_symbol symbols[] = { { .name = "process_vm_readv" },
					{ .name = "no_such_symbol" } };
	cleanup_fclose FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long start = 0;
	char text[512];
	struct elf elf;
	struct mem mem;
	uint64_t bias;

	(void)state;
	while (fgets(text, sizeof(text), maps)) {
		if (strstr(text, "/libc.so.6") || strstr(text, "/libc-2")) {
			assert_int_equal(sscanf(text, "%llx", &start), 1);
			break;
		}
	}
	if (!start)
		skip();
	procmem_of_process(&mem, getpid(), 1 << 20);
	assert_int_equal(elfimage_open(&elf, &mem, start), 0);
	assert_int_equal(elffile_bias(&elf, start, 0, &bias), 0);
	assert_int_equal(elfimage_find_symbols(&elf, bias, symbols, ARRAY_SIZE(symbols)), 0);
	assert_true(symbols[0].is_found);
	assert_false(symbols[1].is_found);
	assert_true(bias + symbols[0].value > start);
	elffile_close(&elf);
}

static void a_cut_file_is_survived(void **state)
{
	uint64_t value;

	(void)state;
	for (size_t len = 0; len < file_bytes; len += len < 2048 ? 7 : file_bytes / 97) {
		use_file(file, len, len, &value);
		use_file(file, len, file_bytes, &value);
		use_file(file, len, ELFFILE_MAX_FILE_BYTES, &value);
	}
	assert_false(use_file(file, file_bytes, ELFFILE_MAX_FILE_BYTES + 1, &value));
}

/* Headers decide everything: they are hit harder than the rest. */
static void flipped_bytes_are_survived(void **state)
{
	Elf64_Ehdr header;
	uint64_t value;

	(void)state;
	srandom(2026);
	memcpy(&header, file, sizeof(header));
	for (unsigned round = 0; round < 1500; round++) {
		size_t area = round % 3 == 0 ? 0 : round % 3 == 1 ? header.e_phoff : header.e_shoff;
		size_t at = area + (size_t)random() % (round % 3 == 2 ? 2560 : 640);
		uint8_t old;

		if (at >= file_bytes)
			continue;
		old = file[at];
		file[at] = round % 2 ? (uint8_t)random() : 0xff;
		use_file(file, file_bytes, file_bytes, &value);
		file[at] = old;
	}
	assert_true(use_file(file, file_bytes, file_bytes, &value));
}

static void other_machines_and_no_elf_are_told_apart(void **state)
{
	cleanup_free uint8_t *copy = malloc(4096);
	struct view view = { copy, 4096 };
	struct mem mem = { view_read, &view, 1 << 20 };
	struct elf elf;

	(void)state;
	memcpy(copy, file, 4096);
	copy[EI_CLASS] = ELFCLASS32;
	assert_int_equal(elffile_open(&elf, &mem, 4096), -ENOEXEC);
	elffile_close(&elf);
	memcpy(copy, file, 4096);
	copy[offsetof(Elf64_Ehdr, e_machine)] = EM_AARCH64;
	assert_int_equal(elffile_open(&elf, &mem, 4096), -ENOEXEC);
	elffile_close(&elf);
	memcpy(copy, "#!/bin/sh\n", 10);
	assert_int_equal(elffile_open(&elf, &mem, 4096), -EBADMSG);
	elffile_close(&elf);
}

/* A file of nothing but headers and one section of notes. */
static bool has_usdt(const uint8_t *notes, size_t bytes)
{
	static const char names[] = "\0.note.stapsdt\0.names";
	uint8_t image[1024] = { 0 };
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_machine = EM_X86_64,
		.e_type = ET_DYN,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_phoff = 64,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 2,
		.e_shoff = 128,
		.e_shstrndx = 1,
	};
	Elf64_Shdr sections[2] = {
		{ .sh_name = 1, .sh_type = SHT_NOTE, .sh_offset = 512, .sh_size = bytes },
		{ .sh_name = 15,
		  .sh_type = SHT_STRTAB,
		  .sh_offset = 400,
		  .sh_size = sizeof(names) },
	};
	struct view view = { image, sizeof(image) };
	struct mem mem = { view_read, &view, 1 << 20 };
	struct elf elf;
	bool has;

	memcpy(image, &header, sizeof(header));
	memcpy(image + 128, sections, sizeof(sections));
	memcpy(image + 400, names, sizeof(names));
	memcpy(image + 512, notes, bytes);
	assert_int_equal(elffile_open(&elf, &mem, sizeof(image)), 0);
	assert_non_null(elffile_section(&elf, ".note.stapsdt"));
	has = elffile_has_usdt(&elf, "python");
	elffile_close(&elf);
	return has;
}

static void probes_are_known_by_their_provider(void **state)
{
	struct {
		Elf64_Nhdr head;
		char owner[8];
		uint64_t addrs[3];
		char text[24];
	} notes[2] = {
		{ { 8, 24 + 20, 3 }, "stapsdt", { 1, 2, 3 }, "other\0gc__start\0x" },
		{ { 8, 24 + 20, 3 }, "stapsdt", { 1, 2, 3 }, "python\0gc__start\0x" },
	};

	uint8_t packed[2 * 64];
	size_t used = 0;

	(void)state;
	/* A description of 44 bytes ends on a multiple of 4: the second note follows at once. */
	for (unsigned i = 0; i < 2; i++) {
		memcpy(packed + used, &notes[i].head, sizeof(Elf64_Nhdr));
		memcpy(packed + used + 12, notes[i].owner, 8);
		memcpy(packed + used + 20, notes[i].addrs, 24);
		memcpy(packed + used + 44, notes[i].text, 20);
		used += 64;
	}
	assert_true(has_usdt(packed, used));
	assert_false(has_usdt(packed, 64));
	for (size_t bytes = 0; bytes < used - 20; bytes++)
		has_usdt(packed, bytes);
	for (size_t at = 0; at < 12; at++) {
		uint8_t old = packed[at];

		packed[at] = 0xff;
		has_usdt(packed, used);
		packed[at] = old;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_symbol_and_the_bias_give_its_address),
		cmocka_unit_test(symbols_are_found_in_an_image),
		cmocka_unit_test(a_cut_file_is_survived),
		cmocka_unit_test(flipped_bytes_are_survived),
		cmocka_unit_test(other_machines_and_no_elf_are_told_apart),
		cmocka_unit_test(probes_are_known_by_their_provider),
	};

	return cmocka_run_group_tests(tests, load_self, unload_self);
}
