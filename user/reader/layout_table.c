/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of CPython layouts: one row for each minor version. */
#include "layout.h"
#include "util.h"

/* clang-format off */
/*
 * Sources of every number: DWARF of Debian's and our own builds of 3.9.2, 3.9.18, 3.10.13, 3.11.2,
 * 3.11.7, 3.12.1, 3.12.6, 3.13.0, 3.13.5, 3.13.18, 3.14.10 and 3.15.2, all read live as well.  What has
 * _Py_DebugOffsets says most of it itself (debugoffsets.c): such numbers are here for comparison and for
 * members that it leaves out, which are the flags and _co_firsttraceable of code, the dict of a thread,
 * what follows a PyThreadState, and what is in a future, a task, a function and a GIL.  The structs:
 *
 *   tstate_*		 Include/cpython/pystate.h, struct _ts
 *   cframe_*		 Include/cpython/pystate.h, struct _PyCFrame
 *   frame_*		 to 3.10: Include/cpython/frameobject.h, struct _frame;
 *			 later: Include/internal/pycore_frame.h, 3.14+: pycore_interpframe_structs.h,
 *			 struct _PyInterpreterFrame
 *   code_*		 Include/cpython/code.h, struct PyCodeObject
 *   str_*		 Include/cpython/unicodeobject.h, sizes of PyASCIIObject and
 *			 PyCompactUnicodeObject
 *   running_loop_holder Modules/_asynciomodule.c, PyRunningLoopHolder.rl_loop
 *   task_name, task_waiter, future_state
 *			 Modules/_asynciomodule.c, TaskObj.task_name, .task_fut_waiter and .task_state, which is
 *			 where FutureObj.fut_state is
 *   impl_running_loop	 Include/internal/pycore_tstate.h, _PyThreadStateImpl.asyncio_running_loop, as the
 *			 distance from the end of its PyThreadState; asyncio_running_task is the next word
 *   function_code	 Include/cpython/funcobject.h, PyFunctionObject.func_code
 *   gil_last_holder, gil_locked
 *			 Include/internal/pycore_gil.h, struct _gil_runtime_state
 *   pthread_tid	 glibc, nptl/descr.h, struct pthread.tid; libc.so's _thread_db_pthread_tid
 *   interpreters_head, autotss_key, runtime_gil
 *			 Include/internal/pycore_runtime.h, _PyRuntimeState
 *   interp_*		 Include/internal/pycore_interp.h, PyInterpreterState
 *   gc_young		 Include/internal/pycore_gc.h, 3.14+: pycore_interp_structs.h, struct
 *			 _gc_runtime_state: from generations[0].threshold, or young.threshold where the
 *			 collector is incremental, to collecting
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
		.future_state = 80, .task_waiter = 144,
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
		.future_state = 88, .task_waiter = 152,
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
		.future_state = 88, .task_waiter = 128,
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
		.future_state = 88, .task_waiter = 128,
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
		.interpreters_head = 632, .autotss_key = 2164, .tstate_bytes = 304,
		.interp_next = 7264, .interp_id = 7272, .interp_threads = 7344, .interp_gil = 16,
		.interp_collecting = 7600, .interp_modules = 7656, .function_code = 48, .code_locals = 96,
		.future_state = 96, .task_waiter = 112,
		.gc_young = { 160, 164 },
		.has_debug_offsets = true,
	},
	{
		.py = {
			.minor = 14,
			.gil_last_holder = 8, .gil_locked = 16, .tstate_native_id = 160,
			.tstate_frame = 72,		/* current_frame */
			.tstate_thread_id = 152, .tstate_dict = 128,
			.tstate_running_loop = 864,	/* 8 less before 3.14.4 */
			.tstate_running_task = 872,
			.frame_back = 8, .frame_code = 0,
			.frame_instr = 56,		/* instr_ptr */
			.frame_owner = 74, .frame_locals = 80,
			.code_flags = 48, .code_firstlineno = 68, .code_filename = 112,
			.code_name = 120, .code_qualname = 128, .code_linetable = 136,
			.code_bytecode = 208, .code_firsttraceable = 192,
			.str_ascii_data = 40, .str_compact_data = 56,
			.task_name = 136,
		},
		.interpreters_head = 808, .autotss_key = 2340, .tstate_bytes = 832, .impl_running_loop = 32,
		.interp_next = 7272, .interp_id = 7280, .interp_threads = 7344, .interp_gil = 16,
		.interp_collecting = 7600, .interp_modules = 7688, .function_code = 48, .code_locals = 96,
		.future_state = 104, .task_waiter = 120,
		.gc_young = { 152 },
		.has_debug_offsets = true, .has_running_task = true,
	},
	{
		.py = {
			.minor = 15,
			.gil_last_holder = 8, .gil_locked = 16, .tstate_native_id = 184,
			.tstate_frame = 72,
			.tstate_thread_id = 176, .tstate_dict = 152,
			.tstate_running_loop = 1024,
			.tstate_running_task = 1032,
			.frame_back = 8, .frame_code = 0,
			.frame_instr = 56,
			.frame_owner = 74, .frame_locals = 80,
			.code_flags = 48, .code_firstlineno = 68, .code_filename = 112,
			.code_name = 120, .code_qualname = 128, .code_linetable = 136,
			.code_bytecode = 208, .code_firsttraceable = 192,
			.str_ascii_data = 40, .str_compact_data = 56,
			.task_name = 136,
		},
		.interpreters_head = 936, /* no autoTSSkey any more: a thread-local variable */
		.tstate_bytes = 888, .impl_running_loop = 136,
		.interp_next = 7264, .interp_id = 7272, .interp_threads = 7336, .interp_gil = 16,
		.interp_collecting = 7512, .interp_modules = 7592, .function_code = 48, .code_locals = 96,
		.future_state = 104, .task_waiter = 120,
		.gc_young = { 88 },
		.has_debug_offsets = true, .has_running_task = true,
	},
};
/* clang-format on */

/*
 * Sources: the layouts that gcc gives the installed headers of 3.13.5, 3.14.10 and 3.15.2 with Py_GIL_DISABLED
 * defined, and a build of 3.13.5.  Objects begin with 16 bytes more (Include/object.h), so all members of all of
 * them are 16 bytes further in; what is no object (PyThreadState, _PyInterpreterFrame, a dict's keys and
 * values, PyMethodDef) is as it was, but for 3.14's and later frames, which have the index of their copy of the
 * bytecode where the padding was.  A GIL has `enabled` before all else (Include/internal/pycore_gil.h).
 */
#define FREE_OBJECT_SHIFT 16
#define FREE_GIL_SHIFT	  8

void layout_free_threaded(struct layout_row *row)
{
	row->py.object_shift = FREE_OBJECT_SHIFT;
	row->py.code_flags += FREE_OBJECT_SHIFT;
	row->py.code_firsttraceable += FREE_OBJECT_SHIFT;
	row->py.str_compact_data += FREE_OBJECT_SHIFT;
	row->py.task_name += FREE_OBJECT_SHIFT;
	row->py.gil_last_holder += FREE_GIL_SHIFT;
	row->py.gil_locked += FREE_GIL_SHIFT;
}

const struct layout_row *layout_find(unsigned minor)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].py.minor == minor)
			return &rows[i];
	}
	return NULL;
}
