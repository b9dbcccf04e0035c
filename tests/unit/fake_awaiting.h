/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tasks, futures, coroutines, what stands between them, in the memory of bpf_host.h; and bpf/pyawait.bpf.c over it. */
#ifndef FAKE_AWAITING_H
#define FAKE_AWAITING_H

#include "await_host.h"
#include "fake_objects.h"

#define CORO_BYTES   192
#define FUTURE_BYTES 192
#define FRAME_ROOM   512
#define NO_STACK     0xdead0000
#define NR_WORDS     (PYAWAIT_MAX_WORDS + 2)

static u64 loop;

/* With the address of another type, its base. */
static inline u64 fake_whole_type(const char *name, u64 base, u64 dict_offset, u64 basic_size)
{
	u64 addr = fake_object_alloc(512), text = fake_alloc(64);

	fake_put(text, name, (u32)strlen(name));
	fake_put64(fake_in(addr) + PYTYPE_NAME, text);
	fake_put64(fake_in(addr) + PYTYPE_BASE, base);
	fake_put64(fake_in(addr) + PYTYPE_DICTOFFSET, dict_offset);
	fake_put64(fake_in(addr) + PYTYPE_BASICSIZE, basic_size);
	return addr;
}

static inline u64 fake_future_of(u64 type)
{
	u64 addr = fake_object_alloc(FUTURE_BYTES);

	fake_put64(fake_in(addr) + PYOBJECT_TYPE, type);
	fake_put64(fake_in(addr) + PYTASK_LOOP, loop);
	return addr;
}

static inline u64 fake_future(const char *type)
{
	return fake_future_of(fake_whole_type(type, 0, 0, 0));
}

/* As gather() returns one: a class of Python, made of the one in C. */
static inline u64 fake_gathering(void)
{
	u64 base = fake_whole_type("_asyncio.Future", 0, 0, 0);

	return fake_future_of(fake_whole_type("_GatheringFuture", base, 0, 0));
}

static inline void fake_calls(u64 future, u64 callback)
{
	fake_put64(fake_in(future) + 24, callback);
}

static inline void fake_wakes(u64 future, u64 task)
{
	fake_calls(future, fake_builtin("task_wakeup", task));
}

static inline u64 fake_tuple(const u64 *items, u32 nr)
{
	u64 addr = fake_object_alloc(48 + nr * 8);

	fake_put64(fake_in(addr) + 16, nr);
	fake_put(fake_in(addr) + (fake_layout.minor >= 14 ? 32 : 24), items, nr * 8);
	return addr;
}

/* A function with closed-over variables. */
static inline u64 fake_function(const char *name, const u64 *variables, u32 nr)
{
	bool is_39 = fake_layout.minor == 9;
	u64 addr = fake_named(160, "function"), cells[NR_WORDS];

	for (u32 i = 0; i < nr; i++) {
		cells[i] = fake_named(24, "cell");
		fake_put64(fake_in(cells[i]) + 16, variables[i]);
	}
	fake_put64(fake_in(addr) + (is_39 ? 104 : 40), fake_str(name));
	fake_put64(fake_in(addr) + (is_39 ? 48 : 72), fake_tuple(cells, nr));
	return addr;
}

/* An instance of a class of Python with so many attributes, where CPython keeps them. */
static inline u64 fake_instance(const char *class, const u64 *values, u32 nr)
{
	const struct py_layout *l = &fake_layout;
	u64 type = fake_whole_type(class, 0, l->minor <= 10 ? 16 : (u64)-1, 16 + l->object_shift);
	u64 addr = fake_alloc(512) + 64, array = fake_alloc(512), dict, keys;

	fake_put64(fake_in(addr) + PYOBJECT_TYPE, type);
	if (l->minor <= 10) {
		dict = fake_object_alloc(64);
		keys = fake_alloc(512);
		fake_put64(addr + 16, dict);
		fake_put64(dict + PYDICT_KEYS, keys);
		fake_put64(keys + 8, 16); /* a byte for each of so many */
		for (u32 i = 0; i < nr; i++)
			fake_put64(keys + 40 + 16 + 24 * i + 16, values[i]);
	} else if (l->minor == 11) {
		fake_put64(addr - 32, array);
		fake_put(array, values, nr * 8);
	} else if (l->minor == 12) {
		fake_put64(addr - 24, array - 1);
		fake_put(array, values, nr * 8);
	} else {
		fake_put(addr + 16 + l->object_shift + 8, values, nr * 8);
	}
	return addr;
}

/* One of a class that has __slots__ and no more. */
static inline u64 fake_slotted(const char *class, const u64 *values, u32 nr)
{
	u64 type = fake_whole_type(class, 0, 0, 16 + fake_layout.object_shift + nr * 8);
	u64 addr = fake_alloc(512);

	fake_put64(fake_in(addr) + PYOBJECT_TYPE, type);
	fake_put(fake_in(addr) + 16, values, nr * 8);
	return addr;
}

static inline u64 fake_method(const char *class, const u64 *values, u32 nr)
{
	u64 addr = fake_named(48, "method");

	fake_put64(fake_in(addr) + 24, fake_instance(class, values, nr));
	return addr;
}

static inline void set_state(u64 coroutine, int state)
{
	unsigned minor = fake_layout.minor;

	if (minor >= 11)
		fake_put8(fake_in(coroutine) + (minor == 11 ? 75 : 67), (u8)state);
}

/* A coroutine that is suspended on what it awaits; its frame, where CPython has it. */
static inline u64 fake_generator(const char *type, u64 awaited, u64 *frame)
{
	unsigned minor = fake_layout.minor;
	u64 addr = fake_named(CORO_BYTES + FRAME_ROOM, type), stack = fake_alloc(64);

	if (minor <= 10) {
		*frame = fake_alloc(FRAME_ROOM);
		fake_put64(addr + 16, *frame);
	} else {
		*frame = fake_in(addr) + (minor == 11 ? 80 : 72);
	}
	if (minor == 9) {
		fake_put64(*frame + 72, stack + 16);
	} else if (minor == 10) {
		fake_put64(*frame + 64, stack);
		fake_put32(*frame + 80, 2);
	} else if (minor <= 13) {
		stack = *frame + fake_layout.frame_locals;
		fake_put32(*frame + 64, 2);
	} else {
		fake_put64(*frame + 64, stack + (minor == 14 ? 16 : 24));
	}
	fake_put64(stack, NO_STACK);
	fake_put64(stack + 8, awaited | (minor >= 14)); /* a reference that is borrowed */
	fake_put64(stack + 16, minor == 15 ? 3 : NO_STACK);
	set_state(addr, minor == 15 ? 2 : -1);
	return addr;
}

static inline u64 fake_coroutine(u64 awaited, u64 *frame)
{
	return fake_generator("coroutine", awaited, frame);
}

/* What a coroutine's __await__() gives, an async generator's __anext__(). */
static inline u64 fake_way_into(const char *type, u64 generator)
{
	u64 addr = fake_named(32, type);

	fake_put64(fake_in(addr) + 16, generator);
	return addr;
}

static inline u64 fake_task_of(u64 coroutine)
{
	u64 addr = fake_future("_asyncio.Task");

	fake_put64(addr + fake_layout.task_name - 8, coroutine);
	return addr;
}

static struct scratch *fake(unsigned minor)
{
	struct scratch *s = fake_python(minor);

	loop = fake_alloc(64);
	s->loop_addr = loop;
	return s;
}

#endif
