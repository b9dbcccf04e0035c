/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When which target is looked at.  The kernel half and the reader are stood in for: what counts is
 * what they are asked, and when.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "reader.h"
#include "targets_state.h"
#include "util.h"

#define MS  NSEC_PER_MSEC
#define NOW (1000 * MS)

/* ---- the kernel half: there is none ---- */

#define STAND_IN(result, name, ...) \
	result name(__VA_ARGS__)    \
	{                           \
		return 0;           \
	}
#pragma GCC diagnostic ignored "-Wunused-parameter"

STAND_IN(int, probes_identify, struct probes *probes, pid_t pid, uint32_t target_id,
	 const struct py_layout *layout)
STAND_IN(int, probes_update_layout, struct probes *probes, pid_t pid, uint32_t target_id,
	 const struct py_layout *layout)
STAND_IN(int, probes_keep, struct probes *probes, pid_t pid, uint32_t target_id, bool is_lineage)
STAND_IN(int, probes_let_go, struct probes *probes, pid_t pid, uint32_t target_id)
STAND_IN(int, probes_unwatch, struct probes *probes, pid_t pid, uint32_t target_id)
STAND_IN(uint32_t, probes_watched, const struct probes *probes, pid_t pid)
STAND_IN(int, probes_attach, struct probes *probes, const struct ev_probes *where)

void probes_learn_exe(struct probes *probes, const struct exe_key *exe, enum exe_kind kind)
{
}
void probes_hold_exe(struct probes *probes, const struct exe_key *exe)
{
}
void probes_detach(struct probes *probes, uint32_t target_id)
{
}

static int watch_err, descendant_err;

int probes_watch_life(struct probes *probes, pid_t pid, uint32_t target_id, uint64_t start_ticks)
{
	return watch_err;
}

int probes_set_descendant(struct probes *probes, pid_t pid, uint32_t target_id)
{
	return descendant_err;
}

/* ---- the reader: what it was asked, and what it says to that ---- */

static struct {
	int err;	     /* for the next who asks */
	uint32_t refused_id; /* whom it is never asked about */
	unsigned nr;
	uint32_t ids[64];
} asked;

static int note(uint32_t target_id)
{
	if (asked.err || target_id == asked.refused_id)
		return asked.err ? asked.err : -ETIMEDOUT;
	assert_true(asked.nr < ARRAY_SIZE(asked.ids));
	asked.ids[asked.nr++] = target_id;
	return 0;
}

int reader_ask_target(struct reader *reader, uint32_t target_id, pid_t pid, uint64_t now_ns)
{
	return note(target_id);
}

int reader_ask_tasks(struct reader *reader, const struct ev_target *target, uint64_t now_ns)
{
	return note(target->head.target_id);
}

STAND_IN(int, reader_ask_probes, struct reader *reader, const struct ev_target *target,
	 uint64_t now_ns)
void reader_forget(struct reader *reader, uint32_t target_id)
{
}

/* ---- what is in all tests ---- */

static struct targets *targets;

static int set_up(void **state)
{
	memset(&asked, 0, sizeof(asked));
	watch_err = descendant_err = 0;
	return targets_new(&targets, NULL, NULL, NULL, NULL);
}

static int tear_down(void **state)
{
	targets_free(targets);
	return 0;
}

static void begins(uint32_t target_id, uint64_t now_ns)
{
	struct ev_fork ev = { .head = { .type = EV_FORK, .target_id = target_id },
			      .child_pid = 1000 + target_id };

	targets_on_fork(targets, &ev, now_ns);
}

static void ends(uint32_t target_id)
{
	struct ev_exit ev = { .head = { .type = EV_EXIT, .target_id = target_id } };

	targets_on_exit(targets, &ev);
}

/* ---- when to look again ---- */

