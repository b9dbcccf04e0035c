/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Objects in the fake memory of bpf_host.h that are told by their type. */
#ifndef FAKE_OBJECTS_H
#define FAKE_OBJECTS_H

#include "bpf_host.h"
#include "pytask.h"

#define TYPE_BYTES 256

static inline u64 fake_type(u64 flags)
{
	u64 addr = fake_object_alloc(TYPE_BYTES);

	fake_put64(fake_in(addr) + PYTYPE_FLAGS, flags);
	return addr;
}

static inline u64 fake_named(u32 size, const char *type_name)
{
	u64 addr = fake_object_alloc(size), type = fake_type(0), text = fake_alloc(64);

	fake_put(text, type_name, (u32)strlen(type_name));
	fake_put64(fake_in(type) + PYTYPE_NAME, text);
	fake_put64(fake_in(addr) + PYOBJECT_TYPE, type);
	return addr;
}

static inline u64 fake_builtin(const char *method, u64 self)
{
	u64 addr = fake_named(48, "builtin_function_or_method"), def = fake_alloc(32),
	    text = fake_alloc(64);

	fake_put(text, method, (u32)strlen(method));
	fake_put64(def, text);
	fake_put64(fake_in(addr) + 16, def);
	fake_put64(fake_in(addr) + 24, self);
	return addr;
}

#endif
