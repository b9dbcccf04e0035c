/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names of tasks: from memory's characters to UTF-8, kept within a bound, there when they are shown. */
#include <stdio.h>

#include "records.h"
#include "util.h"

static const struct model_bounds bounds = {
	.targets = 3, .loops = 4, .codes = 8, .stacks = 4, .sleeps = 9, .samples = 9, .waiting = 2,
	.tasks = 3, .name_bytes = 150,
};

static void add_task(struct model *model, uint64_t id, const void *name, size_t bytes, unsigned kind)
{
	struct ev_task ev = { HEAD(TASK, 1, 0), .task_id = id, .kind = (__u8)kind,
			      .name_bytes = (__u16)bytes };

	memcpy(ev.name, name, bytes);
	add(model, &ev);
}

static void add_sleep_of(struct model *model, uint64_t task_id, int32_t fd)
{
	struct ev_sleep ev = { HEAD(SLEEP, 1, 0), .iteration = 1, .count = 1, .fd = fd,
			       .first_ns = 100 + (uint64_t)fd, .last_ns = 200, .task_id = task_id };

	add(model, &ev);
}

static void add_sample_of(struct model *model, uint64_t task_id)
{
	struct ev_sample ev = { HEAD(SAMPLE, 1, 0), .iteration = 1, .task_id = task_id };

	add(model, &ev);
}

/* What a sleep of the task is shown with. */
static const char *name_of(struct model *model, uint64_t id)
{
	const struct iteration *it;

	add_sleep_of(model, id, 3);
	add_iteration(model, 1, 0, 1, 1, 0);
	it = model_next_iteration(model);
	assert_non_null(it);
	assert_int_equal(it->nr_sleeps, 1);
	return it->sleeps[0].task;
}

static void every_width_of_characters_becomes_utf8(void **state)
{
	static const uint16_t wide[] = { 0x5bfc, '-', 0xd800, 0 };
	static const uint32_t astral[] = { 0x20bb7, 'a', 0x110000 };
	struct model *model = new_model(&bounds);

	(void)state;
	add_task(model, 1, "Gr\xf6\xdf" "e", 5, 1);
	assert_string_equal(name_of(model, 1), "Gr\xc3\xb6\xc3\x9f" "e");
	add_task(model, 3, wide, sizeof(wide), 2);
	assert_string_equal(name_of(model, 3), "\xe5\xaf\xbc-\xef\xbf\xbd\xef\xbf\xbd");
	add_task(model, 5, astral, sizeof(astral), 4);
	assert_string_equal(name_of(model, 5), "\xf0\xa0\xae\xb7" "a\xef\xbf\xbd");
	add_task(model, 7, "", 0, 1);
	assert_string_equal(name_of(model, 7), "");
	model_free(model);
}

/* Under ASan this is also a test of the room for it. */
static void a_name_of_nothing_but_nuls_is_replaced_whole(void **state)
{
	static const char nuls[EV_TASK_NAME_BYTES];
	struct model *model = new_model(&bounds);

	(void)state;
	add_task(model, 1, nuls, sizeof(nuls), 1);
	assert_int_equal(strlen(name_of(model, 1)), 3 * sizeof(nuls));
	model_free(model);
}

static void a_name_that_was_not_made_yet_is_made(void **state)
{
	struct model *model = new_model(&bounds);
	struct ev_task ev = { HEAD(TASK, 1, 0), .task_id = 9, .number = 12 };

	(void)state;
	add(model, &ev);
	assert_string_equal(name_of(model, 9), "Task-12");
	ev.task_id = 11;
	ev.number = UINT64_MAX;
	add(model, &ev);
	assert_string_equal(name_of(model, 11), "Task-18446744073709551615");
	model_free(model);
}

static void a_cut_name_says_so(void **state)
{
	struct model *model = new_model(&bounds);
	struct ev_task ev = { HEAD(TASK, 1, 0), .task_id = 9, .kind = 1, .is_cut = 1,
			      .name_bytes = EV_TASK_NAME_BYTES };
	const char *name;

	(void)state;
	memset(ev.name, 0xff, sizeof(ev.name)); /* grows most */
	add(model, &ev);
	name = name_of(model, 9);
	assert_int_equal(strlen(name), 2 * EV_TASK_NAME_BYTES + 3);
	assert_string_equal(name + 2 * EV_TASK_NAME_BYTES, "\xe2\x80\xa6");
	model_free(model);
}