static void nothing_is_due_without_a_reason(void **state)
{
	assert_true(targets_tick(targets, NOW) == UINT64_MAX);
	begins(1, NOW);
	assert_int_equal(asked.nr, 1);
	assert_true(targets_tick(targets, NOW + 1000 * MS) == UINT64_MAX);
	assert_int_equal(asked.nr, 1);
}

static void who_was_not_asked_for_want_of_room_is_due_soon(void **state)
{
	asked.err = -ENOBUFS;
	begins(1, NOW);
	asked.err = 0;
	assert_int_equal(targets_tick(targets, NOW), NOW + 20 * MS);
	assert_int_equal(targets_tick(targets, NOW + 20 * MS - 1), NOW + 20 * MS);
	assert_int_equal(asked.nr, 0);
	assert_true(targets_tick(targets, NOW + 20 * MS) == UINT64_MAX);
	assert_int_equal(asked.nr, 1);
}

static void the_first_of_many_says_when(void **state)
{
	asked.err = -ENOBUFS;
	begins(1, NOW + 30 * MS);
	begins(2, NOW);
	begins(3, NOW + 10 * MS);
	asked.err = 0;
	assert_int_equal(targets_tick(targets, NOW), NOW + 20 * MS);
	assert_int_equal(targets_tick(targets, NOW + 20 * MS), NOW + 30 * MS);
	assert_int_equal(asked.ids[0], 2);
	ends(3);
	/* Who is gone costs one look that finds nothing. */
	assert_int_equal(targets_tick(targets, NOW + 30 * MS), NOW + 50 * MS);
	assert_int_equal(asked.nr, 1);
	assert_true(targets_tick(targets, NOW + 60 * MS) == UINT64_MAX);
	assert_int_equal(asked.nr, 2);
}

static void who_has_no_room_again_is_due_again(void **state)
{
	asked.err = -ENOBUFS;
	begins(1, NOW);
	assert_int_equal(targets_tick(targets, NOW + 20 * MS), NOW + 40 * MS);
	assert_int_equal(targets_tick(targets, NOW + 50 * MS), NOW + 70 * MS);
}

/* ---- who is followed ---- */

static void who_ends_meanwhile_is_not_refused(void **state)
{
	assert_int_equal(targets_add(targets, getpid(), TARGETS_DESCENDANT, NOW), 0);
	assert_int_equal(targets_alive(targets), 1);
	ends(1);
	descendant_err = -ENOENT; /* the kernel half had it, and has it no more */
	assert_int_equal(targets_add(targets, getpid(), TARGETS_DESCENDANT, NOW), -ESRCH);
	descendant_err = -ESTALE; /* it has another of that number */
	assert_int_equal(targets_add(targets, getpid(), TARGETS_DESCENDANT, NOW), -ESRCH);
	watch_err = -E2BIG;
	assert_int_equal(targets_add(targets, getpid(), TARGETS_SEARCHED, NOW), -E2BIG);
	watch_err = -ENOMEM;
	assert_int_equal(targets_add(targets, getpid(), TARGETS_SEARCHED, NOW), -ENOMEM);
	assert_int_equal(targets_alive(targets), 0);
}

/* ---- when to count tasks ---- */

#define EVERY (15000 * MS)

/* Known, with a loop of asyncio. */
static void has_a_loop(uint32_t target_id)
{
	struct ev_loop ev = { .head = { .type = EV_LOOP, .target_id = target_id },
			      .kind = LOOP_KIND_ASYNCIO };
	struct entry *entry;

	begins(target_id, NOW);
	asked.nr = 0;
	entry = targets_entry(targets, target_id);
	entry->is_known = true;
	entry->info.status = TARGET_OK;
	entry->info.head.target_id = target_id;
	targets_on_loop(targets, &ev, NOW);
	asked.nr = 0;
}

static uint32_t nr_waiting; /* tasks of the loop of each, as the reader counts them */

