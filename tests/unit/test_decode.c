/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does the decoder pass what the contract allows and refuse the rest, never reading too far? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stream.h"

/* Decodes a copy that ends where the record does, so that ASan sees a read too far. */
static int decoded(const void *rec, size_t size)
{
	void *exact = malloc(size ? size : 1);
	const struct ev_head *ev = NULL;
	int err;

	memcpy(exact, rec, size);
	err = decode(exact, size, &ev);
	assert_true(err ? !ev : ev == exact);
	free(exact);
	return err;
}

#define EVENT(kind, upper, ...) \
	struct ev_##kind ev = { .head = { .type = EV_##upper, .size = sizeof(ev) }, __VA_ARGS__ }
#define assert_passes(rec)  assert_int_equal(decoded(&(rec), sizeof(rec)), 0)
#define assert_refuses(rec) assert_int_equal(decoded(&(rec), sizeof(rec)), -EBADMSG)

/* Older recordings have shorter ones. */
static bool is_older(uint32_t type, uint32_t size)
{
	return (type == EV_TARGET && size == EV_TARGET_BYTES_BEFORE_PLACE) ||
	       (type == EV_FORK && size == EV_FORK_BYTES_BEFORE_START) ||
	       (type == EV_LOSS && size < sizeof(struct ev_loss) && size >= 24 && size % 8 == 0);
}

static void check_sizes(uint32_t type, uint32_t right, const char *name)
{
	union {
		struct ev_head head;
		char bytes[8192];
	} rec = { .head = { .type = type } };

	if (type == EV_ONGOING) /* it must say that it has not ended */
		((struct ev_ongoing *)&rec)->so_far.end = ITERATION_UNDER_WAY;
	assert_true(right + 8 < sizeof(rec));
	assert_string_equal(decode_name(type), name);
	for (uint32_t size = 0; size <= right + 8; size++) {
		rec.head.size = right;
		assert_int_equal(decoded(&rec, size), size == right ? 0 : -EBADMSG);
		rec.head.size = size;
		/* What is behind the names of an ev_code is padding. */
		if (type != EV_CODE || size < right)
			assert_int_equal(decoded(&rec, size),
					 size == right || is_older(type, size) ? 0 : -EBADMSG);
	}
}

static void every_type_passes_empty_and_in_no_other_size(void **state)
{
	(void)state;
#define X(nr, upper, lower) check_sizes(nr, sizeof(struct ev_##lower), #lower);
	EVENT_LIST(X)
#undef X
}

static void unknown_types_are_refused(void **state)
{
	const uint32_t types[] = { 0, 10, 15, 30, 255, 1u << 31, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct ev_tick ev = { { .type = types[i], .size = sizeof(ev) } };

		assert_refuses(ev);
		assert_null(decode_name(types[i]));
	}
}

static void probes_are_as_many_as_there_is_room_for(void **state)
{
	EVENT(probes, PROBES, .nr_sites = PROBE_MAX_SITES);

	(void)state;
	assert_passes(ev);
	ev.nr_sites++;
	assert_refuses(ev);
}

static void loops_are_as_many_as_there_is_room_for(void **state)
{
	EVENT(loops, LOOPS, .nr = EV_MAX_LOOPS);

	(void)state;
	assert_passes(ev);
	ev.loops[EV_MAX_LOOPS - 1].kind = LOOP_KIND_MAX;
	assert_refuses(ev);
	ev.nr--;
	assert_passes(ev);
	ev.nr = EV_MAX_LOOPS + 1;
	assert_refuses(ev);
}

static void numbers_of_tasks_are_of_what_was_read(void **state)
{
	EVENT(tasks, TASKS, .nr_loops = EV_MAX_LOOPS);

	(void)state;
	assert_passes(ev);
	ev.status = TASKS_CUT;
	assert_passes(ev);
	ev.nr_loops = EV_MAX_LOOPS + 1;
	assert_refuses(ev);
	for (ev.status = TASKS_ABSENT; ev.status < TASKS_STATUS_MAX; ev.status++) {
		ev.nr_loops = 1;
		assert_refuses(ev);
		ev.nr_loops = 0;
		assert_passes(ev);
	}
	assert_refuses(ev);
}

