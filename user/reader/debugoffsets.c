/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The offsets that the target tells go before those of the table: micro releases have moved members.
 * They are as hostile as all of its memory, so each has a bound.
 */
#include "debugoffsets.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util.h"

#define MAX_INTERP_OFFSET  (1u << 20)
#define MAX_TSTATE_BYTES   4096 /* PyThreadState */
#define MAX_IMPL_OFFSET	   32768 /* _PyThreadStateImpl: 19 KiB without the GIL */
#define MAX_FRAME_OFFSET   256
#define MAX_CODE_OFFSET	   512
#define MAX_TASK_OFFSET	   512
#define FIRST_MINOR	   13
#define NR_MINORS	   3

/*
 * struct _Py_DebugOffsets, Include/internal/pycore_runtime.h, later pycore_debug_offsets.h.  Each member
 * is 8 bytes; groups grow from one minor version to the next.
 */
static const uint16_t table_bytes[NR_MINORS] = { 584, 760, 888 };

/* Members of it: their place by minor version, what they give, bounds of the value. */
/* clang-format off */
static const struct {
	uint16_t at[NR_MINORS];	/* 3.13, 3.14, 3.15 */
	uint16_t member;	/* in struct py_layout, 2 bytes */
	uint16_t max;		/* largest plausible offset */
	uint16_t align;
} layout_members[] = {
#define M(name) offsetof(struct py_layout, name)
	{ { 184, 208, 208 }, M(tstate_frame),	  MAX_TSTATE_BYTES, 8 }, /* thread_state.current_frame */
	{ { 192, 216, 240 }, M(tstate_thread_id), MAX_TSTATE_BYTES, 8 }, /* .thread_id */
	{ { 200, 224, 248 }, M(tstate_native_id), MAX_TSTATE_BYTES, 8 }, /* .native_thread_id */
	{ { 232, 256, 320 }, M(frame_back),	  256, 8 }, /* interpreter_frame.previous */
	{ { 240, 264, 328 }, M(frame_code),	  256, 8 }, /* .executable */
	{ { 248, 272, 336 }, M(frame_instr),	  256, 8 }, /* .instr_ptr */
	{ { 256, 280, 344 }, M(frame_locals),	  256, 8 }, /* .localsplus */
	{ { 264, 288, 352 }, M(frame_owner),	  256, 1 }, /* .owner */
	{ { 280, 320, 384 }, M(code_filename),	  512, 8 }, /* code_object.filename */
	{ { 288, 328, 392 }, M(code_name),	  512, 8 }, /* .name */
	{ { 296, 336, 400 }, M(code_qualname),	  512, 8 }, /* .qualname */
	{ { 304, 344, 408 }, M(code_linetable),	  512, 8 }, /* .linetable */
	{ { 312, 352, 416 }, M(code_firstlineno), 512, 4 }, /* .firstlineno */
	{ { 344, 384, 448 }, M(code_bytecode),	  512, 2 }, /* .co_code_adaptive */
	{ { 560, 640, 736 }, M(str_ascii_data),	  128, 8 }, /* unicode_object.asciiobject_size */
#undef M
};

static const struct {
	uint16_t at[NR_MINORS];
	uint16_t member; /* in struct layout_row, 4 bytes */
	uint32_t max;
} row_members[] = {
#define M(name) offsetof(struct layout_row, name)
	{ {  40,  40,  40 }, M(interpreters_head), MAX_INTERP_OFFSET }, /* runtime_state */
	{ {  56,  56,  56 }, M(interp_id),	   MAX_INTERP_OFFSET }, /* interpreter_state.id */
	{ {  64,  64,  64 }, M(interp_next),	   MAX_INTERP_OFFSET }, /* .next */
	{ {  72,  72,  72 }, M(interp_threads),	   MAX_INTERP_OFFSET }, /* .threads_head */
	{ {  88,  96,  96 }, M(interp_modules),	   MAX_INTERP_OFFSET }, /* .imports_modules */
	{ { 112, 120, 120 }, M(interp_gil),	   MAX_INTERP_OFFSET }, /* .ceval_gil */
	{ {  80,  88,  88 }, M(interp_collecting), MAX_INTERP_OFFSET }, /* .gc; gc.collecting is added */
	{ { 152, 176, 176 }, M(tstate_bytes),	   MAX_TSTATE_BYTES },  /* thread_state.size */
#undef M
};
/* clang-format on */
static const uint16_t gc_collecting[NR_MINORS] = { 576, 656, 760 };

/* Of free-threaded builds only: the copies of the bytecode that threads run, 3.14+. */
#define FREE_THREADED 16 /* whether it is one */
static const uint16_t frame_tlbc_index[NR_MINORS] = { 0, 304, 368 }; /* interpreter_frame.tlbc_index */
static const uint16_t code_tlbc[NR_MINORS] = { 0, 392, 456 };	      /* code_object.co_tlbc */

static uint64_t value_at(const uint8_t *table, unsigned at)
{
	uint64_t value;

	memcpy(&value, table + at, sizeof(value));
	return value;
}

