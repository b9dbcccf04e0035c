/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the kernel half finds out that a thread runs a loop, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"

#include <cmocka.h>

#define CO_COROUTINE 0x80

/* ---- objects ---- */

static u64 fake_type(const char *name, u64 base)
{
	u64 addr = fake_object_alloc(PYTYPE_BASE + 8), text = fake_alloc((u32)strlen(name) + 9);

	fake_put(text, name, (u32)strlen(name));
	fake_put64(fake_in(addr) + PYTYPE_NAME, text);
	fake_put64(fake_in(addr) + PYTYPE_BASE, base);
	return addr;
}

static u64 fake_object(u64 type)
{
	u64 addr = fake_object_alloc(32);

	fake_put64(fake_in(addr) + PYOBJECT_TYPE, type);
	return addr;
}

static u64 fake_none(void)
{
	return fake_object(fake_type("NoneType", 0));
}

/* A loop as the slot or the dict holds it: up to 3.11 inside a holder. */
static u64 in_holder(u64 loop)
{
	u64 holder;

	if (!fake_layout.running_loop_holder)
		return loop;
	holder = fake_object(fake_type("_asyncio.RunningLoopHolder", 0));
	fake_put64(holder + fake_layout.running_loop_holder, loop);
	return holder;
}

/* ---- the dict of the thread state ---- */

struct fake_dict {
	u64 keys, entries;
	unsigned entry_bytes, key_at; /* within an entry; the value follows the key */
};

/* log2_size: of the index table; is_unicode: 3.11 and later only. */
static struct fake_dict fake_dict(struct scratch *s, unsigned log2_size, bool is_unicode, u64 nr)
{
	const struct py_layout *l = &fake_layout;
	u64 dict = fake_alloc(48), size = 1ULL << log2_size, head;
	unsigned indices = (unsigned)(log2_size <= 7 ? size : 2 * size);
	struct fake_dict d = { .entry_bytes = is_unicode ? 16 : 24, .key_at = is_unicode ? 0 : 8 };

	d.keys = fake_alloc(64 + indices + 300 * d.entry_bytes);
	if (l->minor <= 10) {
		fake_put64(d.keys + 8, size);
		fake_put64(d.keys + 32, nr);
		d.entries = d.keys + 40 + indices;
	} else {
		head = log2_size | (u64)(log2_size <= 7 ? log2_size : log2_size + 1) << 8 |
		       (u64)is_unicode << 16 | 0xabcd00000000ULL << 8;
		fake_put64(d.keys + 8, head);
		fake_put64(d.keys + 24, nr);
		d.entries = d.keys + 32 + indices;
	}
	fake_put64(fake_in(dict) + PYDICT_KEYS, d.keys);
	fake_put64(s->tstate_addr + l->tstate_dict, dict);
	return d;
}

static u64 dict_put(const struct fake_dict *d, unsigned index, u64 key, u64 value)
{
	u64 entry = d->entries + index * d->entry_bytes;

	fake_put64(entry + d->key_at, key);
	fake_put64(entry + d->key_at + 8, value);
	return entry + d->key_at + 8;
}

static bool has_dict(unsigned minor)
{
	return minor < 13;
}

static void run_loop_in_dict(unsigned minor, unsigned log2_size, bool is_unicode, unsigned index,
			     u64 nr, int want)
{
	struct scratch *s = fake_python(minor);
	struct fake_dict d = fake_dict(s, log2_size, is_unicode, nr);
	u64 loop = fake_object(fake_type("_UnixSelectorEventLoop", 0)), held = in_holder(loop), slot;
	u64 other = fake_str("__asyncio_running_event_loop_!"); /* as long */

	for (unsigned i = 0; i < index; i++)
		dict_put(&d, i, other, loop);
	slot = dict_put(&d, index, fake_str(PYRUNNING_KEY), held);
	assert_int_equal(py_running_loop(s), want);
	if (want)
		return;
	assert_int_equal(s->loop_addr, loop);
	assert_int_equal(s->slot_addr, slot);
	assert_int_equal(s->slot_value, held);
}

static void the_dict_is_searched_up_to_its_bound(void **state)
{
	(void)state;
	for (unsigned minor = 9; has_dict(minor); minor++) {
		for (int is_unicode = 0; is_unicode <= (minor > 10); is_unicode++) {
			run_loop_in_dict(minor, 3, is_unicode, 0, 1, 0);
			run_loop_in_dict(minor, 3, is_unicode, 4, 5, 0);
			run_loop_in_dict(minor, 3, is_unicode, 5, 5, -1); /* behind them */
			run_loop_in_dict(minor, 3, is_unicode, 0, 0, -1);
			run_loop_in_dict(minor, 7, is_unicode, 84, 85, 0); /* one byte an index */
			run_loop_in_dict(minor, 8, is_unicode, 127, 200, 0); /* two */
			run_loop_in_dict(minor, 8, is_unicode, 128, 200, -1);
		}
	}
}

