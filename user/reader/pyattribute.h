/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What an attribute of an instance holds, of a class that is written in Python. */
#ifndef PYATTRIBUTE_H
#define PYATTRIBUTE_H

#include <stdint.h>

#include "events.h"
#include "procmem.h"

/* A word of an object, at its offset where there is a GIL: without, all are further in.  0: it cannot be read. */
uint64_t pyattribute_word(struct mem *mem, const struct py_layout *layout, uint64_t object, uint64_t offset);

/* The object, by an ASCII name; 0: it has none of that name, or cannot be read.  The target runs on. */
uint64_t pyattribute_find(struct mem *mem, const struct py_layout *layout, uint64_t object, const char *name);

#endif
