/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Finds the table AsyncioDebug (3.14+), which has a section of its own and no symbol. */
#ifndef ASYNCIODEBUG_H
#define ASYNCIODEBUG_H

#include <stddef.h>
#include <stdint.h>

#include "elffile.h"

/* Its address, of a file that is mapped with this bias; 0: it has none. */
uint64_t asynciodebug_in(const struct elf *elf, uint64_t bias);

/*
 * Likewise of the extension module _asyncio among the files that a process has mapped: maps is the text of
 * its /proc/PID/maps.  0: it has none, or not yet.
 */
uint64_t asynciodebug_find(int proc_fd, const char *maps, size_t maps_bytes);

#endif