static void a_dict_without_the_key_has_no_loop(void **state)
{
	(void)state;
	for (unsigned minor = 9; has_dict(minor); minor++) {
		struct scratch *s = fake_python(minor);
		struct fake_dict d = fake_dict(s, 3, false, 3);
		u64 loop = fake_object(fake_type("Loop", 0)), longer;

		longer = fake_str(PYRUNNING_KEY "_");
		dict_put(&d, 0, longer, loop);
		dict_put(&d, 1, fake_str("__asyncio_running_event_loop_"), loop);
		dict_put(&d, 2, 0, loop); /* a deleted entry */
		assert_int_equal(py_running_loop(s), -1);
		assert_int_equal(s->loop_addr, 0);
		dict_put(&d, 2, 0xdead0000, loop);
		assert_int_equal(py_running_loop(s), -1);
	}
}

static void a_thread_without_a_dict_has_no_loop(void **state)
{
	(void)state;
	for (unsigned minor = 9; has_dict(minor); minor++) {
		struct scratch *s = fake_python(minor);

		assert_int_equal(py_running_loop(s), -1);
		fake_put64(s->tstate_addr + fake_layout.tstate_dict, 0xdead0000);
		assert_int_equal(py_running_loop(s), -1);
	}
}

static void a_hostile_dict_costs_no_more_than_the_bound(void **state)
{
	(void)state;
	static const u64 hostile[] = { ~0ULL, 1ULL << 63, 1ULL << 32, 0x10000, 0xffffff };

	for (unsigned minor = 9; has_dict(minor); minor++) {
		for (unsigned i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
			struct scratch *s = fake_python(minor);
			struct fake_dict d = fake_dict(s, 3, false, hostile[i]);

			fake_nr_reads = 0;
			assert_int_equal(py_running_loop(s), -1);
			assert_in_range(fake_nr_reads, 0, 4 * PYRUNNING_MAX_ENTRIES + 8);
			assert_int_equal(s->loop_addr, 0);
			fake_put64(d.keys + 8, hostile[i]); /* dk_size, or all of log2, bytes, kind */
			fake_nr_reads = 0;
			assert_int_equal(py_running_loop(s), -1);
			assert_in_range(fake_nr_reads, 0, 4 * PYRUNNING_MAX_ENTRIES + 8);
		}
	}
}

static void none_is_no_loop(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		struct fake_dict d;

		if (has_dict(minor)) {
			d = fake_dict(s, 3, false, 1);
			dict_put(&d, 0, fake_str(PYRUNNING_KEY), in_holder(fake_none()));
		} else {
			fake_put64(s->tstate_addr + fake_layout.tstate_running_loop, fake_none());
		}
		assert_int_equal(py_running_loop(s), -1);
		assert_int_equal(s->loop_addr, 0);
	}
}

static void a_holder_that_cannot_be_read_is_no_loop(void **state)
{
	(void)state;
	for (unsigned minor = 9; minor <= 11; minor++) {
		struct scratch *s = fake_python(minor);
		struct fake_dict d = fake_dict(s, 3, false, 1);

		dict_put(&d, 0, fake_str(PYRUNNING_KEY), 0xdead0000);
		assert_int_equal(py_running_loop(s), -1);
		dict_put(&d, 0, fake_str(PYRUNNING_KEY), in_holder(0));
		assert_int_equal(py_running_loop(s), -1);
	}
}

static void the_thread_state_of_3_13_has_a_slot(void **state)
{
	(void)state;
	struct scratch *s = fake_python(13);
	u64 loop = fake_object(fake_type("_UnixSelectorEventLoop", 0));
	u64 slot = s->tstate_addr + fake_layout.tstate_running_loop;

	assert_int_equal(py_running_loop(s), -1);
	fake_put64(slot, loop);
	assert_int_equal(py_running_loop(s), 0);
	assert_int_equal(s->loop_addr, loop);
	assert_int_equal(s->slot_addr, slot);
	assert_int_equal(s->slot_value, loop);
}

/* ---- the stack of a loop ---- */

/* A stack of such names, innermost first; flags are of the innermost code. */
static struct scratch *walk(struct scratch *s, const char *const *names, u32 flags)
{
	u64 frame = 0;
	int nr = 0;

	while (names[nr])
		nr++;
	for (int i = nr; i-- > 0;)
		frame = fake_frame(fake_code(names[i], 1, i ? 0 : flags), 20, 0, frame);
	fake_set_frame(frame);
	py_walk(s, 1);
	assert_int_equal(s->nr, nr);
	return s;
}

#define STACK(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void set_loop(struct scratch *s, u64 type)
{
	s->loop_addr = fake_object(type);
}

