/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the kernel half adds the coroutines that wait for the current task, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fake_awaiting.h"

#include <cmocka.h>

#define NR_CORO 3

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
								     "async_generator_asend"))),
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

static void generators_are_followed_inward(void **state)
{
	u64 frames[3], inner;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);

		inner = fake_way_into("coroutine_wrapper", fake_coroutine(0, &frames[0]));
		inner = fake_generator("generator", inner, &frames[1]);
		inner = fake_generator("async_generator", inner, &frames[2]);
		inner = fake_coroutine(fake_way_into("async_generator_asend", inner), &inner);
		assert_int_equal(note_all(s, fake_task_of(inner)), 4);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(s->frame_addrs[EV_MAX_FRAMES - 2 - i], frames[2 - i]);
	}
}

static void who_is_not_suspended_is_not_followed(void **state)
{
	u64 frame, coroutine;

	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);
		int m = fake_layout.minor, running = m == 15 ? 4 : 0, ended = m == 15 ? 5 : 4;

		coroutine = fake_coroutine(0, &frame);
		set_state(coroutine, running);
		assert_int_equal(note_all(s, fake_task_of(coroutine)), m <= 10);
		set_state(coroutine, ended);
		if (m <= 10)
			fake_put64(coroutine + 16, 0);
		assert_int_equal(note_all(s, fake_task_of(coroutine)), 0);
	}
}

static u64 fake_task_in(const char *function, u64 awaited)
{
	u64 frame, coroutine = fake_coroutine(awaited, &frame);
	u64 code = fake_code(function, 1, PY_CO_OPTIMIZED | PY_CO_COROUTINE);

	fake_put64(frame + fake_layout.frame_code, code);
	if (fake_layout.frame_owner)
		fake_put8(frame + fake_layout.frame_owner, 1);
	fake_set_offset(frame, code, 16);
	return fake_task_of(coroutine);
}

static struct loop_thread fake_thread(struct scratch *s, u64 task)
{
	s->nr = 0;
	s->status = STACK_OK;
	s->flags = 0;
	s->nr_awaiting = 0;
	return (struct loop_thread){ .kind = LOOP_KIND_UVLOOP, .loop = loop, .task = task };
}

static void futures_are_passed_on_the_way(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);
		u64 task = fake_future("_asyncio.Task"), outer = fake_gathering();
		u64 future = fake_future("_asyncio.Future");
		u64 parent = fake_task_in("parent", future), partial = fake_function("_wait.<locals>.x", &future, 1);
		struct loop_thread th = fake_thread(s, task);

		fake_calls(task, fake_function("gather.<locals>._done_callback", &outer, 1));
		fake_calls(outer, partial);
		fake_wakes(future, parent);
		await_walk(&th, s);
		assert_int_equal(s->nr_awaiting, 1);
		assert_int_equal(s->awaiting_at, 0);
		th = fake_thread(s, task);
		th.nr_above = -1; /* a greenlet's */
		await_walk(&th, s);
		assert_int_equal(s->nr_awaiting, 0);
	}
}

static void a_circle_of_tasks_ends_in_a_bound(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake(minor);
		u64 one = fake_task_in("one", 0), other = fake_task_in("other", 0);
		struct loop_thread th = fake_thread(s, one);

		fake_wakes(one, other);
		fake_wakes(other, one);
		await_walk(&th, s);
		assert_int_equal(s->nr_awaiting, PYAWAIT_MAX_STEPS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coroutines_are_followed_inward),
		cmocka_unit_test(what_is_no_coroutine_is_not_followed),
		cmocka_unit_test(forged_coroutines_end_in_a_bound),
		cmocka_unit_test(generators_are_followed_inward),
		cmocka_unit_test(who_is_not_suspended_is_not_followed),
		cmocka_unit_test(futures_are_passed_on_the_way),
		cmocka_unit_test(a_circle_of_tasks_ends_in_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
