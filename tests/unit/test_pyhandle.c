/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What uvloop runs by the thread's native stack, and what is imported by importlib's frame: fake memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"
#include "pyhandle.h"
#include "pyimport.h"

#include <cmocka.h>

#define SP	    0x7ffff0000000ULL
#define STACK_WORDS (PYHANDLE_CHUNK * 2)
#define TARGET	    7

static u64 fake_named(u32 size, const char *type_name)
{
	u64 addr = fake_object_alloc(size), type = fake_object_alloc(256), text = fake_alloc(64);

	fake_put(text, type_name, (u32)strlen(type_name));
	fake_put64(fake_in(type) + PYTYPE_NAME, text);
	fake_put64(fake_in(addr), 1); /* reference; without a GIL: of another thread */
	fake_put64(fake_in(addr) + PYOBJECT_TYPE, type);
	return addr;
}

/* The words of the native stack, all zero. */
static struct scratch *fake_stack(unsigned minor)
{
	struct scratch *s = fake_python(minor);

	fake_map(SP, STACK_WORDS * 8);
	s->dict_left = 0;
	return s;
}

static u64 scan(struct scratch *s)
{
	u64 handle = 0;

	s->dict_left = 0;
	for (u32 i = 0; i < PYHANDLE_CHUNKS && !handle; i++) {
		if (pyhandle_read(s, SP, i))
			continue;
		for (u32 k = 0; k < PYHANDLE_CHUNK && !handle; k++)
			if (pyhandle_is_running(s, s->buf.words[k], SP))
				handle = s->buf.words[k];
	}
	return handle;
}

static void the_handle_that_runs_is_seen_twice(void **state)
{
	static const char *const types[] = { "uvloop.loop.Handle", "uvloop.loop.TimerHandle" };

	(void)state;
	for (unsigned i = 0; i < 2 * (LAYOUT_MINOR_LAST + FAKE_FREE - LAYOUT_MINOR_FIRST + 1); i++) {
		struct scratch *s = fake_stack(LAYOUT_MINOR_FIRST + i / 2);
		u64 runs = fake_named(96, types[i % 2]), stale = fake_named(96, types[i % 2]),
		    outer = fake_named(96, types[i % 2]);

		assert_int_equal(scan(s), 0);
		fake_put64(SP + 3 * 8, stale); /* of an earlier call: once */
		fake_put64(SP + 5 * 8, runs);
		assert_int_equal(scan(s), 0);
		fake_put64(SP + (PYHANDLE_CHUNK + 2) * 8, runs); /* in the next chunk */
		fake_put64(SP + (PYHANDLE_CHUNK + 3) * 8, outer);
		fake_put64(SP + (PYHANDLE_CHUNK + 4) * 8, outer);
		assert_int_equal(scan(s), runs);
		fake_put64(fake_in(runs), 0); /* freed */
		assert_int_equal(scan(s), outer);
		if (!fake_layout.object_shift)
			continue;
		fake_put32(runs + 12, 1); /* ob_ref_local: its own thread's reference */
		assert_int_equal(scan(s), runs);
	}
}

static void what_is_no_handle_is_passed_over(void **state)
{
	static const char *const types[] = { "uvloop.loop.UVIdle", "uvloop.loop.Handl", "uvloop.loop.Handles",
					     "asyncio.events.Handle", "uvloop" };
	struct scratch *s = fake_stack(11);
	u64 handle = fake_named(96, "uvloop.loop.Handle"), wild = 0x7f1234560000;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		u64 other = fake_named(96, types[i]);

		fake_put64(SP + i * 16, other);
		fake_put64(SP + i * 16 + 8, other);
	}
	for (unsigned i = 10; i < 14; i++)
		fake_put64(SP + i * 8, i < 12 ? wild : handle + 1);
	fake_put64(SP + 14 * 8, SP + 8); /* the stack itself is no object */
	fake_put64(SP + 15 * 8, SP + 8);
	assert_int_equal(scan(s), 0);
	for (unsigned i = 0; i < 20; i++) /* more than are remembered */
		fake_put64(SP + i * 8, fake_named(96, "uvloop.loop.Handle"));
	fake_put64(SP + 20 * 8, handle);
	fake_put64(SP + 21 * 8, handle);
	assert_int_equal(scan(s), 0);
}

/* A str as the interpreter has it. */
static u64 fake_text(const void *data, u32 n, u32 kind, bool is_ascii)
{
	u32 at = is_ascii ? fake_layout.str_ascii_data : fake_layout.str_compact_data;
	u64 addr = fake_named(fake_layout.str_compact_data + n * kind + 8, "str");
	u64 type = 0;

	memcpy(&type, fake_at(fake_in(addr) + PYOBJECT_TYPE, 8), 8);
	fake_put64(fake_in(type) + PYTYPE_FLAGS, PYTYPE_IS_STR);
	fake_put64(fake_in(addr) + 16, n);
	fake_put_state(addr, kind << 2 | PYSTR_COMPACT | (is_ascii ? PYSTR_ASCII : 0));
	fake_put(addr + at, data, n * kind);
	return addr;
}

static void the_first_local_of_the_loader_is_the_modules_name(void **state)
{
	static const u16 wide[] = { 's', '.', 0x4e2d };

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		struct ev_task *ev = pytask_record(s);
		u64 frame = fake_alloc(512);
		u64 id;

		s->frame_addrs[2] = frame;
		assert_int_not_equal(pyimport_name(s, 2, TARGET), 0);
		fake_put64(frame + s->layout.frame_locals, fake_text("shop.reports", 12, 1, true));
		assert_int_equal(pyimport_name(s, 2, TARGET), 0);
		assert_int_equal(ev->name_bytes, 12);
		assert_memory_equal(ev->name, "shop.reports", 12);
		id = ev->task_id;
		fake_put64(frame + s->layout.frame_locals, fake_text(wide, 3, 2, false));
		assert_int_equal(pyimport_name(s, 2, TARGET), 0);
		assert_int_equal(ev->kind, 2);
		assert_int_equal(ev->name_bytes, 6);
		assert_memory_equal(ev->name, wide, 6);
		assert_int_not_equal(ev->task_id, id);
		fake_put64(frame + s->layout.frame_locals, fake_named(64, "dict"));
		assert_int_not_equal(pyimport_name(s, 2, TARGET), 0);
		fake_put64(frame + s->layout.frame_locals, fake_text("", 0, 1, true));
		assert_int_not_equal(pyimport_name(s, 2, TARGET), 0);
	}
}

static void only_frames_inside_the_loop_count(void **state)
{
	struct scratch *s = fake_python(12);

	(void)state;
	s->nr = 10;
	s->status = STACK_OK;
	s->flags = 0;
	assert_int_equal(pyimport_nr_inside(s, 4), 6);
	assert_int_equal(pyimport_nr_inside(s, 10), 10);
	s->flags = STACK_TRUNCATED; /* the outermost ones are missing */
	assert_int_equal(pyimport_nr_inside(s, 4), 10);
	s->layout.find_and_load_addr = 4711;
	s->frames[3].code_addr = 4711;
	assert_true(pyimport_is_loader(s, 3));
	assert_false(pyimport_is_loader(s, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_handle_that_runs_is_seen_twice),
		cmocka_unit_test(what_is_no_handle_is_passed_over),
		cmocka_unit_test(the_first_local_of_the_loader_is_the_modules_name),
		cmocka_unit_test(only_frames_inside_the_loop_count),
	};

	return cmocka_run_group_tests_name("pyhandle", tests, NULL, NULL);
}