static void a_stack_has_the_size_of_its_frames(void **state)
{
	static struct {
		struct ev_stack ev;
		struct ev_frame frames[EV_MAX_FRAMES + 1];
	} rec;

	(void)state;
	rec.ev.head.type = EV_STACK;
	for (unsigned nr = 0; nr <= EV_MAX_FRAMES; nr++) {
		rec.ev.nr_frames = nr;
		rec.ev.head.size = 40 + 16 * nr;
		assert_int_equal(decoded(&rec, rec.ev.head.size), 0);
		rec.ev.nr_frames = nr + 1;
		assert_int_equal(decoded(&rec, rec.ev.head.size), -EBADMSG);
		rec.ev.head.size += 8;
		assert_int_equal(decoded(&rec, rec.ev.head.size), -EBADMSG);
	}
	rec.ev.nr_frames = EV_MAX_FRAMES + 1;
	rec.ev.head.size = sizeof(rec);
	assert_refuses(rec);
	rec.ev.nr_frames = UINT16_MAX;
	assert_refuses(rec);
	rec.ev.nr_frames = 3;
	rec.ev.head.size = 40 + 3 * 16;
	rec.ev.awaiting_at = 1;
	rec.ev.nr_awaiting = 2;
	assert_int_equal(decoded(&rec, rec.ev.head.size), 0);
	rec.ev.awaiting_at = 2;
	assert_int_equal(decoded(&rec, rec.ev.head.size), -EBADMSG);
	rec.ev.awaiting_at = rec.ev.nr_awaiting = UINT16_MAX;
	assert_int_equal(decoded(&rec, rec.ev.head.size), -EBADMSG);
	rec.ev.awaiting_at = rec.ev.nr_awaiting = 0;
	rec.ev.nr_frames = 0;
	rec.ev.head.size = 40;
	rec.ev.status = STACK_STATUS_MAX;
	assert_int_equal(decoded(&rec, 40), -EBADMSG);
}

static void a_code_holds_its_names(void **state)
{
	struct {
		struct ev_code ev;
		char data[16];
	} rec = { { .head = { .type = EV_CODE, .size = sizeof(rec) } }, "" };

	(void)state;
	assert_passes(rec);
	rec.ev.filename_bytes = 4;
	rec.ev.name_bytes = 4;
	rec.ev.qualname_bytes = 4;
	rec.ev.table_bytes = 4;
	assert_passes(rec);
	rec.ev.table_bytes = 5;
	assert_refuses(rec);
	rec.ev.table_bytes = UINT32_MAX;
	assert_refuses(rec);
	rec.ev.table_bytes = UINT32_MAX - 11;
	assert_refuses(rec);
	rec.ev.table_bytes = 0;
	rec.ev.qualname_bytes = UINT16_MAX;
	assert_refuses(rec);
	rec.ev.qualname_bytes = 0;
	rec.ev.status = CODE_STATUS_MAX;
	assert_refuses(rec);
}

static void names_and_tables_have_a_longest(void **state)
{
	static union {
		struct ev_code ev;
		char bytes[EV_RECORD_MAX + 8];
	} rec;

	(void)state;
	rec.ev.head = (struct ev_head){ .type = EV_CODE, .size = EV_RECORD_MAX };
	rec.ev.filename_bytes = rec.ev.name_bytes = rec.ev.qualname_bytes = EV_NAME_MAX;
	rec.ev.table_bytes = EV_TABLE_MAX;
	assert_int_equal(decoded(&rec, EV_RECORD_MAX), 0);
	rec.ev.table_bytes++;
	assert_int_equal(decoded(&rec, EV_RECORD_MAX), -EBADMSG);
	rec.ev.table_bytes--;
	rec.ev.name_bytes++;
	assert_int_equal(decoded(&rec, EV_RECORD_MAX), -EBADMSG);
	rec.ev.name_bytes--;
	rec.ev.head.size = sizeof(rec);
	assert_refuses(rec);
}

static void strings_end_within_their_arrays(void **state)
{
	(void)state;
	{
		EVENT(loop, LOOP, .kind = LOOP_KIND_UVLOOP);
		assert_passes(ev);
		memset(ev.comm, 'x', sizeof(ev.comm));
		assert_refuses(ev);
	}
#define CASE(member)                                             \
	{                                                        \
		EVENT(target, TARGET, .status = TARGET_PENDING); \
		memset(ev.member, 'x', sizeof(ev.member) - 1);   \
		assert_passes(ev);                               \
		memset(ev.member, 'x', sizeof(ev.member));       \
		assert_refuses(ev);                              \
	}
	CASE(comm)
	CASE(exe)
	CASE(container)
	CASE(reason)
	CASE(unit)
	CASE(pod)
#undef CASE
	{
		EVENT(sleep, SLEEP, .fd = -1);
		memset(ev.object.name, 'x', sizeof(ev.object.name));
		assert_refuses(ev);
		ev.object.name[EV_PATH_LEN - 1] = '\0';
		ev.object.name_len = EV_PATH_LEN;
		assert_passes(ev);
		ev.object.name_len++;
		assert_refuses(ev);
	}
}

