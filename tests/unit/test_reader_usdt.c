/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* USDT notes to places and arguments: of this very program, which has some, good and bad. */
#include <asm/ptrace.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "usdt.h"
#include "util.h"

/* A probe as <sys/sdt.h> makes it, on an instruction of one's choice. */
#define PROBE(provider, name, instruction, arguments)                                           \
	asm volatile("990: " instruction "\n"                                                   \
		     ".pushsection .note.stapsdt,\"\",\"note\"\n"                               \
		     ".balign 4\n.4byte 992f-991f, 994f-993f, 3\n"                              \
		     "991: .asciz \"stapsdt\"\n992: .balign 4\n"                                \
		     "993: .8byte 990b, 0, usdt_test_semaphore\n"                               \
		     ".asciz \"" provider "\"\n.asciz \"" name "\"\n.asciz \"" arguments "\"\n" \
		     "994: .balign 4\n.popsection\n")

__attribute__((used)) uint16_t usdt_test_semaphore = 4711; /* in .data: it has bytes in the file */

__attribute__((used, noinline)) static void has_probes(void)
{
	PROBE("python", "gc__start", "nop", "-4@112(%rsp)");
	PROBE("python", "gc__done", "nop", "-8@%r12");
	PROBE("python", "import__find__load__start", "lea 1(%rax), %rax", "8@%rax");
	PROBE("python", "import__find__load__done", "nop", "8@somewhere -4@%edx");
	PROBE("python", "audit", "nop", "8@%rbx");
	PROBE("python", "line", "nop", "8@%rbx");
	PROBE("ruby", "gc__start", "nop", "-4@%eax");
}

static int file_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	return pread(*(int *)ctx, buf, len, (off_t)addr) == (ssize_t)len ? 0 : -EFAULT;
}

static void the_sites_of_a_file_are_found(void **state)
{
	cleanup_fclose FILE *self = fopen("/proc/self/exe", "rb");
	int fd = fileno(self);
	struct mem mem = { file_read, &fd, 64 << 20 };
	struct ev_probes probes = { .nr_sites = 0 };
	uint16_t semaphore;
	uint8_t code;
	struct elf elf;

	(void)state;
	fseek(self, 0, SEEK_END);
	assert_int_equal(elffile_open(&elf, &mem, (uint64_t)ftell(self)), 0);
	usdt_find(&elf, &probes);
	elffile_close(&elf);
	assert_int_equal(probes.nr_sites, 5);
	for (unsigned i = 0; i < probes.nr_sites; i++) {
		const struct ev_probe_site *site = &probes.sites[i];
		static const uint8_t status[PROBE_MAX] = { PROBE_SITE_OK, PROBE_SITE_OK,
							   PROBE_SITE_DEAR, PROBE_SITE_UNKNOWN };

		assert_int_equal(site->probe, i);
		assert_int_equal(site->status, status[i]);
		assert_int_equal(file_read(&fd, site->offset, &code, 1), 0);
		assert_int_equal(code == 0x90, i != PROBE_IMPORT_START);
		assert_int_equal(file_read(&fd, site->semaphore, &semaphore, 2), 0);
		assert_int_equal(semaphore, 4711);
	}
	assert_int_equal(probes.sites[0].argument, 112ULL << 32 | PROBE_ARG_INT | PROBE_ARG_MEMORY |
							   offsetof(struct pt_regs, rsp));
}

static void arguments_are_read_as_the_assembler_writes_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t argument; /* 0: not understood */
	} cases[] = {
		{ "8@%rax -4@%edx", offsetof(struct pt_regs, rax) },
		{ "-8@%r12", offsetof(struct pt_regs, r12) },
		{ "-4@%edx", PROBE_ARG_INT | offsetof(struct pt_regs, rdx) },
		{ "-4@%r9d", PROBE_ARG_INT | offsetof(struct pt_regs, r9) },
		{ "-4@-228(%rbp)", (uint64_t)(uint32_t)-228 << 32 | PROBE_ARG_INT |
					   PROBE_ARG_MEMORY | offsetof(struct pt_regs, rbp) },
		{ "8@(%rsi)", PROBE_ARG_MEMORY | offsetof(struct pt_regs, rsi) },
		{ "-4@$2", 2ULL << 32 | PROBE_ARG_INT | PROBE_ARG_CONSTANT },
		{ "-4@$-1", 0xffffffffULL << 32 | PROBE_ARG_INT | PROBE_ARG_CONSTANT },
		{ "", 0 },
		{ "8@", 0 },
		{ "8@%", 0 },
		{ "8@%xmm0", 0 },
		{ "8@%rax)", 0 },
		{ "8@8(%rax", 0 },
		{ "8@8(%rax,%rbx,4)", 0 },
		{ "8@foo(%rip)", 0 },
		{ "2@%ax", 0 },
		{ "8@99999999999(%rax)", 0 },
		{ "8@rax", 0 },
		{ "8@$", 0 },
		{ "8@%raxx", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t argument;
		bool is_understood = usdt_parse_argument(cases[i].text, &argument);

		if (is_understood != (cases[i].argument != 0) ||
		    (is_understood && argument != cases[i].argument))
			fail_msg("%s: %llx", cases[i].text, (unsigned long long)argument);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sites_of_a_file_are_found),
		cmocka_unit_test(arguments_are_read_as_the_assembler_writes_them),
	};

	has_probes();
	return cmocka_run_group_tests_name("reader_usdt", tests, NULL, NULL);
}
