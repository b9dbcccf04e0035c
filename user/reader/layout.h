/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where CPython keeps things: one row per minor version, x86-64; layout_free_threaded() makes that of a build
 * without the GIL from it.  A new release of CPython is one row more.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "procmem.h"

#define LAYOUT_MINOR_FIRST 9
#define LAYOUT_MINOR_LAST  15

struct layout_row {
	struct py_layout py; /* offsets only: no address, no slot */
	/* In _PyRuntime. */
	uint32_t interpreters_head;
	/* gilstate.autoTSSkey._key; its _is_initialized is the int before it; 0: a thread-local variable */
	uint32_t autotss_key;
	uint32_t runtime_gil; /* ceval.gil itself; 0: interp_gil */
	/* In PyInterpreterState. */
	uint32_t interp_next;
	uint32_t interp_id;
	uint32_t interp_threads; /* threads.head, the newest PyThreadState */
	uint32_t interp_gil;	/* ceval.gil, a pointer; 0: runtime_gil */
	uint32_t interp_modules; /* sys.modules */
	/* In objects that are not free-threaded, for pymodules.c. */
	uint16_t function_code; /* PyFunctionObject.func_code */
	uint16_t code_locals;	/* to 3.10: co_varnames; later: co_localsplusnames */
	uint16_t future_state; /* FutureObj.fut_state, for tasks.c as the next one */
	uint16_t task_waiter;  /* TaskObj.task_fut_waiter */
	uint32_t interp_collecting; /* gc.collecting */
	uint32_t tstate_bytes;	    /* 3.13+: of the PyThreadState that a _PyThreadStateImpl begins with */
	uint32_t impl_running_loop; /* behind it: asyncio_running_loop */
	uint16_t gc_young[2];	    /* 3.13+: where py.gc_young may be, see layout.c; 0: nowhere */
	bool has_debug_offsets;	    /* the target's own _Py_DebugOffsets correct what is above */
	bool has_running_task;	    /* behind asyncio_running_loop; AsyncioDebug corrects both */
};

/* NULL for a minor version that is not known. */
const struct layout_row *layout_find(unsigned minor);

/*
 * Turns the row of a build with the GIL, 3.13+, into that of a free-threaded one.  What _Py_DebugOffsets tell is
 * not in it: they are read afterwards.
 */
void layout_free_threaded(struct layout_row *row);

/* Writes a sentence that says why stacks of such a build cannot be read; false: they can. */
bool layout_is_unsupported(uint32_t version, char *reason, size_t bytes);

/* Where a target's own description of itself is. */
struct layout_source {
	uint64_t runtime_addr;
	uint32_t version;
	uint64_t asyncio_addr; /* AsyncioDebug, 3.14+; 0: _asyncio is not loaded, or too old */
	uint64_t getter_addr;  /* PyGILState_GetThisThreadState, for 3.15; 0: not found */
	bool is_musl;	       /* the C library; else glibc */
};

/*
 * Completes the row with what only the target's memory tells.  *layout is written on success only.
 * Returns -EAGAIN while the interpreter starts, -ENOTSUP for an unknown version or a thread state that
 * cannot be found, -EBADMSG for what no CPython would hold, or the failure of a read.
 */
int layout_read(struct mem *mem, const struct layout_source *source, struct py_layout *layout);

/*
 * Whether threads take turns now.  Not in a free-threaded build, unless PYTHON_GIL=1 or a module in C that needs
 * the GIL has turned it on; it can do so at any time.
 */
bool layout_has_gil(struct mem *mem, const struct py_layout *layout);

/* The newest PyThreadState of the main interpreter; its next one is 8 bytes into each, 0 ends the list. */
int layout_first_thread(struct mem *mem, uint64_t runtime_addr, uint32_t version,
			uint64_t *tstate_addr);

/* Likewise of each interpreter, the newest first, at most max of them; how many there are in tstate_addrs. */
unsigned layout_first_threads(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *tstate_addrs,
			      unsigned max);

/* The main interpreter itself. */
int layout_interpreter(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *interp_addr);

/* sys.modules of the main interpreter; -EAGAIN if it is not there yet. */
int layout_modules(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *dict_addr);

#endif
