/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tasks of every version out of fake memory: what is counted as what, and memory that is forged or changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_tasks.h"

static void check_states(void)
{
	uint64_t task, foreign;

	task = put_task(loops[0], PENDING, 0);
	put_running(TSTATE(0), loops[0], task);
	for (unsigned i = 0; i < 2; i++)
		put_task(loops[0], PENDING, 0);
	put_task(loops[0], PENDING, put_future("_asyncio.Future", loops[0], DONE, 0)); /* woken */
	put_task(loops[0], DONE, 0);
	for (unsigned i = 0; i < 4; i++)
		put_task(loops[0], PENDING, put_pending());
	put_task(loops[0], PENDING, task);
	foreign = put_object("MyFuture", 256);
	fake_put_u32(&fake, foreign + layout.object_shift + row.future_state, DONE); /* something else of it */
	put_task(loops[0], PENDING, foreign);
	put_task(loops[1], PENDING, put_pending());
	count();
	assert_int_equal(ev.status, TASKS_OK);
	assert_int_equal(ev.nr_loops, 2);
	assert_loop(0, 1, 3, 6);
	assert_loop(1, 0, 0, 1);
	assert_int_equal(ev.nr_uncounted, 0);
	for (unsigned i = 0; i < 5; i++)
		put_task(loops[2], PENDING, 0);
	count();
	assert_int_equal(ev.status, TASKS_OK);
	assert_loop(0, 1, 3, 6);
	assert_int_equal(ev.nr_uncounted, 5);
}

static void tasks_are_counted_by_loop_and_state(void **state)
{
	(void)state;
	on_every_build(check_states);
}

static void check_subclasses(void)
{
	uint64_t type = type_of("app.Task"), task;

	put_running(TSTATE(0), loops[0], 0);
	put_member(type, 256, type_of("app.Base"));
	put_member(type_of("app.Base"), 256, type_of("_asyncio.Task"));
	put_member(type_of("app.Gathering"), 256, type_of("_asyncio.Future"));
	task = put_task(loops[0], PENDING, put_future("app.Gathering", loops[0], DONE, 0));
	put_member(task, 8, type);
	count();
	assert_loop(0, 0, 1, 0);
	/* A type that is its own base. */
	put_member(type_of("app.Gathering"), 256, type_of("app.Gathering"));
	count();
	assert_loop(0, 0, 0, 1);
}

static void derived_types_count(void **state)
{
	(void)state;
	on_every_build(check_subclasses);
}

static void no_loop_and_no_task_is_said_so(void **state)
{
	(void)state;
	put_process(12, false);
	count();
	assert_int_equal(ev.status, TASKS_OK);
	assert_int_equal(ev.nr_loops, 1);
	assert_loop(1, 0, 0, 0);
	tables = (struct task_tables){ 0 };
	count();
	assert_int_equal(ev.status, TASKS_ABSENT);
	assert_int_equal(ev.nr_loops, 0);
	put_process(11, false);
	layout.current_tasks_addr = 0; /* who runs could not be told from who is ready */
	count();
	assert_int_equal(ev.status, TASKS_ABSENT);
	put_process(14, false);
	tables.lists_addr = 0;
	count();
	assert_int_equal(ev.status, TASKS_ABSENT);
}

static void eager_tasks_are_held_themselves(void **state)
{
	(void)state;
	for (unsigned minor = 12; minor <= 13; minor++) {
		put_process(minor, false);
		add_key(eager, put_future("_asyncio.Task", loops[1], PENDING, 0));
		count();
		assert_loop(1, 0, 1, 0);
	}
}

