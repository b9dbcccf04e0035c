/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the kernel half finds the current task and its name, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"
#include "fake_objects.h"

#include <cmocka.h>

#define TARGET	   7
#define TASK_BYTES 192

static u64 fake_loop, fake_entries;

/* A str of n characters of this width; not compact: its characters are elsewhere. */
static u64 fake_wide(const void *data, u64 n, u32 kind, bool is_ascii, bool is_compact)
{
	u32 at = is_ascii ? fake_layout.str_ascii_data : fake_layout.str_compact_data;
	u64 addr = fake_alloc(fake_layout.str_compact_data + (u32)n * kind + 8), elsewhere;

	fake_put64(fake_in(addr) + PYOBJECT_TYPE, fake_type(PYTYPE_IS_STR));
	fake_put64(fake_in(addr) + 16, n);
	fake_put_state(addr, kind << 2 | (u32)is_compact << 5 | (u32)is_ascii << 6);
	if (is_compact) {
		fake_put(addr + at, data, (u32)n * kind);
	} else {
		elsewhere = fake_alloc((u32)n * kind);
		fake_put(elsewhere, data, (u32)n * kind);
		fake_put64(addr + fake_layout.str_compact_data, elsewhere);
	}
	return addr;
}

static u64 fake_int(u64 tag, u32 low, u32 high)
{
	u64 addr = fake_object_alloc(64);

	fake_put64(fake_in(addr) + PYOBJECT_TYPE, fake_type(PYTYPE_IS_LONG));
	fake_put64(fake_in(addr) + 16, tag);
	fake_put32(fake_in(addr) + 24, low);
	fake_put32(fake_in(addr) + 28, high);
	return addr;
}

static u64 fake_task(u64 loop, u64 name)
{
	u64 addr = fake_object_alloc(TASK_BYTES);

	fake_put64(fake_in(addr) + PYTASK_LOOP, loop);
	fake_put64(addr + fake_layout.task_name, name);
	return addr;
}

static void put_entry(unsigned index, u64 key, u64 value)
{
	fake_put64(fake_entries + index * 24 + 8, key);
	fake_put64(fake_entries + index * 24 + 16, value);
}

/* A Python whose dict of current tasks has nr entries, all of them empty. */
static struct scratch *fake_tasks(unsigned minor, u64 nr)
{
	struct scratch *s = fake_python(minor);
	u64 dict = fake_object_alloc(48), keys = fake_alloc(64 + 256 + 24 * 128);

	fake_put64(fake_in(dict) + PYDICT_KEYS, keys);
	if (fake_layout.minor <= 10) {
		fake_put64(keys + 8, 128);
		fake_put64(keys + 32, nr);
		fake_entries = keys + 40 + 128;
	} else {
		fake_put64(keys + 8, 7 | 7 << 8);
		fake_put64(keys + 24, nr);
		fake_entries = keys + 32 + 128;
	}
	s->layout.current_tasks_addr = dict;
	fake_loop = fake_alloc(64);
	return s;
}

/* As pytask.bpf.c does. */
static u64 find(struct scratch *s)
{
	u64 task = 0;

	if (pytask_begin(s))
		return 0;
	for (int i = 0; i < PYTASK_MAX_READS && s->dict_left && !task; i++)
		task = pytask_step(s, fake_loop);
	return task;
}

static void the_loop_leads_to_its_task(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		for (unsigned at = 0; at < 100; at += 7) {
			struct scratch *s = fake_tasks(minor, 100);
			u64 task = fake_task(fake_loop, 0);

			for (unsigned i = 0; i < 100; i++)
				put_entry(i, fake_loop + 64, task);
			assert_int_equal(find(s), 0);
			put_entry(at, fake_loop, task);
			assert_int_equal(find(s), at < PYTASK_AT_ONCE * PYTASK_MAX_READS ? task : 0);
			put_entry(at, fake_loop, 0); /* it left */
			assert_int_equal(find(s), 0);
			put_entry(at, fake_loop, fake_task(fake_loop + 64, 0)); /* torn: another's */
			assert_int_equal(find(s), 0);
		}
	}
}

