/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel half's reading of what a loop is at, over a made-up frame and ints of every layout. */
#define BPF_HOST_MEMORY_ELSEWHERE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"

#include "pycallbacks.h"

#include <cmocka.h>

static u64 arena[64];

int host_read_user(void *to, __u32 size, __u64 addr)
{
	u64 from = (u64)(uintptr_t)arena;

	if (addr < from || addr + size > from + sizeof(arena))
		return -1;
	memcpy(to, (const char *)arena + (addr - from), size);
	return 0;
}

#define INT_AT 32 /* index in arena */

/* _run_once's frame at the arena's start, whose local of that index is an int. */
static u32 ready(u16 minor, unsigned int local, u64 size, u64 digits, u16 told)
{
	struct py_layout layout = { .minor = minor, .frame_locals = 72, .run_once_ntodo = told };

	memset(arena, 0, sizeof(arena));
	arena[9 + local] = (u64)(uintptr_t)&arena[INT_AT];
	arena[INT_AT + 2] = size;
	arena[INT_AT + 3] = digits;
	return pycallbacks_ready(&layout, (u64)(uintptr_t)arena);
}

static void the_count_is_read_by_version(void **state)
{
	(void)state;
	assert_int_equal(ready(9, 8, 1, 600, 0), 600);
	assert_int_equal(ready(11, 8, 1, 600, 0), 600);
	assert_int_equal(ready(12, 8, 1 << 3, 600, 0), 600);
	assert_int_equal(ready(13, 7, 1 << 3, 600, 0), 600);
	assert_int_equal(ready(13, 8, 1 << 3, 600, 0), 0);
	assert_int_equal(ready(14, 7, 1 << 3 | 4, 200, 0), 200); /* one of the small ints */
	assert_int_equal(ready(15, 7, 1 << 3 | 4, 600, 0), 600);
	assert_int_equal(ready(13, 7, 1 << 3 | 4, 200, 0), 0);
	assert_int_equal(ready(13, 5, 1 << 3, 600, 5), 600); /* the layout knows better */
}

static void an_object_of_a_free_threaded_build_is_larger(void **state)
{
	struct py_layout layout = { .minor = 13, .object_shift = 16, .frame_locals = 72 };

	(void)state;
	for (u16 minor = 13; minor <= 15; minor++) {
		layout.minor = minor;
		memset(arena, 0, sizeof(arena));
		arena[9 + 7] = (u64)(uintptr_t)&arena[INT_AT] | (minor > 13); /* with a tag */
		arena[INT_AT + 4] = 1 << 3; /* by hand: at 32, at 40 */
		arena[INT_AT + 5] = 600;
		assert_int_equal(pycallbacks_ready(&layout, (u64)(uintptr_t)arena), 600);
	}
}

static void what_is_no_such_int_is_not_known(void **state)
{
	struct py_layout layout = { .minor = 11, .frame_locals = 72 };

	(void)state;
	assert_int_equal(ready(11, 8, (u64)-1, 600, 0), 0);	  /* negative */
	assert_int_equal(ready(11, 8, 2, 600, 0), 0);		  /* two digits */
	assert_int_equal(ready(12, 8, 1 << 3 | 2, 600, 0), 0);	  /* negative */
	assert_int_equal(ready(12, 8, 1, 0, 0), 0);		  /* zero */
	assert_int_equal(ready(11, 8, 1, 0xffffffff, 0), 0);	  /* no digit is so large */
	assert_int_equal(ready(11, 7, 1, 600, 0), 0);		  /* not assigned yet */
	assert_int_equal(pycallbacks_ready(&layout, 8), 0);	  /* a wild frame */
	arena[9 + 8] = 0xdeadbeef;
	assert_int_equal(pycallbacks_ready(&layout, (u64)(uintptr_t)arena), 0);
}

static void contexts_are_counted_where_the_thread_has_them(void **state)
{
	static const struct {
		u16 minor, offset;
	} where[] = { { 9, 248 }, { 10, 248 }, { 11, 232 }, { 12, 216 }, { 13, 216 }, { 14, 216 }, { 15, 240 } };

	(void)state;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		struct py_layout layout = { .minor = where[i].minor };

		memset(arena, 0, sizeof(arena));
		arena[where[i].offset / 8] = 4711;
		assert_int_equal(pycallbacks_context_switches(&layout, (u64)(uintptr_t)arena), 4711);
		layout.minor = 16;
		assert_int_equal(pycallbacks_context_switches(&layout, (u64)(uintptr_t)arena), 0);
	}
}

static void other_locals_are_another_callback(void **state)
{
	struct py_layout layout = { .minor = 11, .frame_locals = 72 };
	u64 frame = (u64)(uintptr_t)arena, one;

	(void)state;
	memset(arena, 0, sizeof(arena));
	one = pycallbacks_locals(&layout, frame);
	assert_int_equal(pycallbacks_locals(&layout, frame), one);
	for (unsigned i = 0; i < PYCALLBACKS_LOCALS; i++) {
		arena[9 + i] = 4711;
		assert_int_not_equal(pycallbacks_locals(&layout, frame), one);
		arena[9 + i] = 0;
	}
	arena[9 + PYCALLBACKS_LOCALS] = 4711; /* the value stack, or another frame's */
	assert_int_equal(pycallbacks_locals(&layout, frame), one);
	assert_int_equal(pycallbacks_locals(&layout, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_is_read_by_version),
		cmocka_unit_test(an_object_of_a_free_threaded_build_is_larger),
		cmocka_unit_test(what_is_no_such_int_is_not_known),
		cmocka_unit_test(contexts_are_counted_where_the_thread_has_them),
		cmocka_unit_test(other_locals_are_another_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
