/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the kernel half finds who waits for a task, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fake_awaiting.h"

#include <cmocka.h>

static void a_callback_tells_who_waits(void **state)
{
	u64 task, waiter;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		task = fake_future("_asyncio.Task");
		waiter = fake_future("_asyncio.Task");
		assert_int_equal(await_waiter(s, task), 0);
		fake_wakes(task, waiter);
		assert_int_equal(await_waiter(s, task), waiter);
		s->loop_addr = loop + 8;
		assert_int_equal(await_waiter(s, task), 0);
		s->loop_addr = loop;
		fake_calls(task, fake_named(64, "function"));
		assert_int_equal(await_waiter(s, task), 0);
		assert_int_equal(await_waiter(s, 0), 0);
		assert_int_equal(await_waiter(s, NO_STACK), 0);
	}
}

static void wait_for_stands_between(void **state)
{
	u64 task, future, partial;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		task = fake_future("_asyncio.Task");
		future = fake_future("_asyncio.Future");
		partial = fake_named(64, "functools.partial");
		fake_calls(task, partial);
		assert_int_equal(await_waiter(s, task), 0);
		fake_put64(fake_in(partial) + 24, fake_tuple(&future, 1));
		assert_int_equal(await_waiter(s, task), fake_layout.minor <= 11 ? future : 0);
		fake_put64(fake_in(future) + PYTASK_LOOP, loop + 8); /* another's */
		assert_int_equal(await_waiter(s, task), 0);
	}
}

static void gather_stands_between(void **state)
{
	static const char *const names[] = { "gather.<locals>._done_callback", "_gather.<locals>._done_callback",
					     "_wait.<locals>._on_completion" };
	u64 task, variables[NR_WORDS];

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		task = fake_future("_asyncio.Task");
		for (unsigned i = 0; i < 5; i++)
			variables[i] = fake_named(64, i ? "int" : "list");
		variables[3] = fake_gathering();
		for (unsigned i = 0; i < 3; i++) {
			fake_calls(task, fake_function(names[i], variables, 5));
			assert_int_equal(await_waiter(s, task), variables[3]);
		}
		fake_calls(task, fake_function("gather.<locals>._done_callback", variables, 3)); /* not there yet */
		assert_int_equal(await_waiter(s, task), 0);
		fake_calls(task, fake_function("Server.<locals>._done_callback", variables, 5));
		assert_int_equal(await_waiter(s, task), 0);
		variables[3] = task;
		fake_calls(task, fake_function("gather.<locals>._done_callback", variables, 5));
		assert_int_equal(await_waiter(s, task), 0); /* nobody waits for himself */
		variables[3] = fake_named(FUTURE_BYTES, "list");
		fake_put64(fake_in(variables[3]) + PYTASK_LOOP, loop);
		fake_calls(task, fake_function("gather.<locals>._done_callback", variables, 5));
		assert_int_equal(await_waiter(s, task), 0);
	}
}

static void more_variables_than_anybody_has_are_not_all_read(void **state)
{
	u64 task, variables[NR_WORDS];

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		task = fake_future("_asyncio.Task");
		for (unsigned i = 0; i < NR_WORDS; i++)
			variables[i] = fake_named(64, "int");
		variables[PYAWAIT_MAX_WORDS] = fake_gathering();
		fake_calls(task, fake_function("gather.<locals>._done_callback", variables, NR_WORDS));
		assert_int_equal(await_waiter(s, task), 0);
		variables[PYAWAIT_MAX_WORDS - 1] = variables[PYAWAIT_MAX_WORDS];
		fake_calls(task, fake_function("gather.<locals>._done_callback", variables, NR_WORDS));
		assert_int_equal(await_waiter(s, task), variables[PYAWAIT_MAX_WORDS]);
	}
}

static void a_task_group_has_who_waits(void **state)
{
	u64 task, attributes[NR_WORDS];

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		task = fake_future("_asyncio.Task");
		for (unsigned i = 0; i < 5; i++)
			attributes[i] = fake_named(64, "bool");
		attributes[3] = loop;
		attributes[4] = fake_future("_asyncio.Task");
		fake_calls(task, fake_method("TaskGroup", attributes, 5));
		assert_int_equal(await_waiter(s, task), attributes[4]);
		fake_calls(task, fake_method("Server", attributes, 5));
		assert_int_equal(await_waiter(s, task), 0);
	}
}

/* Its function has its TaskGroup, which has a CancelScope, which has a parent of its kind, and the task. */
static void anyio_has_who_waits(void **state)
{
	u64 task, other, scope[NR_WORDS], group[3], variables[2];

	(void)state;
	for FAKE_MINORS(minor) {
		for (int is_slotted = 0; is_slotted < 2; is_slotted++) {
			struct scratch *s = fake(minor);

			task = fake_future("_asyncio.Task");
			for (unsigned i = 0; i < PYAWAIT_MAX_WORDS; i++)
				scope[i] = fake_named(64, "bool");
			scope[PYAWAIT_MAX_WORDS - 1] = fake_future("_asyncio.Task");
			other = fake_instance("CancelScope", &scope[PYAWAIT_MAX_WORDS - 1], 1);
			scope[1] = other;
			scope[PYAWAIT_MAX_WORDS - 1] = fake_future("_asyncio.Task");
			group[0] = fake_named(64, "bool");
			group[1] = is_slotted ? fake_slotted("CancelScope", scope, PYAWAIT_MAX_WORDS)
					      : fake_instance("CancelScope", scope, PYAWAIT_MAX_WORDS);
			group[2] = fake_future("_asyncio.Future"); /* _on_completed_fut */
			variables[0] = fake_instance("TaskGroup", group, 3);
			variables[1] = task;
			fake_calls(task, fake_function("TaskGroup._spawn.<locals>.task_done", variables, 2));
			assert_int_equal(await_waiter(s, task), scope[PYAWAIT_MAX_WORDS - 1]);
		}
	}
}

static void from_3_14_on_a_future_says_who_awaits_it(void **state)
{
	u64 task, waiter, set, table;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);
		bool tells = fake_layout.minor >= 14;

		task = fake_future("_asyncio.Task");
		waiter = fake_future("_asyncio.Task");
		fake_put64(fake_in(task) + 96, waiter);
		assert_int_equal(await_waiter(s, task), tells ? waiter : 0);
		set = fake_named(64, "set");
		table = fake_alloc(16 * 8);
		fake_put64(fake_in(set) + 32, 7);
		fake_put64(fake_in(set) + 40, table);
		fake_put64(table + 16 * 2, fake_named(32, "object")); /* an entry that was taken out */
		fake_put64(table + 16 * 6, waiter);
		fake_put64(fake_in(task) + 96, set);
		assert_int_equal(await_waiter(s, task), 0);
		fake_put8(fake_in(task) + 109, 1);
		assert_int_equal(await_waiter(s, task), tells ? waiter : 0);
		fake_put64(fake_in(set) + 32, UINT64_MAX);
		assert_int_equal(await_waiter(s, task), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_callback_tells_who_waits),
		cmocka_unit_test(wait_for_stands_between),
		cmocka_unit_test(gather_stands_between),
		cmocka_unit_test(more_variables_than_anybody_has_are_not_all_read),
		cmocka_unit_test(a_task_group_has_who_waits),
		cmocka_unit_test(anyio_has_who_waits),
		cmocka_unit_test(from_3_14_on_a_future_says_who_awaits_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