static void answer(uint32_t target_id, uint64_t took_ns)
{
	struct ev_tasks ev = { .head = { .type = EV_TASKS, .target_id = target_id },
			       .took_ns = took_ns,
			       .nr_loops = 1,
			       .loops[0].nr[TASK_STATE_WAITING] = nr_waiting };

	targets_on_tasks(targets, &ev);
}

/* A tick; whoever was asked about is answered. How many. */
static unsigned count_at(uint64_t now_ns, uint64_t took_ns)
{
	unsigned nr;

	asked.nr = 0;
	targets_count_tasks(targets, EVERY, now_ns);
	nr = asked.nr;
	for (unsigned i = 0; i < nr; i++)
		answer(asked.ids[i], took_ns);
	return nr;
}

static void many_are_counted_with_one_tick_once_it_is_known_what_they_take(void **state)
{
	unsigned nr, total = 0;

	for (unsigned id = 1; id <= 50; id++)
		has_a_loop(id);
	nr = count_at(NOW, 40000);
	assert_in_range(nr, 1, 4); /* of a millisecond: nobody knows yet */
	for (unsigned i = 1; total < 50 - nr; i++)
		total += count_at(NOW + i * 100 * MS, 40000);
	assert_int_equal(total, 50 - nr);
	assert_int_equal(count_at(NOW + EVERY - 1, 40000), 0);
	nr = count_at(NOW + 2 * EVERY, 40000);
	assert_in_range(nr, 20, 24);
	assert_int_equal(count_at(NOW + 2 * EVERY + 100 * MS, 40000), 24);
	assert_int_equal(count_at(NOW + 2 * EVERY + 200 * MS, 40000), 50 - nr - 24);
	assert_int_equal(count_at(NOW + 2 * EVERY + 300 * MS, 40000), 0);
}

/* With scrapes each 15 s; the second of two turns steady a time after the first. */
static void what_stays_the_same_is_counted_half_as_often(void **state)
{
	for (unsigned id = 2; id <= 3; id++)
		has_a_loop(id);
	assert_int_equal(count_at(NOW, 40000), 2);
	assert_int_equal(count_at(NOW + EVERY, 40000), 2);
	assert_int_equal(count_at(NOW + 2 * EVERY, 40000), 1);
	assert_int_equal(asked.ids[0], 3);
	assert_int_equal(count_at(NOW + 3 * EVERY - 1, 40000), 0);
	nr_waiting = 1;
	assert_int_equal(count_at(NOW + 3 * EVERY, 40000), 1);
	assert_int_equal(asked.ids[0], 2);
	assert_int_equal(count_at(NOW + 4 * EVERY, 40000), 2);
	assert_int_equal(count_at(NOW + 5 * EVERY, 40000), 1); /* 2 again had what it had */
	assert_int_equal(asked.ids[0], 3);
}

/* 24 that are steady, and behind them one that is not. */
static void who_is_overdue_longest_is_counted_first(void **state)
{
	unsigned nr = 0;

	for (unsigned id = 2; id <= 48; id += 2)
		has_a_loop(id);
	has_a_loop(49);
	for (unsigned turn = 0; turn < 2; turn++, nr -= 25)
		for (unsigned i = 0; nr < 25; i++)
			nr += count_at(NOW + turn * EVERY + i * 100 * MS, 40000);
	assert_int_equal(count_at(NOW + 10 * EVERY, 40000), 24);
	assert_int_equal(asked.ids[0], 49);
	assert_int_equal(asked.ids[1], 2);
}

static void nor_is_it_counted_less_often_than_each_30_seconds(void **state)
{
	has_a_loop(2);
	for (unsigned i = 0; i < 4; i++) {
		asked.nr = 0;
		targets_count_tasks(targets, 30000 * MS, NOW + i * 30000 * MS);
		assert_int_equal(asked.nr, 1);
		answer(2, 40000);
	}
}