static void enums_are_in_range(void **state)
{
	(void)state;
	{
		EVENT(loop, LOOP, .kind = LOOP_KIND_MAX);
		assert_refuses(ev);
	}
	{
		EVENT(target, TARGET, .status = TARGET_STATUS_MAX);
		assert_refuses(ev);
	}
	{
		EVENT(sleep, SLEEP, .object = { .kind = OBJECT_KIND_MAX });
		assert_refuses(ev);
	}
	{
		EVENT(iteration, ITERATION, .end = ITERATION_EXIT + 1);
		assert_refuses(ev);
	}
	{
		EVENT(loop_stats, LOOP_STATS, .counters = { .in_wait = 3 });
		assert_refuses(ev);
	}
}

static void what_goes_on_has_not_ended_and_adds_up(void **state)
{
	EVENT(ongoing, ONGOING, .so_far = { .start_ns = 10, .end_ns = 30, .on_cpu_ns = 20 });

	(void)state;
	for (unsigned end = 0; end < 8; end++) {
		ev.so_far.end = end;
		assert_int_equal(decoded(&ev, sizeof(ev)),
				 end == ITERATION_UNDER_WAY || end == ITERATION_UNSEEN ? 0 : -EBADMSG);
	}
	ev.so_far.end = ITERATION_UNDER_WAY;
	ev.so_far.run_queue_ns = 1;
	assert_refuses(ev);
	ev.so_far.on_cpu_ns = 19;
	assert_passes(ev);
	ev.sleep.object.kind = OBJECT_KIND_MAX; /* of no sleep: not looked at */
	assert_passes(ev);
	ev.sleep.count = 1;
	assert_refuses(ev);
}

static void a_sleep_ends_after_it_began(void **state)
{
	EVENT(sleep, SLEEP, .first_ns = 10, .last_ns = 20, .total_ns = 10, .asleep_ns = 9,
	      .max_ns = 10);

	(void)state;
	assert_passes(ev);
	ev.last_ns = 9;
	assert_refuses(ev);
	ev.last_ns = 20;
	ev.asleep_ns = 11;
	assert_refuses(ev);
	ev.asleep_ns = 0;
	ev.max_ns = 11;
	assert_refuses(ev);
	ev.max_ns = 10;
	ev.args[0] = 1; /* no argument, of a wait for the GIL */
	assert_passes(ev);
	ev.off_class = OFF_GIL;
	assert_refuses(ev);
	ev.asleep_ns = 1;
	assert_passes(ev);
}

static void the_parts_of_an_iteration_add_up_to_the_nanosecond(void **state)
{
	EVENT(iteration, ITERATION, .start_ns = 1000, .end_ns = 1021, .on_cpu_ns = 5,
	      .run_queue_ns = 1, .wake_delay_ns = 99, .off_ns = { 0, 1, 2, 3, 4, 5 });

	(void)state;
	assert_passes(ev);
	ev.end_ns++;
	assert_refuses(ev);
	ev.end_ns -= 2;
	assert_refuses(ev);
	ev.end_ns = 999;
	assert_refuses(ev);
	ev.end_ns = 1021;
	ev.off_ns[OFF_HOLDER_QUEUED] = 2; /* no part of the sum, but of a part */
	assert_passes(ev);
	ev.off_ns[OFF_HOLDER_QUEUED] = 3;
	assert_refuses(ev);
	ev.off_ns[OFF_HOLDER_QUEUED] = 0;
	/* Sums that wrap around to the right number. */
	ev.off_ns[OFF_GIL] += UINT64_MAX;
	ev.off_ns[OFF_OTHER] += 1;
	assert_passes(ev); /* 2 + 2^64 - 1 is 1: still a sum */
	ev.off_ns[OFF_GIL] = UINT64_MAX;
	ev.off_ns[OFF_OTHER] = 8;
	assert_refuses(ev);
	ev.on_cpu_ns = UINT64_MAX;
	assert_refuses(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_passes_empty_and_in_no_other_size),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(probes_are_as_many_as_there_is_room_for),
		cmocka_unit_test(loops_are_as_many_as_there_is_room_for),
		cmocka_unit_test(numbers_of_tasks_are_of_what_was_read),
		cmocka_unit_test(a_stack_has_the_size_of_its_frames),
		cmocka_unit_test(a_code_holds_its_names),
		cmocka_unit_test(names_and_tables_have_a_longest),
		cmocka_unit_test(strings_end_within_their_arrays),
		cmocka_unit_test(enums_are_in_range),
		cmocka_unit_test(what_goes_on_has_not_ended_and_adds_up),
		cmocka_unit_test(a_sleep_ends_after_it_began),
		cmocka_unit_test(the_parts_of_an_iteration_add_up_to_the_nanosecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
