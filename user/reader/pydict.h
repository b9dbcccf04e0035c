/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Looks things up by name in a target's dicts: modules, and what is in them. */
#ifndef PYDICT_H
#define PYDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "events.h"
#include "procmem.h"

/* Entries of one dict that are looked at; sys.modules of a large program has some thousands. */
#define PYDICT_MAX_ENTRIES 16384
#define PYDICT_MAX_KEY	   64 /* bytes of a key that can be looked for */

/*
 * The object that an exact dict holds under a key that is ASCII.  -ENOENT: none; -EBADMSG: no dict, or
 * none that could hold it; or the failure of a read.  The target runs on: what is found was there.
 */
int pydict_find(struct mem *mem, const struct py_layout *layout, uint64_t dict_addr, const char *key,
		uint64_t *value_addr);
/* The same in the namespace of a module that modules_addr, sys.modules, holds. */
int pydict_find_in_module(struct mem *mem, const struct py_layout *layout, uint64_t modules_addr,
			  const char *module, const char *name, uint64_t *value_addr);
/* Whether the object's type is called so: "dict", "function", "code". */
bool pydict_is_type(struct mem *mem, const struct py_layout *layout, uint64_t object_addr, const char *type_name);

#endif