static void a_thread_names_its_task(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);
		u64 task = fake_task(fake_loop, 0);

		assert_int_equal(pytask_is_in_thread(&s->layout), fake_layout.minor >= 14);
		if (fake_layout.minor < 14)
			continue;
		assert_int_equal(pytask_of_thread(s, s->tstate_addr, fake_loop), 0); /* a callback */
		fake_put64(s->tstate_addr + s->layout.tstate_running_task, task);
		assert_int_equal(pytask_of_thread(s, s->tstate_addr, fake_loop), task);
		assert_int_equal(pytask_of_thread(s, s->tstate_addr, fake_loop + 64), 0); /* torn: another loop's */
		fake_put64(s->tstate_addr + s->layout.tstate_running_task, 0xdeadbeef);
		assert_int_equal(pytask_of_thread(s, s->tstate_addr, fake_loop), 0);
	}
}

static void the_slot_leads_to_the_loop(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);
		u64 holder = fake_alloc(32);

		fake_put64(holder + 16, fake_loop);
		assert_int_equal(pytask_loop(s, minor <= 11 ? holder : fake_loop), fake_loop);
		assert_int_equal(pytask_loop(s, 0), 0);
		assert_int_equal(find(s), 0); /* an empty dict */
	}
}

static u64 fake_handle(u64 callback)
{
	u64 addr = fake_object_alloc(72);

	fake_put64(fake_in(addr) + PYHANDLE_CALLBACK, callback);
	return addr;
}

static void a_handle_leads_to_its_task(void **state)
{
	static const char *const steps[] = { "TaskStepMethWrapper", "_asyncio.TaskStepMethWrapper",
					     "TaskWakeupMethWrapper" };
	const struct py_layout *l = &fake_layout;
	u64 task, step;

	(void)state;
	for FAKE_MINORS(minor) {
		fake_tasks(minor, 0);
		task = fake_task(fake_loop, 0);
		for (unsigned i = 0; i < 3; i++) {
			step = fake_named(32, steps[i]);
			fake_put64(fake_in(step) + 16, task);
			step = fake_handle(step);
			assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, step), fake_loop), task);
			assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, step), fake_loop + 8), 0);
		}
		step = fake_named(32, "function");
		fake_put64(fake_in(step) + 16, task);
		assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, fake_handle(step)), fake_loop), 0);
		step = fake_handle(fake_builtin("task_wakeup", task));
		assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, step), fake_loop), task);
		/* Another's cancel() is called: that one does not run. */
		step = fake_handle(fake_builtin("cancel", task));
		assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, step), fake_loop), 0);
		assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, fake_handle(0)), fake_loop), 0);
		assert_int_equal(pytask_of_callback(l, pytask_callback_of(l, 0), fake_loop), 0);
	}
}

static void a_function_in_c_has_a_name(void **state)
{
	const struct py_layout *l = &fake_layout;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);
		struct ev_task *ev = pytask_record(s);
		u64 builtin = fake_builtin("sleep", 0), partial = fake_named(64, "functools.partial"), other;

		fake_put64(fake_in(partial) + PYPARTIAL_FUNCTION, builtin);
		for (int i = 0; i < 2; i++) {
			u64 handle = fake_handle(i ? partial : builtin);
			u64 name_addr = pytask_builtin_of_callback(l, pytask_callback_of(l, handle));

			assert_int_equal(pytask_builtin(s, name_addr, TARGET), 0);
			assert_int_equal(ev->is_callback, 1);
			assert_int_equal(ev->kind, 1);
			assert_int_equal(ev->name_bytes, 5);
			assert_memory_equal(ev->name, "sleep\0\0", 7);
		}
		other = fake_handle(fake_named(48, "function"));
		assert_int_equal(pytask_builtin_of_callback(l, pytask_callback_of(l, other)), 0);
		assert_int_equal(pytask_builtin_of_callback(l, pytask_callback_of(l, 0)), 0);
		assert_int_not_equal(pytask_builtin(s, 0, TARGET), 0);
		assert_int_not_equal(pytask_builtin(s, fake_alloc(64), TARGET), 0); /* "" */
	}
}

static void forged_dicts_end_in_a_bound(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, ~0ULL);

		fake_nr_reads = 0;
		assert_int_equal(find(s), 0);
		assert_true(fake_nr_reads <= 2 + PYTASK_MAX_READS);
		s->layout.current_tasks_addr = 0x1000;
		assert_int_equal(find(s), 0);
	}
}

static struct ev_task *name(struct scratch *s, u64 name_addr)
{
	return pytask_name(s, fake_task(fake_loop, name_addr), TARGET) ? NULL : pytask_record(s);
}