static void dead_and_strange_entries(void **state)
{
	(void)state;
	for (unsigned minor = LAYOUT_MINOR_FIRST; minor <= 13; minor++) {
		put_process(minor, false);
		put_task(loops[1], PENDING, put_pending());
		add_key(set, put_weakref(none)); /* its task is gone, and it soon will be */
		count();
		assert_loop(1, 0, 0, 1);
		assert_int_equal(ev.nr_uncounted, 0);
		add_key(set, put_weakref(put_object("app.PyTask", 256)));
		add_key(set, put_weakref(8));
		add_key(set, 1ULL << 46);
		add_key(set, UINT64_MAX);
		count();
		assert_int_equal(ev.status, TASKS_OK);
		assert_loop(1, 0, 0, 1);
		assert_int_equal(ev.nr_uncounted, 4);
	}
}

static uint64_t put_weak_set(void)
{
	uint64_t object = put_object("WeakSet", 128) + 32, dict = put_dict(8, KIND_UNICODE), type;

	/* A dict of its own is one of the ways that every version has. */
	put_entry(dict, 8, KIND_UNICODE, put_str("_remove"), none);
	put_entry(dict, 8, KIND_UNICODE, put_str("data"), set);
	put_type(object, "WeakSet");
	type = type_of("WeakSet");
	put_member(type, 288, 64);
	put_member(type, 168, 1u << 4);
	fake_put_u64(&fake, layout.minor <= 10 ? object + 64 : object - (layout.object_shift ? 8 : 24), dict);
	return object;
}

static void sets_are_found_by_name(void **state)
{
	(void)state;
	for (unsigned minor = LAYOUT_MINOR_FIRST; minor <= LAYOUT_MINOR_LAST; minor++) {
		for (unsigned is_free = 0; is_free <= (minor >= 13); is_free++) {
			struct task_tables found;
			uint64_t modules, module;

			put_process(minor, is_free);
			modules = put_interpreter();
			assert_int_equal(tasks_find_sets(&fake.mem, &layout, &found), -ENOENT);
			module = put_module(modules, "_asyncio");
			put_entry(module, 8, KIND_UNICODE, put_str(minor <= 11 ? "_all_tasks" : "_scheduled_tasks"),
				  put_weak_set());
			if (eager)
				put_entry(module, 8, KIND_UNICODE, put_str("_eager_tasks"), eager);
			assert_int_equal(tasks_find_sets(&fake.mem, &layout, &found), minor <= 13 ? 0 : -ENOENT);
			assert_int_equal(found.set_addr[0], minor <= 13 ? set : 0);
			assert_int_equal(found.set_addr[1], eager);
			put_type(set, "frozenset");
			assert_int_equal(tasks_find_sets(&fake.mem, &layout, &found), -ENOENT);
		}
	}
}

/* ---- memory that changes, memory that is forged ---- */

static unsigned change_at; /* before this read (1 is the first) ... */
static void (*change)(void);

static int read_changing(void *ctx, uint64_t addr, void *buf, size_t len)
{
	if (fake.nr_reads + 1 == change_at) {
		change_at = 0; /* it reads as well */
		change();
	}
	return fake_read(ctx, addr, buf, len);
}

/* Returns how many reads it took. */
static unsigned count_while_it_changes(unsigned at)
{
	fake.mem.read = read_changing;
	fake.nr_reads = 0;
	change_at = at;
	count();
	return fake.nr_reads;
}

/* Another table, with the same entries. */
static void resize(void)
{
	uint64_t table = room(2 * SLOTS * 16);

	memcpy(fake.bytes + (table - FAKE_BASE), fake.bytes + (slot_of(set, 0) - FAKE_BASE), 2 * SLOTS * 16);
	put_member(set, 40, table);
	fake_put_u64(&fake, slot_of(set, 0), 0); /* one has ended since */
}

static void a_set_with_another_table_is_read_again(void **state)
{
	unsigned nr_again = 0, nr_reads, nr_undisturbed = 0, at = 1;

	(void)state;
	do {
		put_process(11, false);
		change = resize;
		for (unsigned i = 0; i < 3; i++)
			put_task(loops[1], PENDING, put_pending());
		nr_reads = count_while_it_changes(at);
		assert_int_equal(ev.status, TASKS_OK);
		/* Too late a change goes unnoticed, one before the table was read as well. */
		assert_loop(1, 0, 0, nr_reads < at ? 3 : 2);
		nr_again += at > 1 && nr_reads > nr_undisturbed + 10;
		nr_undisturbed = at == 1 ? nr_reads : nr_undisturbed;
	} while (nr_reads >= at++);
	assert_in_range(nr_again, 10, nr_undisturbed);
}

