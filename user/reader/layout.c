/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is added to a row of the table of layouts out of a running target. */
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debugoffsets.h"
#include "tstateslot.h"
#include "util.h"

#define GIL_BYTES	   208 /* struct _gil_runtime_state with glibc's mutexes and conditions, or musl's: as long */
#define GIL_BYTES_FREE	   216 /* free-threaded builds */
#define MUSL_TID	   48  /* src/internal/pthread_impl.h, struct pthread.tid */
#define MAX_INTERPRETERS   256
#define MAX_THREADS_TRIED  64
#define TSTATE_NEXT	   8 /* PyThreadState.next, 3.9 to 3.15 */
#define RELEASE_LEVEL_BETA 0xb

bool layout_is_unsupported(uint32_t version, char *reason, size_t bytes)
{
	unsigned major = version >> 24, minor = version >> 16 & 0xff, level = version >> 4 & 0xf;
	const char *why = NULL;

	if (major < 3 || (major == 3 && minor < LAYOUT_MINOR_FIRST))
		why = "is older than loophound can read (3.9 is the first)";
	else if (major > 3 || minor > LAYOUT_MINOR_LAST)
		why = "is newer than this loophound knows (3.15 is the last), so its loops, tasks and "
		      "stacks cannot be read";
	else if (level != 0 && level <= RELEASE_LEVEL_BETA)
		why = "is a pre-release, whose layout differs from the final one";
	if (!why)
		return false;
	snprintf(reason, bytes,
		 "CPython %u.%u %s: it cannot be watched", major, minor, why);
	return true;
}

