/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of CPython layouts, and what is added to a row out of a running target. */
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/*
 * glibc, nptl/descr.h: struct pthread holds specific_1stblock[32] of {seq, data}, 16 bytes each, at
 * 784 from the FS base; the value is the second word.  The same from glibc 2.31 to 2.43, and what
 * libc.so exports for debuggers as _thread_db_pthread_specific leads there too.
 */
#define GLIBC_SPECIFIC	    0x310
#define GLIBC_SPECIFIC_KEYS 32
#define GIL_BYTES	    208 /* struct _gil_runtime_state with glibc's mutexes and conditions */
#define MAX_INTERPRETERS    256
#define MAX_INTERP_OFFSET   (1u << 20)
#define RELEASE_LEVEL_BETA  0xb
#define DEBUG_OFFSETS_BYTES 584 /* 3.13: struct _Py_DebugOffsets, pycore_runtime.h */

/* clang-format off */
/*
 * Sources of every number: DWARF of Debian's and our own builds of 3.9.2, 3.9.18, 3.10.13, 3.11.2,
 * 3.11.7, 3.12.1, 3.12.6, 3.13.0, 3.13.5 and 3.13.18, all read live as well.  The structs:
 *
 *   tstate_*		 Include/cpython/pystate.h, struct _ts
 *   cframe_*		 Include/cpython/pystate.h, struct _PyCFrame
 *   frame_*		 to 3.10: Include/cpython/frameobject.h, struct _frame;
 *			 later: Include/internal/pycore_frame.h, struct _PyInterpreterFrame
 *   code_*		 Include/cpython/code.h, struct PyCodeObject
 *   str_*		 Include/cpython/unicodeobject.h, sizes of PyASCIIObject and
 *			 PyCompactUnicodeObject
 *   running_loop_holder Modules/_asynciomodule.c, PyRunningLoopHolder.rl_loop
 *   task_name		 Modules/_asynciomodule.c, TaskObj.task_name
 *   function_code	 Include/cpython/funcobject.h, PyFunctionObject.func_code
 *   gil_last_holder, gil_locked
 *			 Include/internal/pycore_gil.h, struct _gil_runtime_state
 *   pthread_tid	 glibc, nptl/descr.h, struct pthread.tid; libc.so's _thread_db_pthread_tid
 *   interpreters_head, autotss_key, runtime_gil
 *			 Include/internal/pycore_runtime.h, _PyRuntimeState
 *   interp_*		 Include/internal/pycore_interp.h, PyInterpreterState
 */