static void take_out(void)
{
	fake_put_u64(&fake, slot_of(set, 2), 0);
}

static void an_entry_that_goes_meanwhile_is_none(void **state)
{
	unsigned nr_reads, last_unnoticed = 0, at = 1;

	(void)state;
	do {
		put_process(11, false);
		change = take_out;
		put_task(loops[1], PENDING, put_pending());
		add_key(set, put_weakref(put_object("app.Whatever", 256)));
		nr_reads = count_while_it_changes(at);
		assert_int_equal(ev.status, TASKS_OK);
		assert_loop(1, 0, 0, 1);
		if (!ev.nr_uncounted)
			last_unnoticed = at;
	} while (nr_reads >= at++);
	/* Almost to the end: its slot is the last thing that is looked at. */
	assert_in_range(last_unnoticed, nr_reads - 8, nr_reads);
}

static uint64_t nodes[3]; /* of the list of the second thread */

static void unlink_second(void)
{
	fake_put_u64(&fake, nodes[0], nodes[2]);
	fake_put_u64(&fake, nodes[2] + 8, nodes[0]);
	fake_put_u64(&fake, nodes[1], 0);
	fake_put_u64(&fake, nodes[1] + 8, 0);
}

/* Another task was made in its place. */
static void relink_second(void)
{
	unlink_second();
	link_node(TSTATE(1) + TSTATE_HEAD, nodes[1]);
}

static void check_list_while(void (*changes)(void), unsigned least, unsigned most)
{
	unsigned nr_reads, at = 1;

	change = changes;
	do {
		put_process(14, false);
		for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++)
			nodes[i] = put_task(loops[1], PENDING, put_pending()) + TASK_NODE;
		nr_reads = count_while_it_changes(at);
		assert_int_equal(ev.status, TASKS_OK);
		assert_in_range(ev.loops[0].nr[TASK_STATE_WAITING], least, most);
	} while (nr_reads >= at++);
}

static void a_list_that_changes_meanwhile_is_read_again(void **state)
{
	(void)state;
	check_list_while(unlink_second, 2, 3);
	check_list_while(relink_second, 3, 3);
}

static void forged_lists_end(void **state)
{
	uint64_t first, second;

	(void)state;
	put_process(15, false);
	first = put_task(loops[1], PENDING, 0) + TASK_NODE;
	second = put_task(loops[1], PENDING, 0) + TASK_NODE;
	fake_put_u64(&fake, second, first); /* and so round */
	fake.nr_reads = 0;
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	assert_int_equal(ev.nr_loops, 0);
	assert_in_range(fake.nr_reads, 1, 500);
	fake_put_u64(&fake, first + 8, second); /* a ring without its head, and all names right */
	fake_put_u64(&fake, TSTATE(1) + TSTATE_HEAD, second);
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	put_process(15, false);
	put_task(loops[1], PENDING, 0);
	first = put_task(loops[1], PENDING, 0) + TASK_NODE;
	fake_put_u64(&fake, first, 0); /* it leads nowhere */
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	put_process(15, false);
	put_type(put_task(loops[1], PENDING, 0), "app.Thing");
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	put_process(15, false);
	fake_put_u64(&fake, TSTATE(1) + TSTATE_HEAD, 3);
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned members[] = { 6, 8, 12 };

		put_process(15, false);
		fake_put_u64(&fake, ASYNCIO + 8 * members[i], 1ULL << 40);
		count();
		assert_int_equal(ev.status, TASKS_UNREADABLE);
		fake_put_u64(&fake, ASYNCIO + 8 * members[i], 9);
		count();
		assert_int_equal(ev.status, TASKS_UNREADABLE);
	}
	put_process(15, false);
	fake_put_u64(&fake, TSTATE(2) + 8, TSTATE(0)); /* threads that go round */
	count();
	assert_int_equal(ev.status, TASKS_CUT);
	assert_int_equal(ev.nr_uncounted, 1);
}