/* The newest interpreter is the head of the list, the main one (id 0) its end. */
static int find_main_interpreter(struct mem *mem, uint64_t runtime_addr,
				 const struct layout_row *row, uint64_t *interp_addr)
{
	uint64_t addr, next, id;
	int err = procmem_read_u64(mem, runtime_addr + row->interpreters_head, &addr);

	if (err)
		return err;
	if (!addr)
		return -EAGAIN;
	for (unsigned i = 0; i < MAX_INTERPRETERS; i++) {
		err = procmem_read_u64(mem, addr + row->interp_next, &next);
		if (err)
			return err;
		if (next) {
			addr = next;
			continue;
		}
		err = procmem_read_u64(mem, addr + row->interp_id, &id);
		if (err)
			return err;
		*interp_addr = addr;
		return id == 0 ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

static int slot_of_thread(struct mem *mem, const struct layout_source *source, const struct layout_row *row,
			  const struct tstateslot_thread *thread, int32_t *slot)
{
	if (row->autotss_key)
		return tstateslot_of_musl_key(mem, source->runtime_addr + row->autotss_key, thread, slot);
	return tstateslot_of_variable(mem, source->getter_addr, thread, slot);
}

/* The slot of the one thread holds for all, so any of which the list is not just changing will do. */
static int find_slot_by_thread(struct mem *mem, const struct layout_source *source, uint64_t interp_addr,
			       const struct layout_row *row, int32_t *slot)
{
	struct tstateslot_thread thread;
	int err = procmem_read_u64(mem, interp_addr + row->interp_threads, &thread.tstate_addr), last = -EAGAIN;

	for (unsigned i = 0; !err && i < MAX_THREADS_TRIED && thread.tstate_addr; i++) {
		err = procmem_read_u64(mem, thread.tstate_addr + row->py.tstate_thread_id, &thread.fs_base);
		if (err)
			break;
		last = slot_of_thread(mem, source, row, &thread, slot);
		if (!last)
			return 0;
		err = procmem_read_u64(mem, thread.tstate_addr + TSTATE_NEXT, &thread.tstate_addr);
	}
	return err ? err : last;
}

/* The row of a version, corrected by what the target itself tells. */
static int find_row(struct mem *mem, uint64_t runtime_addr, uint32_t version, struct layout_row *row)
{
	const struct layout_row *found = layout_find(version >> 16 & 0xff);

	if (!found || version >> 24 != 3)
		return -ENOTSUP;
	*row = *found;
	return row->has_debug_offsets ? debugoffsets_read(mem, runtime_addr, row) : 0;
}

int layout_first_thread(struct mem *mem, uint64_t runtime_addr, uint32_t version,
			uint64_t *tstate_addr)
{
	struct layout_row row;
	uint64_t interp_addr;
	int err = find_row(mem, runtime_addr, version, &row);

	if (!err)
		err = find_main_interpreter(mem, runtime_addr, &row, &interp_addr);
	return err ? err : procmem_read_u64(mem, interp_addr + row.interp_threads, tstate_addr);
}

unsigned layout_first_threads(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *tstate_addrs,
			      unsigned max)
{
	struct layout_row row;
	uint64_t addr = 0;
	unsigned nr = 0;

	if (!find_row(mem, runtime_addr, version, &row))
		addr = procmem_word(mem, runtime_addr + row.interpreters_head);
	while (addr && nr < max) {
		tstate_addrs[nr++] = procmem_word(mem, addr + row.interp_threads);
		addr = procmem_word(mem, addr + row.interp_next);
	}
	return nr;
}

int layout_interpreter(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *interp_addr)
{
	struct layout_row row;
	int err = find_row(mem, runtime_addr, version, &row);

	return err ? err : find_main_interpreter(mem, runtime_addr, &row, interp_addr);
}

int layout_modules(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *dict_addr)
{
	struct layout_row row;
	uint64_t interp_addr;
	int err = find_row(mem, runtime_addr, version, &row);

	if (!err)
		err = find_main_interpreter(mem, runtime_addr, &row, &interp_addr);
	if (!err)
		err = procmem_read_u64(mem, interp_addr + row.interp_modules, dict_addr);
	return !err && !*dict_addr ? -EAGAIN : err;
}

/* Could it point to an object of the collector's list? */
static bool is_list_pointer(uint64_t value)
{
	return value && value % 8 == 0 && value < 1ULL << 47;
}

/*
 * Within 3.13 the generations moved by 4 bytes (3.13.0 is as 3.12, 3.13.5 has them packed), and nothing in
 * _Py_DebugOffsets tells.  Before a threshold is the head of its generation's list, two pointers; what
 * is half of one and half of another is none.
 */
static uint16_t find_gc_young(struct mem *mem, uint64_t collecting_addr, const struct layout_row *row)
{
	uint64_t head[2];

	for (unsigned i = 0; i < ARRAY_SIZE(row->gc_young) && row->gc_young[i]; i++)
		if (!procmem_read(mem, collecting_addr - row->gc_young[i] - sizeof(head), head, sizeof(head)) &&
		    is_list_pointer(head[0]) && is_list_pointer(head[1]))
			return row->gc_young[i];
	return 0;
}

bool layout_has_gil(struct mem *mem, const struct py_layout *layout)
{
	uint32_t enabled;

	return !layout->object_shift || (!procmem_read_u32(mem, layout->gil_addr, &enabled) && enabled);
}

int layout_read(struct mem *mem, const struct layout_source *source, struct py_layout *layout)
{
	struct layout_row row;
	uint64_t interp_addr, gil_addr = source->runtime_addr;
	int err = find_row(mem, source->runtime_addr, source->version, &row);

	if (!err)
		err = debugoffsets_read_asyncio(mem, source->asyncio_addr, &row);
	if (!err)
		err = find_main_interpreter(mem, source->runtime_addr, &row, &interp_addr);
	if (!err && row.autotss_key && !source->is_musl)
		err = tstateslot_of_key(mem, source->runtime_addr + row.autotss_key, &row.py.tstate_slot);
	else if (!err)
		err = find_slot_by_thread(mem, source, interp_addr, &row, &row.py.tstate_slot);
	if (err)
		return err;

	if (row.interp_gil) {
		err = procmem_read_u64(mem, interp_addr + row.interp_gil, &gil_addr);
		if (err)
			return err;
		if (!gil_addr)
			return -EAGAIN;
	}
	row.py.gil_addr = gil_addr + row.runtime_gil;
	row.py.collecting_addr = interp_addr + row.interp_collecting;
	/* The collector of free-threaded builds has no such lists, and none of its probes needs this. */
	if (row.has_debug_offsets && !row.py.object_shift)
		row.py.gc_young = find_gc_young(mem, row.py.collecting_addr, &row);
	row.py.runtime_addr = source->runtime_addr;
	row.py.gil_bytes = row.py.object_shift ? GIL_BYTES_FREE : GIL_BYTES;
	if (source->is_musl && row.py.pthread_tid && !row.py.frame_tlbc)
		row.py.pthread_tid = MUSL_TID;
	row.py.version = source->version;
	row.py.valid = 1;
	*layout = row.py;
	return 0;
}
