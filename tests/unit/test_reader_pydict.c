/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Dicts of every key layout out of fake memory, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_python.h"
#include "pydict.h"
#include "pymodules.h"

#define VALUE (FAKE_BASE + 0x7000)

static int find(uint64_t dict, const char *key)
{
	uint64_t value = 0;
	int err = pydict_find(&fake.mem, &layout, dict, key, &value);

	assert_int_equal(value, err ? 0 : VALUE);
	return err;
}

static void every_layout_of_keys_is_read(void **state)
{
	static const unsigned sizes[] = { 8, 128, 512 };

	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		for (unsigned i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
			unsigned slots = sizes[i / 2], kind = i & 1;
			uint64_t dict;

			setup(minor);
			dict = put_dict(slots, kind);
			assert_int_equal(find(dict, "wanted"), -ENOENT);
			for (unsigned n = 0; n < slots / 2; n++)
				put_entry(dict, slots, kind, put_str("another"), VALUE + 8);
			put_entry(dict, slots, kind, put_str("wanted"), 0); /* deleted */
			put_entry(dict, slots, kind, put_str("wante"), VALUE + 8);
			put_entry(dict, slots, kind, put_str("wanted!"), VALUE + 8);
			put_entry(dict, slots, kind, 0, VALUE + 8);
			assert_int_equal(find(dict, "wanted"), -ENOENT);
			if (slots == 8)
				continue; /* it is full */
			put_entry(dict, slots, kind, put_str("wanted"), VALUE);
			assert_int_equal(find(dict, "wanted"), 0);
		}
	}
}

static void a_str_that_is_not_ascii_is_another_key(void **state)
{
	uint64_t dict, key;

	(void)state;
	setup(12);
	dict = put_dict(8, KIND_UNICODE);
	key = put_str("wanted");
	put_entry(dict, 8, KIND_UNICODE, key, VALUE);
	assert_int_equal(find(dict, "wanted"), 0);
	fake_put_u32(&fake, key + 32, 0x28); /* kind 2, compact */
	assert_int_equal(find(dict, "wanted"), -ENOENT);
	fake_put_u32(&fake, key + 32, 0x44); /* not compact */
	assert_int_equal(find(dict, "wanted"), -ENOENT);
}

static void forged_dicts_are_refused(void **state)
{
	uint64_t dict, keys;

	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		setup(minor);
		dict = put_dict(8, 0);
		put_entry(dict, 8, 0, put_str("wanted"), VALUE);
		assert_int_equal(find(dict, "wanted"), 0);
		keys = keys_of(dict);
		fake_put_u64(&fake, dict + 40, VALUE); /* a split table */
		assert_int_equal(find(dict, "wanted"), -EBADMSG);
		fake_put_u64(&fake, dict + 40, 0);
		fake_put_u64(&fake, dict + 32, keys + 1);
		assert_int_equal(find(dict, "wanted"), -EBADMSG);
		fake_put_u64(&fake, dict + 32, 0);
		assert_int_equal(find(dict, "wanted"), -EBADMSG);
		fake_put_u64(&fake, dict + 32, keys);
		fake_put_u64(&fake, keys + 8, UINT64_MAX); /* a table beyond all memory */
		assert_int_equal(find(dict, "wanted"), -EBADMSG);
		assert_int_equal(pydict_find(&fake.mem, &layout, dict + 1, "wanted", &keys), -EBADMSG);
		assert_int_equal(pydict_find(&fake.mem, &layout, 0, "wanted", &keys), -EBADMSG);
		assert_int_equal(pydict_find(&fake.mem, &layout, VALUE, "wanted", &keys), -EBADMSG);
	}
}

/* More entries than there is memory, all of them one key that leads round in a circle. */
static void forged_sizes_end_in_a_bound(void **state)
{
	uint64_t dict, keys;

	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		setup(minor);
		dict = put_dict(8, 0);
		keys = keys_of(dict);
		fake_put_u64(&fake, keys + (minor <= 10 ? 32 : 24), UINT64_MAX);
		for (uint64_t at = OBJECTS + 0x1000; at < FAKE_BASE + FAKE_BYTES; at += 8)
			fake_put_u64(&fake, at, OBJECTS + 0x1000);
		fake.nr_reads = 0;
		assert_int_not_equal(find(dict, "wanted"), 0);
		assert_in_range(fake.nr_reads, 100, 2 * PYDICT_MAX_ENTRIES + 16);
		fake.mem.budget_bytes = 4096;
		assert_int_equal(find(dict, "wanted"), -E2BIG);
	}
}

static uint64_t put_function(uint64_t code)
{
	uint64_t function = put_object("function", 64);

	fake_put_u64(&fake, function + row.function_code, code);
	return function;
}