static const struct layout_row rows[] = {
	{
		.py = {
			.minor = 9,
			.gil_last_holder = 8, .gil_locked = 16, .pthread_tid = 720,
			.tstate_frame = 24, .tstate_thread_id = 176, .tstate_dict = 152,
			.frame_back = 24, .frame_code = 32,
			.frame_instr = 104,		/* f_lasti, bytes */
			.frame_generator = 96,		/* f_gen */
			.frame_locals = 360, .instr_scale = 1,
			.code_flags = 36, .code_firstlineno = 40, .code_filename = 104,
			.code_name = 112, .code_linetable = 120, /* co_lnotab */
			.str_ascii_data = 48, .str_compact_data = 72,
			.task_name = 160,
			.running_loop_holder = 16,
		},
		.interpreters_head = 32, .autotss_key = 588, .runtime_gil = 352,
		.interp_next = 0, .interp_id = 24, .interp_threads = 8,
		.interp_collecting = 816, .interp_modules = 856, .function_code = 16, .code_locals = 72,
	},
	{
		.py = {
			.minor = 10,
			.gil_last_holder = 8, .gil_locked = 16, .pthread_tid = 720,
			.tstate_frame = 24, .tstate_thread_id = 176, .tstate_dict = 152,
			.frame_back = 24, .frame_code = 32,
			.frame_instr = 96,		/* f_lasti, units of 2 bytes (bpo-27129) */
			.frame_generator = 88,		/* f_gen */
			.frame_locals = 352, .instr_scale = 2,
			.code_flags = 36, .code_firstlineno = 40, .code_filename = 104,
			.code_name = 112, .code_linetable = 120,
			.str_ascii_data = 48, .str_compact_data = 72,
			.task_name = 168,
			.running_loop_holder = 16,
		},
		.interpreters_head = 32, .autotss_key = 588, .runtime_gil = 352,
		.interp_next = 0, .interp_id = 24, .interp_threads = 8,
		.interp_collecting = 816, .interp_modules = 856, .function_code = 48, .code_locals = 72,
	},
	{
		.py = {
			.minor = 11,
			.gil_last_holder = 8, .gil_locked = 16, .tstate_native_id = 160,
			.tstate_frame = 56,		/* cframe */
			.tstate_thread_id = 152, .tstate_dict = 128,
			.cframe_frame = 8, .has_cframe = 1,
			.frame_back = 48, .frame_code = 32,
			.frame_instr = 56,		/* prev_instr */
			.frame_owner = 69, .frame_locals = 72,
			.code_flags = 48, .code_firstlineno = 72, .code_filename = 112,
			.code_name = 120, .code_qualname = 128, .code_linetable = 136,
			.code_bytecode = 184, .code_firsttraceable = 168,
			.str_ascii_data = 48, .str_compact_data = 72,
			.task_name = 144,
			.running_loop_holder = 16,
		},
		.interpreters_head = 40, .autotss_key = 596, .runtime_gil = 360,
		.interp_next = 0, .interp_id = 48, .interp_threads = 16,
		.interp_collecting = 848, .interp_modules = 888, .function_code = 48, .code_locals = 96,
	},
	{
		.py = {
			.minor = 12,
			.gil_last_holder = 8, .gil_locked = 16, .tstate_native_id = 144,
			.tstate_frame = 56,		/* cframe */
			.tstate_thread_id = 136, .tstate_dict = 112,
			.cframe_frame = 0, .has_cframe = 1,
			.frame_back = 8, .frame_code = 0,
			.frame_instr = 56,		/* prev_instr */
			.frame_owner = 70, .frame_locals = 72,
			.code_flags = 48, .code_firstlineno = 68, .code_filename = 112,
			.code_name = 120, .code_qualname = 128, .code_linetable = 136,
			.code_bytecode = 192, .code_firsttraceable = 176,
			.str_ascii_data = 40, .str_compact_data = 56, /* wstr is gone (PEP 623) */
			.task_name = 144,
		},
		.interpreters_head = 40, .autotss_key = 1548,
		.interp_next = 0, .interp_id = 8, .interp_threads = 72, .interp_gil = 384, /* PEP 684 */
		.interp_collecting = 312, .interp_modules = 944, .function_code = 48, .code_locals = 96,
	},
	{
		.py = {
			.minor = 13,
			.gil_last_holder = 8, .gil_locked = 16, .tstate_native_id = 160,
			.tstate_frame = 72,		/* current_frame */
			.tstate_thread_id = 152, .tstate_dict = 128,
			.tstate_running_loop = 304,	/* thread_state.size: 312 from 3.13.13 */
			.frame_back = 8, .frame_code = 0,
			.frame_instr = 56,		/* instr_ptr */
			.frame_owner = 70, .frame_locals = 72,
			.code_flags = 48, .code_firstlineno = 68, .code_filename = 112,
			.code_name = 120, .code_qualname = 128, .code_linetable = 136,
			.code_bytecode = 200, .code_firsttraceable = 184,
			.str_ascii_data = 40, .str_compact_data = 56,
			.task_name = 128,
		},
		.interpreters_head = 632, .autotss_key = 2164,
		.interp_next = 7264, .interp_id = 7272, .interp_threads = 7344, .interp_gil = 16,
		.interp_collecting = 7600, .interp_modules = 7656, .function_code = 48, .code_locals = 96,
		.has_debug_offsets = true,
	},
};