static void run_once_makes_it_a_loop_of_asyncio(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		set_loop(s, fake_type("_UnixSelectorEventLoop", 0));
		walk(s, STACK("select", "_run_once", "run_forever", "run", "<module>"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_ASYNCIO);
		assert_int_equal(s->nr, 4);
		walk(s, STACK("_run_once", "run_forever"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_ASYNCIO);
		assert_int_equal(s->nr, 2);
	}
}

static void run_once_is_near_in_the_wait_and_anywhere_else(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		set_loop(s, fake_type("_UnixSelectorEventLoop", 0));
		walk(s, STACK("a", "b", "c", "_run_once", "run_forever"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_ASYNCIO);
		assert_int_equal(s->nr, 2);
		walk(s, STACK("a", "b", "c", "d", "_run_once", "run_forever"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		walk(s, STACK("a", "b", "c", "d", "_run_once", "run_forever"), 0);
		assert_int_equal(py_wait_kind(s, 0), LOOP_KIND_ASYNCIO);
		assert_int_equal(s->nr, 2);
	}
}

static void a_wait_that_a_callback_makes_is_not_the_loops(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		set_loop(s, fake_type("_UnixSelectorEventLoop", 0));
		walk(s, STACK("main", "_run", "_run_once", "run_forever"), CO_COROUTINE);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		walk(s, STACK("select", "main", "_run", "_run_once", "run_forever"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		walk(s, STACK("select", "main", "_run", "_run_once", "run_forever"), 0);
		assert_int_equal(py_wait_kind(s, 0), LOOP_KIND_ASYNCIO);
		assert_int_equal(s->nr, 2);
	}
}

static void without_run_once_it_is_no_loop_of_asyncio(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		set_loop(s, fake_type("_UnixSelectorEventLoop", 0));
		walk(s, STACK("select", "_run_onc", "_run_once_", "_RUN_ONCE", "<module>"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		assert_int_equal(py_wait_kind(s, 0), LOOP_KIND_UNKNOWN);
		s->nr = 0;
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		assert_int_equal(py_wait_kind(s, 0), LOOP_KIND_UNKNOWN);
	}
}

/* ---- uvloop ---- */

static void uvloop_is_known_by_the_type_of_the_loop(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		set_loop(s, fake_type("uvloop.loop.Loop", 0));
		walk(s, STACK("run", "<module>"), 0);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UVLOOP);
		assert_int_equal(s->nr, 2);
		assert_int_equal(py_wait_kind(s, 0), LOOP_KIND_UNKNOWN);
		/* A coroutine that waits is not the loop. */
		walk(s, STACK("main", "run", "<module>"), CO_COROUTINE | 3);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		walk(s, STACK("run", "<module>"), 0);
		set_loop(s, fake_type("uvloop", 0));
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
		s->nr = 0;
		set_loop(s, fake_type("uvloop.Loop", 0));
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
	}
}

static void uvloop_is_found_through_the_bases(void **state)
{
	(void)state;
	struct scratch *s = fake_python(12);
	u64 type = fake_type("uvloop.loop.Loop", 0), cycle;

	walk(s, STACK("run", "<module>"), 0);
	for (int depth = 1; depth <= 4; depth++) {
		set_loop(s, type);
		assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UVLOOP);
		type = fake_type("Loop", type);
	}
	set_loop(s, type);
	assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
	cycle = fake_type("Loop", 0);
	fake_put64(fake_in(cycle) + PYTYPE_BASE, cycle);
	set_loop(s, cycle);
	assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
	set_loop(s, 0xdead0000);
	assert_int_equal(py_wait_kind(s, 1), LOOP_KIND_UNKNOWN);
}

static int forget(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dict_is_searched_up_to_its_bound),
		cmocka_unit_test(a_dict_without_the_key_has_no_loop),
		cmocka_unit_test(a_thread_without_a_dict_has_no_loop),
		cmocka_unit_test(a_hostile_dict_costs_no_more_than_the_bound),
		cmocka_unit_test(none_is_no_loop),
		cmocka_unit_test(a_holder_that_cannot_be_read_is_no_loop),
		cmocka_unit_test(the_thread_state_of_3_13_has_a_slot),
		cmocka_unit_test(run_once_makes_it_a_loop_of_asyncio),
		cmocka_unit_test(run_once_is_near_in_the_wait_and_anywhere_else),
		cmocka_unit_test(a_wait_that_a_callback_makes_is_not_the_loops),
		cmocka_unit_test(without_run_once_it_is_no_loop_of_asyncio),
		cmocka_unit_test(uvloop_is_known_by_the_type_of_the_loop),
		cmocka_unit_test(uvloop_is_found_through_the_bases),
	};

	return cmocka_run_group_tests_name("pyrunning", tests, NULL, forget);
}
