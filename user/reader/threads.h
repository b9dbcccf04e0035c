/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a thread of a Python process is called. */
#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>
#include <sys/types.h>

#include "events.h"
#include "procmem.h"

#define THREADS_BUDGET_BYTES (4u << 20) /* of the target's memory for one name */

/* A record without names. */
void threads_begin(uint64_t ident, uint32_t tid, struct ev_thread *thread);
/* tid is the thread's number as the target sees it; what cannot be read stays empty. */
void threads_read(struct mem *mem, pid_t pid, const struct py_layout *layout, uint64_t ident,
		  uint32_t tid, struct ev_thread *thread);
/* The Python name alone: of a threading.Thread, or of the main thread. 0 or a negative errno. */
int threads_python_name(struct mem *mem, const struct py_layout *layout, uint64_t ident, char *name,
			size_t room);

#endif