static void forged_sets_end(void **state)
{
	(void)state;
	put_process(11, false);
	put_task(loops[1], PENDING, 0);
	put_member(set, 24, UINT64_MAX); /* used */
	count();
	assert_int_equal(ev.status, TASKS_OK);
	assert_loop(1, 0, 1, 0);
	put_member(set, 32, UINT64_MAX); /* and mask: beyond all memory */
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	put_member(set, 32, 7);
	put_member(set, 40, 1ULL << 46); /* table */
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
	put_type(set, "list");
	count();
	assert_int_equal(ev.status, TASKS_UNREADABLE);
}

static uint64_t real_table;

/* A table without end: the real one again and again. */
static int read_repeated(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const size_t span = 2 * SLOTS * 16;
	int err = 0;

	if (addr < 1ULL << 46 || addr >= FAKE_BASE)
		return fake_read(ctx, addr, buf, len);
	for (size_t done = 0, part; !err && done < len; done += part) {
		size_t at = (addr + done) % span;

		part = min(len - done, span - at);
		err = fake_read(ctx, real_table + at, (char *)buf + done, part);
	}
	return err;
}

static void no_more_than_so_many_are_looked_at(void **state)
{
	(void)state;
	put_process(11, false);
	for (unsigned i = 0; i < SLOTS; i++)
		put_task(loops[1], PENDING, put_pending());
	real_table = slot_of(set, 0);
	fake.mem.read = read_repeated;
	put_member(set, 24, 3 * TASKS_MAX);
	put_member(set, 32, (1u << 19) - 1);
	put_member(set, 40, 1ULL << 46);
	count();
	assert_int_equal(ev.status, TASKS_CUT);
	assert_loop(1, 0, 0, TASKS_MAX);
	assert_int_equal(ev.nr_uncounted, 2 * TASKS_MAX);
}

static void what_is_past_a_bound_is_uncounted(void **state)
{
	(void)state;
	put_process(13, false);
	for (unsigned i = 0; i < 40; i++)
		put_task(loops[1], PENDING, put_pending());
	memset(&ev, 0, sizeof(ev));
	tasks_read(&fake.mem, &layout, &tables, 1, &ev); /* the time is over */
	assert_int_equal(ev.status, TASKS_CUT);
	assert_int_equal(ev.nr_uncounted, 40);
	assert_loop(1, 0, 0, 0);
	put_process(14, false);
	for (unsigned i = 0; i < 40; i++)
		put_task(loops[1], PENDING, put_pending());
	tasks_read(&fake.mem, &layout, &tables, 1, &ev);
	assert_int_equal(ev.status, TASKS_CUT);
	assert_int_equal(ev.nr_uncounted, 1); /* at least */
	assert_loop(1, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_are_counted_by_loop_and_state),
		cmocka_unit_test(derived_types_count),
		cmocka_unit_test(no_loop_and_no_task_is_said_so),
		cmocka_unit_test(eager_tasks_are_held_themselves),
		cmocka_unit_test(dead_and_strange_entries),
		cmocka_unit_test(sets_are_found_by_name),
		cmocka_unit_test(a_set_with_another_table_is_read_again),
		cmocka_unit_test(an_entry_that_goes_meanwhile_is_none),
		cmocka_unit_test(a_list_that_changes_meanwhile_is_read_again),
		cmocka_unit_test(forged_lists_end),
		cmocka_unit_test(forged_sets_end),
		cmocka_unit_test(no_more_than_so_many_are_looked_at),
		cmocka_unit_test(what_is_past_a_bound_is_uncounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