/* A function with these locals, in a code object of its own. */
static uint64_t put_function_of(const char *const *locals, unsigned nr)
{
	uint64_t code = put_object("code", 128), tuple = put_object("tuple", 32 + 8ULL * nr);
	uint64_t items = tuple + (layout.minor < 14 ? 24 : 32);

	fake_put_u64(&fake, code + row.code_locals, tuple);
	fake_put_u64(&fake, tuple + 16, nr);
	for (unsigned i = 0; i < nr; i++)
		fake_put_u64(&fake, items + 8ULL * i, put_str(locals[i]));
	return put_function(code);
}

/* A type whose attribute `name` is in a slot at that offset of an instance. */
static uint64_t put_slotted_type(uint64_t offset)
{
	uint64_t type = put_object("type", 512), dict = put_dict(8, KIND_UNICODE);
	uint64_t descriptor = put_object("member_descriptor", 64), member = room(40);

	fake_put_u64(&fake, member + 16, offset);
	fake_put_u64(&fake, descriptor + 40, member);
	put_entry(dict, 8, KIND_UNICODE, put_str("name"), descriptor);
	fake_put_u64(&fake, type + 264, dict);
	return type;
}

static void modules_lead_to_what_is_wanted(void **state)
{
	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		static const char *const locals[] = { "self", "sched_count", "ntodo", "i" };
		uint64_t modules, tasks, code, importlib, asyncio, events, type, methods;

		setup(minor);
		modules = put_interpreter();
		pymodules_read(&fake.mem, &layout);
		assert_int_equal(layout.current_tasks_addr, 0);
		assert_int_equal(layout.find_and_load_addr, 0);
		assert_int_equal(layout.run_once_ntodo, 0);

		importlib = put_module(modules, "_frozen_importlib");
		code = put_object("code", 128);
		put_entry(importlib, 8, KIND_UNICODE, put_str("_find_and_load"), put_function(code));
		asyncio = put_module(modules, "_asyncio");
		tasks = put_dict(8, 0);
		put_entry(asyncio, 8, KIND_UNICODE, put_str("_current_tasks"), tasks);
		events = put_module(modules, "asyncio.base_events");
		type = put_object("type", 512);
		methods = put_dict(8, KIND_UNICODE);
		fake_put_u64(&fake, type + 264, methods);
		put_entry(methods, 8, KIND_UNICODE, put_str("_run_once"), 
			  put_function_of(locals, ARRAY_SIZE(locals)));
		put_entry(events, 8, KIND_UNICODE, put_str("BaseEventLoop"), type);
		pymodules_read(&fake.mem, &layout);
		assert_int_equal(layout.current_tasks_addr, minor < 14 ? tasks : 0);
		assert_int_equal(layout.find_and_load_addr, code);
		assert_int_equal(layout.run_once_ntodo, 2);

		/* What is called so but is something else is not taken. */
		layout.current_tasks_addr = layout.find_and_load_addr = 0;
		put_type(tasks, "OrderedDict");
		put_type(code, "builtin_function_or_method");
		pymodules_read(&fake.mem, &layout);
		assert_int_equal(layout.current_tasks_addr, 0);
		assert_int_equal(layout.find_and_load_addr, 0);
	}
}

static void trio_leads_to_the_task_and_its_name(void **state)
{
	static const char *const locals[] = { "runner", "async_fn", "args", "task" };
	static const struct {
		uint64_t offset;
		unsigned want;
	} cases[] = { { 104, 3 | 13 << 8 }, { 2040, 3 | 255 << 8 }, { 2048, 0 }, { 0, 0 }, { 12, 0 } };

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			uint64_t modules, trio;

			setup(minor);
			modules = put_interpreter();
			trio = put_module(modules, "trio._core._run");
			put_entry(trio, 8, KIND_UNICODE, put_str("unrolled_run"),
				  put_function_of(locals, ARRAY_SIZE(locals)));
			pymodules_read(&fake.mem, &layout);
			assert_int_equal(layout.trio_task, 0);
			put_entry(trio, 8, KIND_UNICODE, put_str("Task"), put_slotted_type(cases[i].offset));
			pymodules_read(&fake.mem, &layout);
			assert_int_equal(layout.trio_task, cases[i].want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_of_keys_is_read),
		cmocka_unit_test(a_str_that_is_not_ascii_is_another_key),
		cmocka_unit_test(forged_dicts_are_refused),
		cmocka_unit_test(forged_sizes_end_in_a_bound),
		cmocka_unit_test(modules_lead_to_what_is_wanted),
		cmocka_unit_test(trio_leads_to_the_task_and_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
