/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds the CPython runtime of a process: the file that holds _PyRuntime, its address, its version.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "procmem.h"

struct runtime {
	uint64_t addr;	  /* of _PyRuntime */
	uint32_t version; /* as sys.hexversion; micro may be 0 with level 0: not known */
	bool is_static;	  /* in the executable itself */
	bool is_free_threaded;
	bool is_musl;	 /* the C library is musl */
	bool is_loading; /* -ENOENT only: the dynamic loader has not mapped everything yet */
	bool has_usdt;	 /* its file has probes of the provider "python" */
	uint64_t getter_addr;  /* PyGILState_GetThisThreadState; 0: not found */
	uint64_t asyncio_addr; /* the table AsyncioDebug (3.14+); 0: not found */
	uint64_t map_start, map_end; /* the mapping by which that file was found */
};

struct runtime_search {
	int proc_fd;	  /* /proc/PID */
	struct mem *mem;  /* its memory */
	const char *maps; /* text of /proc/PID/maps */
	size_t maps_bytes;
	const char *exe; /* target of /proc/PID/exe */
	struct ev_probes *probes; /* to be filled in; NULL: not asked for */
};

/*
 * Returns 0; -EAGAIN while it is being loaded; -ENOENT if there is none (version is set if a name
 * tells an old one); -ENOEXEC for another machine's; -EBADMSG for files and memory that contradict
 * themselves; or the failure of a read.
 */
int runtime_find(const struct runtime_search *search, struct runtime *runtime);

#endif