/* Those that take long get a hundredth of the reader's time, whoever asks how often. */
static void what_takes_long_is_counted_seldom(void **state)
{
	unsigned total = 0;

	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(count_at(NOW + i * 100 * MS, 20 * MS), 0); /* and nothing is saved up */
	for (unsigned id = 1; id <= 50; id++)
		has_a_loop(id);
	for (unsigned i = 1000; i < 2000; i++)
		total += count_at(NOW + i * 100 * MS, 20 * MS);
	assert_in_range(total, 40, 55); /* 100 s: 1 s of it */
}

static void nothing_more_is_asked_before_the_answers(void **state)
{
	for (unsigned id = 1; id <= 3; id++)
		has_a_loop(id);
	targets_count_tasks(targets, EVERY, NOW);
	assert_int_equal(asked.nr, 2);
	targets_count_tasks(targets, EVERY, NOW + 100 * MS);
	assert_int_equal(asked.nr, 2);
	answer(1, 40000);
	targets_count_tasks(targets, EVERY, NOW + 200 * MS);
	assert_int_equal(asked.nr, 2);
	ends(2); /* the answer does not come */
	targets_count_tasks(targets, EVERY, NOW + 300 * MS);
	assert_int_equal(asked.nr, 3);
	assert_int_equal(asked.ids[2], 3);
}

static void who_there_was_no_room_for_has_the_next_turn(void **state)
{
	for (unsigned id = 1; id <= 2; id++)
		has_a_loop(id);
	asked.err = -ENOBUFS;
	assert_int_equal(count_at(NOW, 40000), 0);
	asked.err = 0;
	assert_int_equal(count_at(NOW + 100 * MS, 40000), 2);
	assert_int_equal(asked.ids[0], 1);
	assert_int_equal(asked.ids[1], 2);
	assert_int_equal(count_at(NOW + 200 * MS, 40000), 0);
}

static void a_loop_that_begins_is_counted_at_once(void **state)
{
	has_a_loop(1);
	assert_int_equal(count_at(NOW, 40000), 1);
	assert_int_equal(count_at(NOW + 100 * MS, 40000), 0);
	has_a_loop(2);
	assert_int_equal(count_at(NOW + 200 * MS, 40000), 1);
	assert_int_equal(asked.ids[0], 2);
}

static void who_asks_more_often_is_heeded_at_once(void **state)
{
	has_a_loop(1);
	assert_int_equal(count_at(NOW, 40000), 1);
	assert_int_equal(count_at(NOW + 6000 * MS, 40000), 0);
	targets_count_tasks(targets, 5000 * MS, NOW + 6100 * MS);
	assert_int_equal(asked.nr, 1);
}

static void who_costs_the_reader_its_life_is_left_alone(void **state)
{
	for (unsigned id = 1; id <= 2; id++)
		has_a_loop(id);
	asked.refused_id = 1;
	assert_int_equal(count_at(NOW, 40000), 1);
	assert_int_equal(asked.ids[0], 2);
	asked.refused_id = 0;
	assert_int_equal(count_at(NOW + 2 * EVERY, 40000), 1);
	assert_int_equal(asked.ids[0], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_due_without_a_reason),
		TEST(who_was_not_asked_for_want_of_room_is_due_soon),
		TEST(the_first_of_many_says_when),
		TEST(who_has_no_room_again_is_due_again),
		TEST(who_ends_meanwhile_is_not_refused),
		TEST(many_are_counted_with_one_tick_once_it_is_known_what_they_take),
		TEST(what_stays_the_same_is_counted_half_as_often),
		TEST(who_is_overdue_longest_is_counted_first),
		TEST(nor_is_it_counted_less_often_than_each_30_seconds),
		TEST(what_takes_long_is_counted_seldom),
		TEST(nothing_more_is_asked_before_the_answers),
		TEST(who_there_was_no_room_for_has_the_next_turn),
		TEST(a_loop_that_begins_is_counted_at_once),
		TEST(who_asks_more_often_is_heeded_at_once),
		TEST(who_costs_the_reader_its_life_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
