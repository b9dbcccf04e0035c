/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where CPython keeps things: one row per minor version, x86-64, builds with the GIL.  A new
 * release of CPython is one row more.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "procmem.h"

#define LAYOUT_MINOR_FIRST 9
#define LAYOUT_MINOR_LAST  13

struct layout_row {
	struct py_layout py; /* offsets only: no address, no slot */
	/* In _PyRuntime. */
	uint32_t interpreters_head;
	uint32_t autotss_key; /* gilstate.autoTSSkey._key; its _is_initialized is the int before it
			       */
	uint32_t runtime_gil; /* ceval.gil itself; 0: interp_gil */
	/* In PyInterpreterState. */
	uint32_t interp_next;
	uint32_t interp_id;
	uint32_t interp_threads; /* threads.head, the newest PyThreadState */
	uint32_t interp_gil;	/* ceval.gil, a pointer; 0: runtime_gil */
	uint32_t interp_modules; /* sys.modules */
	/* In objects, for pymodules.c. */
	uint16_t function_code; /* PyFunctionObject.func_code */
	uint16_t code_locals;	/* to 3.10: co_varnames; later: co_localsplusnames */
	uint32_t interp_collecting; /* gc.collecting */
	bool has_debug_offsets; /* the target's own _Py_DebugOffsets correct what is above */
};

/* NULL for a minor version that is not known. */
const struct layout_row *layout_find(unsigned minor);

/* Writes a sentence that says why stacks of such a build cannot be read; false: they can. */
bool layout_is_unsupported(uint32_t version, bool is_free_threaded, char *reason, size_t bytes);

/*
 * Completes the row with what only the target's memory tells.  *layout is written on success only.
 * Returns -EAGAIN while the interpreter starts, -ENOTSUP for an unknown version, -EBADMSG for what
 * no CPython would hold, or the failure of a read.
 */
int layout_read(struct mem *mem, uint64_t runtime_addr, uint32_t version, struct py_layout *layout);

/* The newest PyThreadState of the main interpreter; its next one is 8 bytes into each, 0 ends the list. */
int layout_first_thread(struct mem *mem, uint64_t runtime_addr, uint32_t version,
			uint64_t *tstate_addr);

/* sys.modules of the main interpreter; -EAGAIN if it is not there yet. */
int layout_modules(struct mem *mem, uint64_t runtime_addr, uint32_t version, uint64_t *dict_addr);

#endif
