/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a layout gets out of the modules that a target has imported. */
#ifndef PYMODULES_H
#define PYMODULES_H

#include <stdint.h>

#include "events.h"
#include "procmem.h"

/*
 * Fills in current_tasks_addr, find_and_load_addr, run_once_ntodo and trio_task of a valid layout.  Each
 * stays 0 if it is not there (yet): asyncio, or trio, may not be imported.
 */
void pymodules_read(struct mem *mem, struct py_layout *layout);

#endif
