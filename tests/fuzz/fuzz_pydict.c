/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Can a hostile process hurt the reader's look-up by name?  The input is the process's memory: reads
 * must stay within the budget and their number within the bound, whatever the sizes in it say.
 *
 * clang -fsanitize=fuzzer,address,undefined -Ibpf -Iuser/base -Iuser/reader tests/fuzz/fuzz_pydict.c \
 *	user/reader/layout.c user/reader/procmem.c user/reader/pydict.c user/reader/pymodules.c
 */
#include <errno.h>
#include <string.h>

#include "layout.h"
#include "pydict.h"
#include "pymodules.h"

#define WINDOW	  0xffff /* addresses repeat every 64 KiB: random pointers lead somewhere ... */
#define UNMAPPED  (1ULL << 47) /* ... unless this bit is set */
#define RUNTIME	  0x100
#define DICT	  0x40
#define NAMES	  (1ULL << 46) /* what no chance finds: names of types, keys */
#define READS_MAX (2 * PYDICT_MAX_ENTRIES + 16)
#define BUDGET	  (32ULL << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *bytes;
	size_t size;
	unsigned nr_reads;
};

/* Types: at NAMES | kind << 16, their names 256 bytes into each. */
static const char *const planted[] = { "dict", "function", "code", "tuple" };

static void read_planted(uint64_t addr, void *buf, size_t len)
{
	const char *name = planted[addr >> 16 & 3];
	uint64_t name_addr = (addr & ~0xffffULL) | 0x100;

	memset(buf, 0, len);
	if (((addr & 0xffff) == 24 || (addr & 0xffff) == 16 + 24) && len == sizeof(name_addr))
		memcpy(buf, &name_addr, len);
	else
		memcpy(buf, name, len < strlen(name) ? len : strlen(name));
}

static int read_memory(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct memory *memory = ctx;
	size_t at = addr & WINDOW;

	memory->nr_reads++;
	if ((addr == DICT + 8 || addr == DICT + 16 + 8) && len == sizeof(uint64_t)) {
		memcpy(buf, &(uint64_t){ NAMES }, len); /* a dict, for certain */
		return 0;
	}
	if (addr & NAMES && !(addr & UNMAPPED)) {
		read_planted(addr, buf, len);
		return 0;
	}
	if (addr & UNMAPPED || at > memory->size || len > memory->size - at)
		return -EFAULT;
	memcpy(buf, memory->bytes + at, len);
	return 0;
}

static void demand(int is_true)
{
	if (!is_true)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory memory = { data + 1, size - 1, 0 };
	struct mem mem = { read_memory, &memory, BUDGET };
	struct py_layout layout;
	uint64_t value = 0;
	int err;

	if (size < 1)
		return 0;
	layout = layout_find(LAYOUT_MINOR_FIRST + data[0] % 5)->py;
	if (data[0] & 0x80)
		layout.object_shift = 16;
	err = pydict_find(&mem, &layout, DICT, "wanted", &value);
	demand(err <= 0 && (err || value) && memory.nr_reads <= READS_MAX);
	layout.runtime_addr = RUNTIME;
	layout.version = (uint32_t)(3u << 24 | layout.minor << 16 | 0xf0);
	pymodules_read(&mem, &layout);
	demand(layout.run_once_ntodo < 64);
	return 0;
}
