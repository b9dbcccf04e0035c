/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What only free-threaded builds have: who waits until the world goes on, and whose collection it is; copies of
 * bytecode.  Over fake memory of every layout.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"
#include "pyworld.h"

#include <cmocka.h>

#define SUSPENDED 2
#define TARGET_ID 7

/* By hand: where PyThreadState.state is. */
static u64 state_of(u64 tstate)
{
	return tstate + (fake_layout.minor == 13 ? 40 : fake_layout.minor == 14 ? 44 : 48);
}

/* A struct wait_entry: argument, address, semaphore. The futex that its thread sleeps on. */
static u64 parked_at(u64 addr)
{
	u64 entry = fake_alloc(72);

	fake_put64(entry + 8, addr);
	return entry + 16;
}

static void a_wait_for_the_world_is_told_from_a_lock(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		const struct py_layout *l = &s->layout;
		bool is_free = minor > LAYOUT_MINOR_LAST;
		u64 tstate = s->tstate_addr, lock = fake_object_alloc(32), other = fake_alloc(FAKE_TSTATE_BYTES);

		assert_int_equal(pyworld_is_stopped_for(l, tstate, parked_at(state_of(tstate))), is_free);
		assert_false(pyworld_is_stopped_for(l, tstate, parked_at(lock)));
		assert_false(pyworld_is_stopped_for(l, tstate, parked_at(state_of(other))));
		assert_false(pyworld_is_stopped_for(l, tstate, parked_at(0)));
		assert_false(pyworld_is_stopped_for(l, tstate, 0x1000));
		assert_false(pyworld_is_stopped_for(l, tstate, 0));
	}
}

static void a_collection_is_its_who_stopped_the_others(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		const struct py_layout *l = &s->layout;
		bool has_gil = minor <= LAYOUT_MINOR_LAST;
		u64 tstate = s->tstate_addr, other = fake_alloc(FAKE_TSTATE_BYTES);

		assert_true(pyworld_is_ours(l, tstate)); /* the only one */
		for (int i = 0; i < 2; i++) { /* before it in the list, or behind it */
			fake_put64(tstate, i ? other : 0);
			fake_put64(tstate + 8, i ? 0 : other);
			for (u32 is = 0; is <= 3; is++) {
				fake_put32(state_of(other), is);
				assert_int_equal(pyworld_is_ours(l, tstate), has_gil || is == SUSPENDED);
			}
		}
		fake_put64(tstate + 8, 0xdead0000);
		assert_int_equal(pyworld_is_ours(l, tstate), has_gil);
	}
}

static void assert_walk(struct scratch *s, u32 status, u32 nr)
{
	assert_int_equal(py_walk(s, TARGET_ID), 0);
	assert_int_equal(s->status, status);
	assert_int_equal(s->nr, nr);
}

/* Free-threaded 3.14+: the frame runs one of several copies of its bytecode. */
static void the_offset_is_in_the_copy_that_the_frame_runs(void **state)
{
	(void)state;
	for (unsigned minor = LAYOUT_MINOR_LAST + FAKE_FREE - 1; minor <= LAYOUT_MINOR_LAST + FAKE_FREE; minor++) {
		struct scratch *s = fake_python(minor);
		u64 code = fake_code("f", 1, PY_CO_OPTIMIZED), frame = fake_frame(code, 30, 0, 0);
		u64 copies = fake_alloc(8 + 4 * 8), copy = fake_alloc(64);

		/* By hand: struct _PyCodeArray, and where its address and the index are. */
		fake_put64(copies, 4);
		fake_put64(copies + 8, code + 232);
		fake_put64(copies + 8 + 2 * 8, copy);
		fake_put64(code + 224, copies);
		fake_set_frame(frame);
		assert_walk(s, STACK_OK, 1);
		assert_int_equal(s->frames[0].offset_bytes, 30);
		fake_put32(frame + 72, 2);
		fake_put64(frame + fake_layout.frame_instr, copy + 44);
		assert_walk(s, STACK_OK, 1);
		assert_int_equal(s->frames[0].code_addr, code);
		assert_int_equal(s->frames[0].offset_bytes, 44);
		/* Another's, one that was not made, one that does not exist. */
		fake_put64(frame + fake_layout.frame_instr, code + 232 + 30);
		for (u32 index = 1; index <= 5; index++) {
			if (index == 2)
				continue;
			fake_put32(frame + 72, index);
			assert_walk(s, STACK_BAD_CODE, 0);
		}
		fake_put32(frame + 72, ~0u);
		assert_walk(s, STACK_BAD_CODE, 0);
		fake_put32(frame + 72, 2);
		fake_put64(code + 224, 0xdead0000);
		assert_walk(s, STACK_BAD_CODE, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_for_the_world_is_told_from_a_lock),
		cmocka_unit_test(a_collection_is_its_who_stopped_the_others),
		cmocka_unit_test(the_offset_is_in_the_copy_that_the_frame_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
