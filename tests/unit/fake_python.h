/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Objects of CPython in fake memory: of every version, with the GIL or (3.13+) without. */
#ifndef FAKE_PYTHON_H
#define FAKE_PYTHON_H

#include "debug_offsets.h"
#include "debugoffsets.h"
#include "layout.h"
#include "util.h"

#define RUNTIME	  FAKE_BASE
#define INTERP	  (FAKE_BASE + 0x4000)
#define TYPES	  (FAKE_BASE + 0x8000)
#define OBJECTS	  (FAKE_BASE + 0x10000)
#define TYPE_SPAN 512
#define KIND_UNICODE 1

static struct fake fake;
static struct layout_row row;
static struct py_layout layout;
static uint64_t next_addr;
static const char *types[(OBJECTS - TYPES) / TYPE_SPAN]; /* by what they are called */

static inline void setup_build(unsigned minor, bool is_free_threaded)
{
	fake_reset(&fake);
	row = *layout_find(minor);
	if (is_free_threaded)
		put_debug_offsets_free_threaded(&fake, RUNTIME, minor);
	else
		put_debug_offsets(&fake, RUNTIME, minor);
	if (minor >= 13)
		assert_int_equal(debugoffsets_read(&fake.mem, RUNTIME, &row), 0);
	layout = row.py;
	layout.runtime_addr = RUNTIME;
	layout.version = 0x030000f0 | minor << 16;
	next_addr = OBJECTS;
	memset(types, 0, sizeof(types));
}

static inline void setup(unsigned minor)
{
	setup_build(minor, false);
}

static inline uint64_t room(size_t bytes)
{
	uint64_t addr = next_addr;

	next_addr += (bytes + 15) & ~15ULL;
	assert_true(next_addr <= FAKE_BASE + FAKE_BYTES);
	return addr;
}

/* A word of an object. */
static inline void put_member(uint64_t object, uint64_t offset, uint64_t value)
{
	fake_put_u64(&fake, object + layout.object_shift + offset, value);
}

static inline uint64_t type_of(const char *name)
{
	unsigned i = 0;
	uint64_t type;

	while (i < ARRAY_SIZE(types) && types[i] && strcmp(types[i], name))
		i++;
	assert_true(i < ARRAY_SIZE(types));
	types[i] = name;
	type = TYPES + (uint64_t)i * TYPE_SPAN;
	put_member(type, 24, type + 400);
	fake_put(&fake, type + 400, name, strlen(name) + 1);
	return type;
}

static inline void put_type(uint64_t object, const char *name)
{
	put_member(object, 8, type_of(name));
}

static inline uint64_t put_object(const char *type, size_t bytes)
{
	uint64_t addr = room(bytes + layout.object_shift);

	put_type(addr, type);
	return addr;
}

static inline uint64_t put_str(const char *text)
{
	uint64_t addr = put_object("str", layout.str_ascii_data + strlen(text) + 1);
	uint32_t state = 0x64; /* ascii, compact, kind 1 */

	/* Free-threaded 3.14+: see pystr_state(). */
	if (layout.object_shift && layout.minor >= 14)
		state <<= 6;
	put_member(addr, 16, strlen(text));
	fake_put_u32(&fake, addr + layout.object_shift + 32, state | 1); /* interned */
	fake_put(&fake, addr + layout.str_ascii_data, text, strlen(text));
	return addr;
}

/* An empty dict for up to so many entries; put_entry() fills it. */
static inline uint64_t put_dict(unsigned slots, unsigned kind)
{
	uint64_t dict = put_object("dict", 48), keys = room(64 + (size_t)slots * (4 + 24));

	put_member(dict, 32, keys);
	if (layout.minor <= 10) {
		fake_put_u64(&fake, keys + 8, slots);
	} else {
		uint8_t bytes = (uint8_t)__builtin_ctz(slots * (slots <= 256 ? 1 : 2));

		fake_put(&fake, keys + 9, &bytes, 1);
		fake_put(&fake, keys + 10, &kind, 1);
	}
	return dict;
}

static inline uint64_t keys_of(uint64_t dict)
{
	uint64_t keys;

	assert_int_equal(procmem_read_u64(&fake.mem, dict + layout.object_shift + 32, &keys), 0);
	return keys;
}

static inline void put_entry(uint64_t dict, unsigned slots, unsigned kind, uint64_t key, uint64_t value)
{
	uint64_t keys = keys_of(dict), nr_addr = keys + (layout.minor <= 10 ? 32 : 24), nr, at;
	unsigned words = layout.minor <= 10 || !kind ? 3 : 2;

	procmem_read_u64(&fake.mem, nr_addr, &nr);
	fake_put_u64(&fake, nr_addr, nr + 1);
	at = keys + (layout.minor <= 10 ? 40 : 32) + slots * (slots <= 0xff ? 1 : 2) + nr * words * 8;
	if (layout.minor > 10 && slots == 256)
		at = keys + 32 + 256 + nr * words * 8;
	fake_put_u64(&fake, at + (words - 2) * 8ULL, key);
	fake_put_u64(&fake, at + (words - 1) * 8ULL, value);
}

/* Its namespace, a dict. */
static inline uint64_t put_module(uint64_t modules, const char *name)
{
	uint64_t module = put_object("module", 64), dict = put_dict(8, KIND_UNICODE);

	put_member(module, 16, dict);
	put_entry(modules, 8, KIND_UNICODE, put_str(name), module);
	return dict;
}

/* The main one; returns its sys.modules. */
static inline uint64_t put_interpreter(void)
{
	uint64_t modules = put_dict(8, KIND_UNICODE);

	fake_put_u64(&fake, RUNTIME + row.interpreters_head, INTERP);
	fake_put_u64(&fake, INTERP + row.interp_modules, modules);
	return modules;
}

#endif