static void every_kind_of_name_is_read(void **state)
{
	static const u16 wide[] = { 0x5bfc, 0x5165 };
	static const u32 astral[] = { 0x20bb7 };

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);
		struct ev_task *ev = name(s, fake_wide("import-42", 9, 1, true, true));

		assert_non_null(ev);
		assert_int_equal(ev->kind, 1);
		assert_int_equal(ev->name_bytes, 9);
		assert_memory_equal(ev->name, "import-42", 9);
		assert_int_equal(ev->task_id & 1, 1);
		ev = name(s, fake_wide("gr\xf6\xdf", 4, 1, false, true));
		assert_int_equal(ev->name_bytes, 4);
		ev = name(s, fake_wide(wide, 2, 2, false, true));
		assert_int_equal(ev->kind, 2);
		assert_memory_equal(ev->name, wide, sizeof(wide));
		ev = name(s, fake_wide(astral, 1, 4, false, true));
		assert_int_equal(ev->kind, 4);
		assert_memory_equal(ev->name, astral, sizeof(astral));
		ev = name(s, fake_wide("subclass", 8, 1, true, false));
		assert_memory_equal(ev->name, "subclass", 8);
		ev = name(s, fake_wide("", 0, 1, true, true));
		assert_int_equal(ev->name_bytes, 0);
		assert_int_equal(ev->kind, 1);
	}
}

static void a_long_name_is_cut(void **state)
{
	static const u8 text[1000] = { 1 };

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);

		for (u32 kind = 1; kind <= 4; kind *= 2) {
			u32 most = EV_TASK_NAME_BYTES / kind;
			struct ev_task *ev = name(s, fake_wide(text, most, kind, false, true));

			assert_int_equal(ev->is_cut, 0);
			assert_int_equal(ev->name_bytes, EV_TASK_NAME_BYTES);
			ev = name(s, fake_wide(text, most + 1, kind, false, true));
			assert_int_equal(ev->is_cut, 1);
			assert_int_equal(ev->name_bytes, EV_TASK_NAME_BYTES);
		}
	}
}

static void a_number_is_a_name_from_3_12_on(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);
		struct ev_task *ev = name(s, fake_int(1 << 3, 12, 0));

		if (minor < 12) {
			assert_null(ev);
			continue;
		}
		assert_int_equal(ev->number, 12);
		assert_int_equal(ev->kind, 0);
		assert_int_equal(name(s, fake_int(2 << 3, 5, 3))->number, 5 | 3ULL << 30);
		assert_int_equal(name(s, fake_int(1, 0, 0))->number, 0);
		assert_null(name(s, fake_int(3 << 3, 0, 0)));
	}
}

static void what_is_no_name_is_none(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_tasks(minor, 0);
		u64 str = fake_wide("x", 1, 1, true, true);

		assert_null(name(s, 0));
		assert_null(name(s, 0x1000));
		fake_put_state(str, 3 << 2);
		assert_null(name(s, str));
		fake_put64(fake_in(str) + PYOBJECT_TYPE, fake_type(0));
		assert_null(name(s, str));
	}
}

/* The next task has the address of the one before, and a name that differs in its end. */
static void ids_tell_names_apart(void **state)
{
	struct scratch *s = fake_tasks(12, 0);
	u64 str = fake_wide("request-1234", 12, 1, true, true), task = fake_task(fake_loop, str), first;

	(void)state;
	assert_int_equal(pytask_name(s, task, TARGET), 0);
	first = pytask_record(s)->task_id;
	assert_int_equal(pytask_name(s, task, TARGET), 0);
	assert_int_equal(pytask_record(s)->task_id, first);
	fake_put(str + fake_layout.str_ascii_data, "request-1235", 12);
	assert_int_equal(pytask_name(s, task, TARGET), 0);
	assert_true(pytask_record(s)->task_id != first);
	fake_put(str + fake_layout.str_ascii_data, "request-1234", 12);
	assert_int_equal(pytask_name(s, task, TARGET + 1), 0);
	assert_true(pytask_record(s)->task_id != first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_leads_to_its_task),
		cmocka_unit_test(a_thread_names_its_task),
		cmocka_unit_test(the_slot_leads_to_the_loop),
		cmocka_unit_test(a_handle_leads_to_its_task),
		cmocka_unit_test(a_function_in_c_has_a_name),
		cmocka_unit_test(forged_dicts_end_in_a_bound),
		cmocka_unit_test(every_kind_of_name_is_read),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(a_number_is_a_name_from_3_12_on),
		cmocka_unit_test(what_is_no_name_is_none),
		cmocka_unit_test(ids_tell_names_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