static void the_least_used_goes_first(void **state)
{
	struct model *model = new_model(&bounds);

	(void)state;
	add_task(model, 1, "a", 1, 1);
	add_task(model, 3, "b", 1, 1);
	add_task(model, 5, "c", 1, 1);
	assert_string_equal(name_of(model, 1), "a");
	add_task(model, 7, "d", 1, 1);
	assert_null(name_of(model, 3));
	assert_string_equal(name_of(model, 1), "a");
	assert_string_equal(name_of(model, 7), "d");
	for (uint64_t id = 9; id < 1000; id += 2)
		add_task(model, id, "e", 1, 1);
	assert_null(name_of(model, 1));
	assert_string_equal(name_of(model, 999), "e");
	assert_null(name_of(model, 0));
	model_free(model);
}

static void sleeps_and_samples_have_their_own(void **state)
{
	struct model *model = new_model(&bounds);
	const struct iteration *it;

	(void)state;
	add_task(model, 1, "a", 1, 1);
	add_task(model, 3, "b", 1, 1);
	add_sleep_of(model, 3, 5);
	add_sleep_of(model, 1, 4);
	add_sleep_of(model, 3, 4); /* the same site, later: the first one's stays */
	add_sleep_of(model, 0, 6);
	add_sample_of(model, 3);
	add_sample_of(model, 0);
	add_sample_of(model, 77); /* its record was lost */
	add_iteration(model, 1, 0, 1, 4, 3);
	it = model_next_iteration(model);
	assert_int_equal(it->nr_sleeps, 3);
	assert_string_equal(it->sleeps[0].task, "a");
	assert_string_equal(it->sleeps[1].task, "b");
	assert_null(it->sleeps[2].task);
	assert_int_equal(it->nr_samples, 3);
	assert_string_equal(it->samples[0].task, "b");
	assert_null(it->samples[1].task);
	assert_null(it->samples[2].task);
	model_free(model);
}

static void a_function_in_c_is_no_task(void **state)
{
	struct model *model = new_model(&bounds);
	struct ev_task ev = { HEAD(TASK, 1, 0), .task_id = 9, .kind = 1, .is_callback = 1,
			      .name_bytes = 5, .name = "sleep" };
	const struct iteration *it;

	(void)state;
	add(model, &ev);
	add_sleep_of(model, 9, 3);
	add_sample_of(model, 9);
	add_iteration(model, 1, 0, 1, 1, 1);
	it = model_next_iteration(model);
	assert_null(it->sleeps[0].task);
	assert_string_equal(it->sleeps[0].builtin, "sleep");
	assert_null(it->samples[0].task);
	assert_string_equal(it->samples[0].builtin, "sleep");
	model_free(model);
}

static void forged_names_are_refused(void **state)
{
	struct ev_task ev = { HEAD(TASK, 1, 0), .task_id = 1, .kind = 3, .name_bytes = 3 };
	const struct ev_head *head;

	(void)state;
	assert_int_equal(decode(&ev, sizeof(ev), &head), -EBADMSG);
	ev.kind = 2;
	assert_int_equal(decode(&ev, sizeof(ev), &head), -EBADMSG);
	ev.name_bytes = EV_TASK_NAME_BYTES + 2;
	assert_int_equal(decode(&ev, sizeof(ev), &head), -EBADMSG);
	ev.name_bytes = EV_TASK_NAME_BYTES;
	assert_int_equal(decode(&ev, sizeof(ev), &head), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_width_of_characters_becomes_utf8),
		cmocka_unit_test(a_name_of_nothing_but_nuls_is_replaced_whole),
		cmocka_unit_test(a_name_that_was_not_made_yet_is_made),
		cmocka_unit_test(a_cut_name_says_so),
		cmocka_unit_test(the_least_used_goes_first),
		cmocka_unit_test(sleeps_and_samples_have_their_own),
		cmocka_unit_test(a_function_in_c_is_no_task),
		cmocka_unit_test(forged_names_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
