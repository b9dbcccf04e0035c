/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Objects that the kernel half wants to know, found by name from sys.modules. */
#include "pymodules.h"

#include <string.h>

#include "layout.h"
#include "pydict.h"
#include "util.h"

#define TYPE_DICT     264 /* PyTypeObject.tp_dict, 3.9 to 3.15; NULL only for static types (3.12+); see member() */
#define TUPLE_SIZE    16
#define TUPLE_ITEMS   24
#define TUPLE_ITEMS_314 32 /* after ob_hash */
#define STR_LENGTH    16
#define LOCALS_MAX    64
#define DESCRIPTOR_MEMBER 40 /* PyMemberDescrObject.d_member, Include/cpython/descrobject.h */
#define MEMBER_OFFSET	  16 /* PyMemberDef.offset */

/* Reads a word of an object; all of them are further in in free-threaded builds. */
static int member(struct mem *mem, const struct py_layout *layout, uint64_t addr, uint64_t offset,
		  uint64_t *value)
{
	return procmem_read_u64(mem, addr + layout->object_shift + offset, value);
}

static uint64_t function_code(struct mem *mem, const struct py_layout *layout,
			      const struct layout_row *row, uint64_t function_addr)
{
	uint64_t code;

	if (!pydict_is_type(mem, layout, function_addr, "function") ||
	    member(mem, layout, function_addr, row->function_code, &code) ||
	    !pydict_is_type(mem, layout, code, "code"))
		return 0;
	return code;
}

static bool is_name(struct mem *mem, const struct py_layout *layout, uint64_t str_addr, const char *name)
{
	char data[PYDICT_MAX_KEY];
	size_t len = strlen(name);
	uint64_t length;

	return !member(mem, layout, str_addr, STR_LENGTH, &length) && length == len &&
	       !procmem_read(mem, str_addr + layout->str_ascii_data, data, len) &&
	       !memcmp(data, name, len);
}

/* Where in a frame's localsplus the local of that name is; 0: nowhere (0 itself is `self`). */
static uint16_t local_index(struct mem *mem, const struct py_layout *layout,
			    const struct layout_row *row, uint64_t code_addr, const char *name)
{
	uint64_t tuple, nr, items[LOCALS_MAX], at = layout->minor >= 14 ? TUPLE_ITEMS_314 : TUPLE_ITEMS;

	if (!code_addr || member(mem, layout, code_addr, row->code_locals, &tuple) ||
	    !pydict_is_type(mem, layout, tuple, "tuple") ||
	    member(mem, layout, tuple, TUPLE_SIZE, &nr))
		return 0;
	nr = min(nr, (uint64_t)LOCALS_MAX);
	if (procmem_read(mem, tuple + layout->object_shift + at, items, nr * sizeof(items[0])))
		return 0;
	for (unsigned i = 1; i < nr; i++)
		if (is_name(mem, layout, items[i], name))
			return (uint16_t)i;
	return 0;
}

static void read_current_tasks(struct mem *mem, struct py_layout *layout, uint64_t modules)
{
	uint64_t dict;

	if (!pydict_find_in_module(mem, layout, modules, "_asyncio", "_current_tasks", &dict) &&
	    pydict_is_type(mem, layout, dict, "dict"))
		layout->current_tasks_addr = dict;
}

static void read_find_and_load(struct mem *mem, struct py_layout *layout, const struct layout_row *row,
			       uint64_t modules)
{
	uint64_t function;

	if (!pydict_find_in_module(mem, layout, modules, "_frozen_importlib", "_find_and_load",
				   &function))
		layout->find_and_load_addr = function_code(mem, layout, row, function);
}

static void read_run_once(struct mem *mem, struct py_layout *layout, const struct layout_row *row,
			  uint64_t modules)
{
	uint64_t type, dict, function;

	if (pydict_find_in_module(mem, layout, modules, "asyncio.base_events", "BaseEventLoop", &type) ||
	    member(mem, layout, type, TYPE_DICT, &dict) ||
	    pydict_find(mem, layout, dict, "_run_once", &function))
		return;
	layout->run_once_ntodo =
		local_index(mem, layout, row, function_code(mem, layout, row, function), "ntodo");
}

/* Where an attribute of __slots__ is in an instance; 0: it is none. */
static uint64_t slot_offset(struct mem *mem, const struct py_layout *layout, uint64_t type, const char *name)
{
	uint64_t dict, descriptor, definition, offset;

	if (member(mem, layout, type, TYPE_DICT, &dict) ||
	    pydict_find(mem, layout, dict, name, &descriptor) ||
	    !pydict_is_type(mem, layout, descriptor, "member_descriptor") ||
	    member(mem, layout, descriptor, DESCRIPTOR_MEMBER, &definition) ||
	    procmem_read_u64(mem, definition + MEMBER_OFFSET, &offset))
		return 0;
	return offset;
}

static void read_trio(struct mem *mem, struct py_layout *layout, const struct layout_row *row,
		      uint64_t modules)
{
	uint64_t function, type, index, offset;

	if (pydict_find_in_module(mem, layout, modules, "trio._core._run", "unrolled_run", &function) ||
	    pydict_find_in_module(mem, layout, modules, "trio._core._run", "Task", &type))
		return;
	index = local_index(mem, layout, row, function_code(mem, layout, row, function), "task");
	offset = slot_offset(mem, layout, type, "name");
	if (index && offset && offset % 8 == 0 && offset / 8 < 256)
		layout->trio_task = (uint16_t)(index | offset / 8 << 8);
}

void pymodules_read(struct mem *mem, struct py_layout *layout)
{
	const struct layout_row *row = layout_find(layout->minor);
	uint64_t modules;

	if (!row || layout_modules(mem, layout->runtime_addr, layout->version, &modules))
		return;
	if (!row->has_running_task) /* else the thread state has it */
		read_current_tasks(mem, layout, modules);
	read_find_and_load(mem, layout, row, modules);
	read_run_once(mem, layout, row, modules);
	read_trio(mem, layout, row, modules);
}
