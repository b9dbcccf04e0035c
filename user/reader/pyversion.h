/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Versions of CPython as text: in file names and as literals in a file's read-only data. */
#ifndef PYVERSION_H
#define PYVERSION_H

#include <stdint.h>

#include "procmem.h"

/* "python3.9", "libpython3.11.so.1.0" -> 0x03090000; 0: the name tells no minor version. */
uint32_t pyversion_of_name(const char *basename);
/*
 * Looks for the literal "3.MINOR.MICRO" that every CPython holds for sys.version, and fills in the
 * version as sys.hexversion.  A minor of 0 stands for 7 to 10, the versions that have no symbol for
 * it; two of them found is as good as none.  Returns -ENOENT if it is not there.
 */
int pyversion_scan(struct mem *mem, uint64_t addr, uint64_t bytes, unsigned minor,
		   uint32_t *version);

#endif