static bool take_layout(const uint8_t *table, unsigned column, struct py_layout *layout)
{
	for (unsigned i = 0; i < ARRAY_SIZE(layout_members); i++) {
		uint64_t value = value_at(table, layout_members[i].at[column]);
		uint16_t offset = (uint16_t)value;

		if (value > layout_members[i].max || value % layout_members[i].align != 0)
			return false;
		memcpy((uint8_t *)layout + layout_members[i].member, &offset, sizeof(offset));
	}
	return true;
}

static bool take_row(const uint8_t *table, unsigned column, struct layout_row *row)
{
	for (unsigned i = 0; i < ARRAY_SIZE(row_members); i++) {
		uint64_t value = value_at(table, row_members[i].at[column]);
		uint32_t offset = (uint32_t)value;

		if (value >= row_members[i].max || value % 8 != 0)
			return false;
		memcpy((uint8_t *)row + row_members[i].member, &offset, sizeof(offset));
	}
	return true;
}

/* Begins the row of a free-threaded build, if it is one. */
static bool take_threading(const uint8_t *table, unsigned column, struct layout_row *row)
{
	uint64_t frame, code;

	if (value_at(table, FREE_THREADED) == 0)
		return true;
	if (value_at(table, FREE_THREADED) != 1)
		return false;
	layout_free_threaded(row);
	if (!frame_tlbc_index[column])
		return true;
	frame = value_at(table, frame_tlbc_index[column]);
	code = value_at(table, code_tlbc[column]);
	if (!frame || frame > MAX_FRAME_OFFSET || frame % 4 || !code || code > MAX_CODE_OFFSET || code % 8)
		return false;
	row->py.frame_tlbc = (uint16_t)frame;
	row->py.code_tlbc = (uint16_t)code;
	return true;
}

int debugoffsets_read(struct mem *mem, uint64_t runtime_addr, struct layout_row *row)
{
	unsigned column = row->py.minor - FIRST_MINOR;
	uint8_t table[888];
	uint64_t collecting;
	int err;

	_Static_assert(LAYOUT_MINOR_LAST - FIRST_MINOR + 1 == NR_MINORS, "a column for each");
	if (column >= NR_MINORS)
		return -ENOTSUP;
	err = procmem_read(mem, runtime_addr, table, table_bytes[column]);
	if (err)
		return err;
	collecting = value_at(table, gc_collecting[column]);
	if (!take_threading(table, column, row) || !take_layout(table, column, &row->py) ||
	    !take_row(table, column, row) || collecting >= MAX_INTERP_OFFSET)
		return -EBADMSG;
	row->interp_collecting += (uint32_t)collecting;
	/* What follows a PyThreadState: 3.13 has nothing in between. */
	row->py.tstate_running_loop = (uint16_t)(row->tstate_bytes + row->impl_running_loop);
	if (row->has_running_task)
		row->py.tstate_running_task = row->py.tstate_running_loop + 8;
	return 0;
}

/* struct _Py_AsyncioModuleDebugOffsets, Modules/_asynciomodule.c, 3.14 and 3.15: 13 members of 8 bytes. */
enum {
	TASK_NAME = 1,
	TASK_NODE = 6,
	INTERP_TASKS = 8,
	THREAD_RUNNING_LOOP = 10,
	THREAD_RUNNING_TASK = 11,
	THREAD_TASKS = 12,
	NR_ASYNCIO = 13
};

int debugoffsets_read_asyncio(struct mem *mem, uint64_t addr, struct layout_row *row)
{
	uint64_t table[NR_ASYNCIO], loop, task, name;
	int err;

	if (!addr || !row->has_running_task)
		return 0;
	err = procmem_read(mem, addr, table, sizeof(table));
	if (err)
		return err;
	loop = table[THREAD_RUNNING_LOOP];
	task = table[THREAD_RUNNING_TASK];
	name = table[TASK_NAME];
	if (loop < row->tstate_bytes || loop > MAX_IMPL_OFFSET || loop % 8 || task < row->tstate_bytes ||
	    task > MAX_IMPL_OFFSET || task % 8 || name > MAX_TASK_OFFSET || name % 8)
		return -EBADMSG;
	row->py.tstate_running_loop = (uint16_t)loop;
	row->py.tstate_running_task = (uint16_t)task;
	row->py.task_name = (uint16_t)name;
	return 0;
}

int debugoffsets_read_task_lists(struct mem *mem, uint64_t addr, struct task_lists *lists)
{
	uint64_t table[NR_ASYNCIO];
	int err = procmem_read(mem, addr, table, sizeof(table));

	if (err)
		return err;
	if (table[TASK_NODE] > MAX_TASK_OFFSET || table[TASK_NODE] % 8 ||
	    table[INTERP_TASKS] > MAX_INTERP_OFFSET || table[INTERP_TASKS] % 8 ||
	    table[THREAD_TASKS] > MAX_IMPL_OFFSET || table[THREAD_TASKS] % 8)
		return -EBADMSG;
	lists->task_node = (uint16_t)table[TASK_NODE];
	lists->interp_head = (uint32_t)table[INTERP_TASKS];
	lists->tstate_head = (uint32_t)table[THREAD_TASKS];
	return 0;
}
