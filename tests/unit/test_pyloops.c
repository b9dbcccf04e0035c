/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loops that are known by their frames, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"

#include <cmocka.h>

#define STATE_ASCII  0x64 /* kind 1, compact, ascii */
#define STATE_LATIN1 0x24
#define STATE_WIDE   0x28 /* kind 2 */
#define FUNCTION     1 /* co_flags: CO_OPTIMIZED */
#define LIB	     "/usr/lib/python3/dist-packages/"

struct fake_call {
	const char *name, *file;
};
#define GET_EVENTS   { "get_events", LIB "trio/_core/_io_epoll.py" }
#define TRIO_RUN     { "run", LIB "trio/_core/_run.py" }
#define UNROLLED_RUN { "unrolled_run", LIB "trio/_core/_run.py" }
#define DO_POLL	     { "doPoll", LIB "twisted/internet/epollreactor.py" }
#define MAIN_LOOP    { "mainLoop", LIB "twisted/internet/base.py" }
#define HUB_RUN	     { "run", LIB "gevent/hub.py" }
#define APP	     { "handler", "/srv/app.py" }
#define MODULE	     { "<module>", "/srv/app.py" }
#define CALLS(...)   ((const struct fake_call[]){ __VA_ARGS__, {} })

static u64 file_str(const char *file, u32 state)
{
	u64 addr = fake_alloc(fake_layout.str_compact_data + 128);
	u32 at = state == STATE_ASCII ? fake_layout.str_ascii_data : fake_layout.str_compact_data;

	fake_put64(fake_in(addr) + 16, strlen(file));
	fake_put_state(addr, state);
	fake_put(addr + at, file, (u32)strlen(file));
	return addr;
}

/* A thread with that stack, innermost first; "<module>" is no function's code. */
static struct scratch *thread_in(unsigned minor, u32 state, const struct fake_call *calls)
{
	struct scratch *s = fake_python(minor);
	u64 frame = 0, code;
	int nr = 0;

	while (calls[nr].name)
		nr++;
	while (nr-- > 0) {
		code = fake_code(calls[nr].name, 1, calls[nr].name[0] == '<' ? 0 : FUNCTION);
		fake_put64(code + fake_layout.code_filename, file_str(calls[nr].file, state));
		frame = fake_frame(code, 20, 0, frame);
	}
	fake_set_frame(frame);
	return s;
}

static void wait_is(const struct fake_call *calls, u32 kind, u32 depth)
{
	for FAKE_MINORS(minor) {
		struct scratch *s = thread_in(minor, STATE_ASCII, calls);

		assert_int_equal(py_loop_by_frames(s, 1, 1), kind);
		assert_int_equal(s->slot_addr, 0);
		if (kind == LOOP_KIND_UNKNOWN)
			continue;
		assert_int_equal(s->nr, depth);
		assert_int_equal(s->slot_value, s->frames[0].code_addr);
		assert_int_equal(s->run_code, kind == LOOP_KIND_GEVENT ? 0 : s->frames[1].code_addr);
		assert_int_equal(pyloop_current_code(&fake_layout, s->tstate_addr), s->slot_value);
	}
}

static void each_is_known_at_its_wait(void **state)
{
	(void)state;
	wait_is(CALLS(GET_EVENTS, TRIO_RUN, MODULE), LOOP_KIND_TRIO, 2);
	wait_is(CALLS(DO_POLL, MAIN_LOOP, APP, MODULE), LOOP_KIND_TWISTED, 3);
	wait_is(CALLS(HUB_RUN), LOOP_KIND_GEVENT, 1);
}

static void what_waits_elsewhere_is_none(void **state)
{
	(void)state;
	wait_is(CALLS(MODULE), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS({ "select", "/usr/lib/python3.11/selectors.py" },
		      { "serve_forever", "/usr/lib/python3.11/socketserver.py" }, MODULE),
		LOOP_KIND_UNKNOWN, 0);
	/* trio as a guest waits in a thread of its own, and asks without waiting on its host's. */
	wait_is(CALLS(GET_EVENTS, { "capture", LIB "outcome/_impl.py" }, MODULE), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS(GET_EVENTS, { "guest_tick", LIB "trio/_core/_run.py" }, MODULE), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS(APP, GET_EVENTS, TRIO_RUN, MODULE), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS(APP, DO_POLL, MAIN_LOOP, MODULE), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS(DO_POLL), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS(HUB_RUN, MODULE), LOOP_KIND_UNKNOWN, 0);
	/* Called so, and another's. */
	wait_is(CALLS({ "get_events", "/srv/io_epoll.py" }, TRIO_RUN), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS({ "get_events", "_io_epoll.py" }, TRIO_RUN), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS(GET_EVENTS, { "run", "/srv/_run.py" }), LOOP_KIND_UNKNOWN, 0);
	wait_is(CALLS({ "run", "/srv/hub.py" }), LOOP_KIND_UNKNOWN, 0);
}

