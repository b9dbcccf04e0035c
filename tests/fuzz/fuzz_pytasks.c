/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Can a hostile process hurt the reader's count of tasks?  The input is the process's memory, but for what every
 * process of that version has, and a bit of an address that makes a task of what is there: sets, lists, threads and
 * loops are the input's.  What comes out must be a record that the daemon takes.
 */
#include <errno.h>
#include <string.h>

#include "debug_offsets.h"
#include "layout.h"
#include "stream.h"
#include "tasks.h"

#define WINDOW	 0xffff /* addresses repeat every 64 KiB: random pointers lead somewhere ... */
#define UNMAPPED (1ULL << 47) /* ... unless this bit is set */
#define TYPES	 (1ULL << 46) /* a type, by bits 16 and 17; its name 256 bytes into it */
#define A_TASK	 (1ULL << 45) /* an object of type _asyncio.Task */
#define RUNTIME	 0x100
#define SET	 0x40
#define ASYNCIO	 0x80
#define BUDGET	 (8ULL << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *bytes;
	size_t size;
	unsigned minor, shift;
};

enum { TYPE_SET, TYPE_TASK, TYPE_FUTURE, TYPE_NONE };
static const char *const names[] = { "set", "_asyncio.Task", "_asyncio.Future", "NoneType" };

static uint64_t type_at(unsigned type)
{
	return TYPES | (uint64_t)type << 16;
}

static void read_type(const struct memory *memory, uint64_t addr, void *buf, size_t len)
{
	const char *name = names[addr >> 16 & 3];
	uint64_t name_addr = (addr & ~0xffffULL) | 0x100;

	memset(buf, 0, len);
	if ((addr & 0xffff) == 24 + memory->shift && len == sizeof(name_addr))
		memcpy(buf, &name_addr, len);
	else if ((addr & 0xffff) == 0x100)
		memcpy(buf, name, len < strlen(name) ? len : strlen(name));
}

static void put_u64(void *buf, size_t len, size_t at, uint64_t value)
{
	if (at + sizeof(value) <= len)
		memcpy((uint8_t *)buf + at, &value, sizeof(value));
}

/* _Py_DebugOffsets as that version has them. */
static void put_offsets(const struct memory *memory, void *buf, size_t len)
{
	memset(buf, 0, len);
	put_u64(buf, len, 16, memory->shift ? 1 : 0);
	for (unsigned i = 0; memory->minor >= 13 && i < ARRAY_SIZE(debug_offsets); i++)
		if (debug_offsets[i].at[memory->minor - 13])
			put_u64(buf, len, debug_offsets[i].at[memory->minor - 13],
				memory->shift ? debug_offsets[i].free_threaded[memory->minor - 13]
					      : debug_offsets[i].value[memory->minor - 13]);
}

static int read_memory(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct memory *memory = ctx;
	size_t at = addr & WINDOW;

	if (addr & UNMAPPED || ((!(addr & TYPES)) && (at > memory->size || len > memory->size - at)))
		return -EFAULT;
	if (addr & TYPES) {
		read_type(memory, addr, buf, len);
		return 0;
	}
	memcpy(buf, memory->bytes + at, len);
	if (addr == RUNTIME && len > 500)
		put_offsets(memory, buf, len);
	if (addr == SET + 8 + memory->shift)
		put_u64(buf, len, 0, type_at(TYPE_SET));
	if (addr & A_TASK)
		put_u64(buf, len, 8 + memory->shift, type_at(TYPE_TASK));
	if (addr == ASYNCIO && len == 13 * 8) {
		put_u64(buf, len, 6 * 8, 152);
		put_u64(buf, len, 8 * 8, 0x200);
		put_u64(buf, len, 12 * 8, 0x300);
	}
	return 0;
}

static void demand(int is_true)
{
	if (!is_true)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct task_tables tables = { { SET, SET }, ASYNCIO };
	struct mem mem = { .read = read_memory, .budget_bytes = BUDGET };
	struct memory memory = { .bytes = data + 1, .size = size - 1 };
	static struct ev_tasks ev;
	const struct ev_head *head;
	struct task_tables found;
	struct layout_row row;

	if (size < 1)
		return 0;
	row = *layout_find(LAYOUT_MINOR_FIRST + (data[0] & 0x7f) % (LAYOUT_MINOR_LAST - LAYOUT_MINOR_FIRST + 1));
	if (row.py.minor >= 13 && data[0] & 0x80)
		layout_free_threaded(&row);
	memory.minor = row.py.minor;
	memory.shift = row.py.object_shift;
	mem.ctx = &memory;
	row.py.runtime_addr = RUNTIME;
	row.py.version = (uint32_t)(3u << 24 | row.py.minor << 16 | 0xf0);
	row.py.current_tasks_addr = 0x20;
	tasks_read(&mem, &row.py, &tables, UINT64_MAX, &ev);
	demand(decode(&ev, sizeof(ev), &head) == 0);
	(void)tasks_find_sets(&mem, &row.py, &found);
	return 0;
}