/* Members of 3.13's _Py_DebugOffsets, each 8 bytes: place, what it gives, bounds of the value. */
static const struct debug_offset {
	uint16_t at;		/* in _Py_DebugOffsets */
	uint16_t member;	/* in struct py_layout */
	uint16_t max;		/* largest plausible offset */
	uint16_t align;
} debug_offsets[] = {
	{ 152, offsetof(struct py_layout, tstate_running_loop),	4096, 8 }, /* thread_state.size */
	{ 184, offsetof(struct py_layout, tstate_frame),	4096, 8 }, /* .current_frame */
	{ 192, offsetof(struct py_layout, tstate_thread_id),	4096, 8 }, /* .thread_id */
	{ 200, offsetof(struct py_layout, tstate_native_id),	4096, 8 }, /* .native_thread_id */
	{ 232, offsetof(struct py_layout, frame_back),		256, 8 },  /* frame.previous */
	{ 240, offsetof(struct py_layout, frame_code),		256, 8 },  /* .executable */
	{ 248, offsetof(struct py_layout, frame_instr),		256, 8 },  /* .instr_ptr */
	{ 256, offsetof(struct py_layout, frame_locals),	256, 8 },  /* .localsplus */
	{ 264, offsetof(struct py_layout, frame_owner),		256, 1 },  /* .owner */
	{ 280, offsetof(struct py_layout, code_filename),	512, 8 },  /* code.filename */
	{ 288, offsetof(struct py_layout, code_name),		512, 8 },  /* .name */
	{ 296, offsetof(struct py_layout, code_qualname),	512, 8 },  /* .qualname */
	{ 304, offsetof(struct py_layout, code_linetable),	512, 8 },  /* .linetable */
	{ 312, offsetof(struct py_layout, code_firstlineno),	512, 4 },  /* .firstlineno */
	{ 344, offsetof(struct py_layout, code_bytecode),	512, 2 },  /* .co_code_adaptive */
	{ 560, offsetof(struct py_layout, str_ascii_data),	128, 8 },  /* asciiobject_size */
};
/* clang-format on */
#define DEBUG_INTERPRETERS_HEAD 40
#define DEBUG_INTERP_ID		56
#define DEBUG_INTERP_NEXT	64
#define DEBUG_INTERP_THREADS		72
#define DEBUG_INTERP_MODULES	88
#define DEBUG_INTERP_GIL	112
#define DEBUG_INTERP_GC		80
#define DEBUG_GC_COLLECTING	576

const struct layout_row *layout_find(unsigned minor)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].py.minor == minor)
			return &rows[i];
	}
	return NULL;
}

bool layout_is_unsupported(uint32_t version, bool is_free_threaded, char *reason, size_t bytes)
{
	unsigned major = version >> 24, minor = version >> 16 & 0xff, level = version >> 4 & 0xf;
	const char *why = NULL;

	if (major < 3 || (major == 3 && minor < LAYOUT_MINOR_FIRST))
		why = "is older than loophound can read (3.9 is the first)";
	else if (major > 3 || minor > LAYOUT_MINOR_LAST)
		why = "is newer than this loophound knows";
	else if (is_free_threaded)
		why = "is a free-threaded build: it has no GIL, and a layout that this loophound "
		      "does not know";
	else if (level != 0 && level <= RELEASE_LEVEL_BETA)
		why = "is a pre-release, whose layout differs from the final one";
	if (!why)
		return false;
	snprintf(reason, bytes,
		 "CPython %u.%u %s: it cannot be watched", major, minor, why);
	return true;
}

static uint64_t debug_value(const uint8_t *table, unsigned at)
{
	uint64_t value;

	memcpy(&value, table + at, sizeof(value));
	return value;
}

static bool is_interp_offset(uint64_t value)
{
	return value < MAX_INTERP_OFFSET && value % 8 == 0;
}