static void a_gevent_hub_that_is_not_read_whole_is_none(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = thread_in(minor, STATE_ASCII, CALLS(HUB_RUN));
		u64 code = fake_code("x", 1, FUNCTION), frame;

		frame = fake_frame(code, 20, 0, 0xdead0000);
		fake_put64(code + fake_layout.code_name, fake_str("run"));
		fake_put64(code + fake_layout.code_filename, file_str("gevent/hub.py", STATE_ASCII));
		fake_set_frame(frame);
		assert_int_equal(py_loop_by_frames(s, 1, 1), LOOP_KIND_UNKNOWN);
	}
}

static void paths_need_not_be_ascii(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		const struct fake_call *calls = CALLS(GET_EVENTS, TRIO_RUN, MODULE);

		assert_int_equal(py_loop_by_frames(thread_in(minor, STATE_LATIN1, calls), 1, 1),
				 LOOP_KIND_TRIO);
		assert_int_equal(py_loop_by_frames(thread_in(minor, STATE_WIDE, calls), 1, 1),
				 LOOP_KIND_TRIO);
		calls = CALLS({ "get_events", "/srv/x.py" }, TRIO_RUN, MODULE);
		assert_int_equal(py_loop_by_frames(thread_in(minor, STATE_LATIN1, calls), 1, 1),
				 LOOP_KIND_UNKNOWN);
	}
}

/* kind, found by the timer; depth: of the loop's frame. */
static void callback_is(const struct fake_call *calls, u32 kind, u32 depth)
{
	for FAKE_MINORS(minor) {
		struct scratch *s = thread_in(minor, STATE_ASCII, calls);
		u64 run_code;
		u32 nr;

		assert_int_equal(py_loop_by_frames(s, 1, 0), kind);
		if (kind != LOOP_KIND_UNKNOWN)
			assert_int_equal(s->nr, depth);
		run_code = s->run_code;
		py_walk(s, 1);
		nr = s->nr;
		assert_int_equal(run_code, kind == LOOP_KIND_UNKNOWN ? 0 : s->frames[nr - depth].code_addr);
		assert_int_equal(py_is_in_callback(s, LOOP_KIND_TRIO),
				 kind == LOOP_KIND_TRIO ? depth + 1 : 0);
		if (kind == LOOP_KIND_TRIO)
			assert_int_equal(s->run_code, run_code);
		assert_int_equal(py_is_in_callback(s, LOOP_KIND_TWISTED),
				 kind == LOOP_KIND_TWISTED ? depth + 1 : 0);
		assert_int_equal(s->nr, nr);
	}
}

static void each_is_known_below_its_callbacks(void **state)
{
	(void)state;
	callback_is(CALLS(APP, APP, UNROLLED_RUN, TRIO_RUN, MODULE), LOOP_KIND_TRIO, 2);
	callback_is(CALLS(UNROLLED_RUN, TRIO_RUN, MODULE), LOOP_KIND_TRIO, 2);
	callback_is(CALLS(APP, { "runUntilCurrent", LIB "twisted/internet/base.py" }, MAIN_LOOP, MODULE),
		    LOOP_KIND_TWISTED, 2);
	callback_is(CALLS(APP, MODULE), LOOP_KIND_UNKNOWN, 0);
	callback_is(CALLS(APP, TRIO_RUN, MODULE), LOOP_KIND_UNKNOWN, 0);
	callback_is(CALLS(APP, { "unrolled_run", "/srv/run.py" }, MODULE), LOOP_KIND_UNKNOWN, 0);
}

static void greenlets_are_told_from_the_threads_own_stack(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		const struct {
			const struct fake_call *calls;
			bool is_greenlet;
		} cases[] = {
			{ CALLS(APP), true },
			{ CALLS(APP, APP), true },
			{ CALLS(APP, HUB_RUN), true },
			{ CALLS(APP, MODULE), false },
			{ CALLS(MODULE), false },
			{ CALLS(APP, { "_bootstrap", "/usr/lib/python3.11/threading.py" }), false },
			{ CALLS(APP, { "_bootstrap", "/srv/app.py" }), true },
			{ CALLS(APP, MODULE, { "_run_module_as_main", "<frozen runpy>" }), false },
			{ CALLS(APP, { "_run_model", "/srv/app.py" }), true },
		};

		for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct scratch *s = thread_in(minor, STATE_ASCII, cases[i].calls);

			py_walk(s, 1);
			assert_int_equal(py_is_in_callback(s, LOOP_KIND_GEVENT), cases[i].is_greenlet);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_known_at_its_wait),
		cmocka_unit_test(what_waits_elsewhere_is_none),
		cmocka_unit_test(a_gevent_hub_that_is_not_read_whole_is_none),
		cmocka_unit_test(paths_need_not_be_ascii),
		cmocka_unit_test(each_is_known_below_its_callbacks),
		cmocka_unit_test(greenlets_are_told_from_the_threads_own_stack),
	};

	return cmocka_run_group_tests_name("pyloops", tests, NULL, NULL);
}
