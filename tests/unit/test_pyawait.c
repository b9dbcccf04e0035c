/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the kernel half finds who waits for the current task, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"
#include "fake_objects.h"
#include "pyawait.h"

#include <cmocka.h>

#define CORO_BYTES   192
#define FUTURE_BYTES 192
#define FRAME_ROOM   512
#define NR_CORO	     3
#define NO_STACK     0xdead0000

static u64 loop;

static u64 fake_future(const char *type)
{
	u64 addr = fake_named(FUTURE_BYTES, type);

	fake_put64(fake_in(addr) + PYTASK_LOOP, loop);
	return addr;
}

static void fake_wakes(u64 future, u64 task)
{
	fake_put64(fake_in(future) + 24, fake_builtin("task_wakeup", task));
}

/* A coroutine that is suspended on what it awaits; its frame, where CPython has it. */
static u64 fake_coroutine(u64 awaited, u64 *frame)
{
	unsigned minor = fake_layout.minor;
	u64 addr = fake_named(CORO_BYTES + FRAME_ROOM, "coroutine"), stack = fake_alloc(64);

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
	return addr;
}

static u64 fake_task_of(u64 coroutine)
{
	u64 addr = fake_future("_asyncio.Task");

	fake_put64(addr + fake_layout.task_name - 8, coroutine);
	return addr;
}

static struct scratch *fake(unsigned minor)
{
	struct scratch *s = fake_python(minor);

	loop = fake_alloc(64);
	return s;
}

/* As pyawait.bpf.c does. */
static u32 note_all(struct scratch *s, u64 task)
{
	u64 coroutine = pyawait_coroutine(&s->layout, task);

	s->nr_noted = 0;
	for (u32 i = 0; i < PYAWAIT_MAX_COROUTINES && coroutine; i++)
		coroutine = pyawait_note(s, coroutine, i);
	return s->nr_noted;
}

static void coroutines_are_followed_inward(void **state)
{
	u64 frames[NR_CORO], coroutine;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		coroutine = fake_future("_asyncio.Future");
		for (int i = NR_CORO - 1; i >= 0; i--)
			coroutine = fake_coroutine(coroutine, &frames[i]);
		assert_int_equal(note_all(s, fake_task_of(coroutine)), NR_CORO);
		for (unsigned i = 0; i < NR_CORO; i++)
			assert_int_equal(s->frame_addrs[EV_MAX_FRAMES - 1 - i], frames[i]);
	}
}

static void what_is_no_coroutine_is_not_followed(void **state)
{
	u64 frame;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		assert_int_equal(note_all(s, fake_task_of(0)), 0);
		assert_int_equal(note_all(s, fake_task_of(fake_named(CORO_BYTES,
								     "async_generator"))),
				 0);
		assert_int_equal(note_all(s, fake_task_of(NO_STACK)), 0);
		assert_int_equal(
			note_all(s, fake_task_of(fake_coroutine(NO_STACK, &frame))), 1);
		assert_int_equal(note_all(s, NO_STACK), 0);
	}
}

static void forged_coroutines_end_in_a_bound(void **state)
{
	u64 frame, itself;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);
		unsigned m = fake_layout.minor;

		itself = fake_coroutine(0, &frame);
		/* It awaits itself: what is on its stack is what stands there. */
		if (m >= 11 && m <= 13)
			fake_put64(frame + fake_layout.frame_locals + 8, itself);
		else if (m >= 14)
			fake_put64(read_user_u64(frame + 64) - (m == 14 ? 8 : 16), itself);
		else
			fake_put64(m == 9 ? read_user_u64(frame + 72) - 8
					  : read_user_u64(frame + 64) + 8,
				   itself);
		assert_int_equal(note_all(s, fake_task_of(itself)), PYAWAIT_MAX_COROUTINES);
		if (m < 10 || m > 13)
			continue;
		for (int i = 0; i < 3; i++) { /* heights that no stack has */
			fake_put32(frame + (m == 10 ? 80 : 64),
				   (u32[]){ 0, (u32)-1, 1 << 30 }[i]);
			assert_int_equal(note_all(s, fake_task_of(itself)), 1);
		}
	}
}

static void a_callback_tells_who_waits(void **state)
{
	const struct py_layout *l = &fake_layout;
	u64 task, waiter;

	(void)state;
	for FAKE_MINORS(minor) {
		fake(minor);
		task = fake_future("_asyncio.Task");
		waiter = fake_future("_asyncio.Task");
		assert_int_equal(pyawait_waiter(l, task, loop), 0);
		fake_wakes(task, waiter);
		assert_int_equal(pyawait_waiter(l, task, loop), waiter);
		assert_int_equal(pyawait_waiter(l, task, loop + 8), 0);
		fake_put64(fake_in(task) + 24,
			   fake_named(64, "function")); /* gather()'s, a TaskGroup's */
		assert_int_equal(pyawait_waiter(l, task, loop), 0);
		assert_int_equal(pyawait_waiter(l, 0, loop), 0);
		assert_int_equal(pyawait_waiter(l, NO_STACK, loop), 0);
	}
}

static void wait_for_stands_between(void **state)
{
	const struct py_layout *l = &fake_layout;
	u64 task, waiter, future, partial, arguments;

	(void)state;
	for FAKE_MINORS(minor) {
		fake(minor);
		task = fake_future("_asyncio.Task");
		waiter = fake_future("_asyncio.Task");
		future = fake_future("_asyncio.Future");
		partial = fake_named(64, "functools.partial");
		arguments = fake_object_alloc(48);
		fake_put64(fake_in(task) + 24, partial);
		fake_put64(fake_in(partial) + 24, arguments);
		assert_int_equal(pyawait_waiter(l, task, loop), 0);
		fake_put64(fake_in(arguments) + 24, future);
		assert_int_equal(pyawait_waiter(l, task, loop), 0); /* nobody waits */
		fake_wakes(future, waiter);
		assert_int_equal(pyawait_waiter(l, task, loop),
				 fake_layout.minor <= 11 ? waiter : 0);
		fake_put64(fake_in(future) + PYTASK_LOOP, loop + 8); /* another's */
		assert_int_equal(pyawait_waiter(l, task, loop), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coroutines_are_followed_inward),
		cmocka_unit_test(what_is_no_coroutine_is_not_followed),
		cmocka_unit_test(forged_coroutines_end_in_a_bound),
		cmocka_unit_test(a_callback_tells_who_waits),
		cmocka_unit_test(wait_for_stands_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
