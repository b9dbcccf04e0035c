/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What differs in a Python on musl: where a thread's state is, and on which word it waits for the GIL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"
#include "pygil.h"

#include <cmocka.h>

#define TSD 128
#define KEY 3

static void the_thread_state_is_behind_the_threads_own_pointer(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		u64 tstate = s->tstate_addr, values = fake_alloc(8 * 128);

		s->layout.tstate_slot = TSD << 16 | 8 * KEY;
		s->tstate_addr = 0;
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), -1);
		assert_int_equal(s->status, STACK_NO_THREAD_STATE);
		fake_put64(FAKE_FS_BASE + TSD, values);
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), -1);
		assert_int_equal(s->status, STACK_NO_THREAD_STATE);
		fake_put64(values + 8 * KEY, tstate);
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), 0);
		assert_int_equal(s->tstate_addr, tstate);
		fake_put64(FAKE_FS_BASE + TSD, 0xdead0000);
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), -1);
	}
}

#define WORD(waiter) ((waiter) + 20)

/* Of a condition at cond, newest first. */
static void put_waiters(u64 cond, const u64 *waiters, unsigned nr)
{
	fake_put64(cond + 8, nr ? waiters[0] : 0);
	for (unsigned i = 0; i < nr; i++)
		fake_put64(waiters[i] + 8, i + 1 < nr ? waiters[i + 1] : 0);
}

static void a_waiter_is_in_the_list_of_a_condition(void **state)
{
	u64 gil, waiters[12];

	(void)state;
	for (unsigned cond = 32; cond <= 120; cond += 88) {
		fake_reset();
		gil = fake_alloc(208);
		for (unsigned i = 0; i < 12; i++)
			waiters[i] = fake_alloc(32);
		assert_false(py_musl_waits_for_gil(gil, WORD(waiters[0])));
		put_waiters(gil + cond, waiters, 3);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(py_musl_waits_for_gil(gil, WORD(waiters[i])), i < 3);
		assert_false(py_musl_waits_for_gil(gil, waiters[0]));
		/* A cycle, and more than are looked at. */
		fake_put64(waiters[2] + 8, waiters[0]);
		assert_false(py_musl_waits_for_gil(gil, WORD(waiters[3])));
		put_waiters(gil + cond, waiters, 12);
		assert_true(py_musl_waits_for_gil(gil, WORD(waiters[7])));
		assert_false(py_musl_waits_for_gil(gil, WORD(waiters[8])));
		fake_put64(gil + cond + 8, 0xdead0000);
		assert_false(py_musl_waits_for_gil(gil, WORD(waiters[0])));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thread_state_is_behind_the_threads_own_pointer),
		cmocka_unit_test(a_waiter_is_in_the_list_of_a_condition),
	};

	return cmocka_run_group_tests_name("pymusl", tests, NULL, NULL);
}
