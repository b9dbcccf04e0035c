/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A stapsdt note: three 4-byte numbers, the owner "stapsdt", then three addresses (probe, .stapsdt.base
 * as it was linked, semaphore) and three strings (provider, name, arguments).
 * https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
 */
#include "usdt.h"

#include <asm/ptrace.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "util.h"

#define MAX_NOTES_BYTES (64u << 10)
#define NOP		0x90 /* emulated at a tenth of the cost of a single step */

static const char *const names[PROBE_MAX] = {
	[PROBE_GC_START] = "gc__start",
	[PROBE_GC_DONE] = "gc__done",
	[PROBE_IMPORT_START] = "import__find__load__start",
	[PROBE_IMPORT_DONE] = "import__find__load__done",
	[PROBE_AUDIT] = "audit",
};

static bool find_register(const char *name, size_t len, uint64_t *argument)
{
	static const struct {
		const char *wide, *narrow; /* 8 and 4 bytes */
		uint16_t offset;
	} registers[] = {
#define REGISTER(wide, narrow, member) { wide, narrow, offsetof(struct pt_regs, member) }
		REGISTER("rax", "eax", rax),   REGISTER("rbx", "ebx", rbx),
		REGISTER("rcx", "ecx", rcx),   REGISTER("rdx", "edx", rdx),
		REGISTER("rsi", "esi", rsi),   REGISTER("rdi", "edi", rdi),
		REGISTER("rbp", "ebp", rbp),   REGISTER("rsp", "esp", rsp),
		REGISTER("r8", "r8d", r8),     REGISTER("r9", "r9d", r9),
		REGISTER("r10", "r10d", r10),  REGISTER("r11", "r11d", r11),
		REGISTER("r12", "r12d", r12),  REGISTER("r13", "r13d", r13),
		REGISTER("r14", "r14d", r14),  REGISTER("r15", "r15d", r15),
#undef REGISTER
	};

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		if ((strlen(registers[i].wide) == len && !memcmp(registers[i].wide, name, len)) ||
		    (strlen(registers[i].narrow) == len && !memcmp(registers[i].narrow, name, len))) {
			*argument |= registers[i].offset;
			return true;
		}
	}
	return false;
}

static bool ends_argument(const char *at)
{
	return *at == '\0' || *at == ' ';
}

/* An operand as the assembler has it: %rax, 112(%rsp), $3. */
static bool parse_operand(const char *at, uint64_t *argument)
{
	long number = 0;
	size_t len;
	char *end;

	if (*at == '$')
		*argument |= PROBE_ARG_CONSTANT;
	if (*at != '%') {
		at += *at == '$';
		errno = 0;
		number = strtol(at, &end, 10);
		if (errno || number < INT_MIN || number > INT_MAX || (end == at && *at != '('))
			return false;
		at = end;
		*argument |= (uint64_t)(uint32_t)number << 32;
	}
	if (*argument & PROBE_ARG_CONSTANT)
		return ends_argument(at);
	if (*at == '(') {
		*argument |= PROBE_ARG_MEMORY;
		at++;
	}
	if (*at++ != '%')
		return false;
	for (len = 0; isalnum((unsigned char)at[len]); len++)
		;
	if (!find_register(at, len, argument))
		return false;
	at += len;
	if (*argument & PROBE_ARG_MEMORY && *at++ != ')')
		return false;
	return ends_argument(at);
}

bool usdt_parse_argument(const char *text, uint64_t *argument)
{
	*argument = 0;
	if (!strncmp(text, "-4@", 3)) {
		*argument = PROBE_ARG_INT;
		return parse_operand(text + 3, argument);
	}
	if (!strncmp(text, "-8@", 3))
		text++;
	return !strncmp(text, "8@", 2) && parse_operand(text + 2, argument);
}

/* The place in the file of a linked address. */
static bool offset_of(const struct elf *elf, uint64_t addr, uint32_t flags, __u64 *offset)
{
	for (unsigned i = 0; i < elf->nr_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type != PT_LOAD || (segment->p_flags & flags) != flags ||
		    addr < segment->p_vaddr || addr - segment->p_vaddr >= segment->p_filesz)
			continue;
		*offset = segment->p_offset + (addr - segment->p_vaddr);
		return *offset >= segment->p_offset;
	}
	return false;
}

/* What follows the addresses of a note: strings that must end within it. */
struct strings {
	const char *provider, *name, *arguments;
};

static const char *next_string(const char **at, const char *end)
{
	const char *text = *at, *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

static bool read_strings(const char *at, const char *end, struct strings *strings)
{
	strings->provider = next_string(&at, end);
	strings->name = strings->provider ? next_string(&at, end) : NULL;
	strings->arguments = strings->name ? next_string(&at, end) : NULL;
	return strings->arguments != NULL;
}

static void add_site(struct elf *elf, struct ev_probes *out, unsigned probe, const uint64_t addrs[3],
		     const char *arguments)
{
	const Elf64_Shdr *base = elffile_section(elf, ".stapsdt.base");
	/* prelink moves code and section together. */
	uint64_t moved = base && addrs[1] ? base->sh_addr - addrs[1] : 0;
	struct ev_probe_site site = { .probe = (__u8)probe };
	uint8_t instruction;

	if (out->nr_sites >= PROBE_MAX_SITES || !offset_of(elf, addrs[0] + moved, PF_X, &site.offset) ||
	    elffile_read(elf, site.offset, &instruction, sizeof(instruction)))
		return;
	if (addrs[2] && !offset_of(elf, addrs[2] + moved, PF_W, &site.semaphore))
		return;
	if (instruction != NOP)
		site.status = PROBE_SITE_DEAR;
	else if (!usdt_parse_argument(arguments, (uint64_t *)&site.argument))
		site.status = PROBE_SITE_UNKNOWN;
	out->sites[out->nr_sites++] = site;
}

static void read_note(struct elf *elf, struct ev_probes *out, const char *desc, size_t bytes)
{
	struct strings strings;
	uint64_t addrs[3];

	if (bytes < sizeof(addrs))
		return;
	memcpy(addrs, desc, sizeof(addrs));
	if (!read_strings(desc + sizeof(addrs), desc + bytes, &strings) ||
	    strcmp(strings.provider, "python") != 0)
		return;
	for (unsigned probe = 0; probe < PROBE_MAX; probe++)
		if (!strcmp(strings.name, names[probe]))
			add_site(elf, out, probe, addrs, strings.arguments);
}

void usdt_find(struct elf *elf, struct ev_probes *out)
{
	const Elf64_Shdr *section = elffile_section(elf, ".note.stapsdt");
	cleanup_free char *notes = NULL;
	size_t bytes, at = 0;

	if (!section || section->sh_type == SHT_NOBITS)
		return;
	bytes = min(section->sh_size, (uint64_t)MAX_NOTES_BYTES);
	notes = malloc(bytes ? bytes : 1);
	if (!notes || elffile_read(elf, section->sh_offset, notes, bytes))
		return;
	while (bytes - at >= sizeof(Elf64_Nhdr)) {
		size_t owner_bytes, desc_bytes;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		owner_bytes = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc_bytes = note.n_descsz;
		if (owner_bytes > bytes - at || desc_bytes > bytes - at - owner_bytes)
			return;
		read_note(elf, out, notes + at + owner_bytes, desc_bytes);
		at += owner_bytes + min((desc_bytes + 3) & ~(size_t)3, bytes - at - owner_bytes);
	}
}