/* The cookie and the version were checked when the version was read. */
static int apply_debug_offsets(struct mem *mem, uint64_t runtime_addr, struct layout_row *row)
{
	uint8_t table[DEBUG_OFFSETS_BYTES];
	int err = procmem_read(mem, runtime_addr, table, sizeof(table));

	if (err)
		return err;
	for (unsigned i = 0; i < ARRAY_SIZE(debug_offsets); i++) {
		const struct debug_offset *entry = &debug_offsets[i];
		uint64_t value = debug_value(table, entry->at);
		uint16_t offset = (uint16_t)value;

		if (value > entry->max || value % entry->align != 0)
			return -EBADMSG;
		memcpy((uint8_t *)&row->py + entry->member, &offset, sizeof(offset));
	}
	if (!is_interp_offset(debug_value(table, DEBUG_INTERPRETERS_HEAD)) ||
	    !is_interp_offset(debug_value(table, DEBUG_INTERP_ID)) ||
	    !is_interp_offset(debug_value(table, DEBUG_INTERP_NEXT)) ||
	    !is_interp_offset(debug_value(table, DEBUG_INTERP_THREADS)) ||
	    !is_interp_offset(debug_value(table, DEBUG_INTERP_MODULES)) ||
	    !is_interp_offset(debug_value(table, DEBUG_INTERP_GIL)) ||
	    !is_interp_offset(debug_value(table, DEBUG_INTERP_GC)) ||
	    debug_value(table, DEBUG_GC_COLLECTING) >= MAX_INTERP_OFFSET)
		return -EBADMSG;
	row->interpreters_head = (uint32_t)debug_value(table, DEBUG_INTERPRETERS_HEAD);
	row->interp_id = (uint32_t)debug_value(table, DEBUG_INTERP_ID);
	row->interp_next = (uint32_t)debug_value(table, DEBUG_INTERP_NEXT);
	row->interp_threads = (uint32_t)debug_value(table, DEBUG_INTERP_THREADS);
	row->interp_modules = (uint32_t)debug_value(table, DEBUG_INTERP_MODULES);
	row->interp_gil = (uint32_t)debug_value(table, DEBUG_INTERP_GIL);
	row->interp_collecting = (uint32_t)(debug_value(table, DEBUG_INTERP_GC) +
					    debug_value(table, DEBUG_GC_COLLECTING));
	return 0;
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

/*
 * The thread state of a thread is a pthread-specific value: the key gives its place in struct
 * pthread.
 */
static int read_tstate_slot(struct mem *mem, uint64_t runtime_addr, const struct layout_row *row,
			    struct py_layout *layout)
{
	struct {
		int32_t is_initialized;
		uint32_t key;
	} tss;
	int err = procmem_read(mem, runtime_addr + row->autotss_key - 4, &tss, sizeof(tss));

	if (err)
		return err;
	if (tss.is_initialized == 0)
		return -EAGAIN;
	if (tss.is_initialized != 1 || tss.key >= GLIBC_SPECIFIC_KEYS)
		return -EBADMSG;
	layout->tstate_slot = GLIBC_SPECIFIC + 16 * tss.key + 8;
	return 0;
}

/* The row of a version, corrected by what the target itself tells. */
static int find_row(struct mem *mem, uint64_t runtime_addr, uint32_t version, struct layout_row *row)
{
	const struct layout_row *found = layout_find(version >> 16 & 0xff);

	if (!found || version >> 24 != 3)
		return -ENOTSUP;
	*row = *found;
	return row->has_debug_offsets ? apply_debug_offsets(mem, runtime_addr, row) : 0;
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

int layout_read(struct mem *mem, uint64_t runtime_addr, uint32_t version, struct py_layout *layout)
{
	struct layout_row row;
	uint64_t interp_addr, gil_addr = runtime_addr;
	int err = find_row(mem, runtime_addr, version, &row);

	if (!err)
		err = find_main_interpreter(mem, runtime_addr, &row, &interp_addr);
	if (!err)
		err = read_tstate_slot(mem, runtime_addr, &row, &row.py);
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
	row.py.runtime_addr = runtime_addr;
	row.py.gil_bytes = GIL_BYTES;
	row.py.version = version;
	row.py.valid = 1;
	*layout = row.py;
	return 0;
}
