/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Entries of the journal: fields by their names, and nothing that a value could add to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <endian.h>
#include <string.h>

#include <cmocka.h>

#include "journal.h"
#include "util.h"

static char *entry;
static size_t bytes;

static int teardown(void **state)
{
	(void)state;
	free(take(entry));
	return 0;
}

/* As journald reads it: "NAME=value", or NAME, a length, a value. NULL: there is no such field. */
static const char *field(const char *wanted)
{
	static char value[1024];
	const char *at = entry, *end = entry + bytes;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *equals, *from;
		size_t name, length;

		assert_non_null(newline);
		equals = memchr(at, '=', (size_t)(newline - at));
		name = (size_t)((equals ? equals : newline) - at);
		if (equals) {
			from = equals + 1;
			length = (size_t)(newline - from);
		} else {
			uint64_t told;

			memcpy(&told, newline + 1, sizeof(told));
			length = le64toh(told);
			from = newline + 1 + sizeof(told);
			assert_true(from + length < end && from[length] == '\n');
		}
		if (name == strlen(wanted) && !memcmp(at, wanted, name)) {
			assert_true(length < sizeof(value));
			memcpy(value, from, length);
			value[length] = '\0';
			return value;
		}
		at = from + length + 1;
	}
	return NULL;
}

static void labels_are_fields(void **state)
{
	struct target target = { .info = { .pid = 4711, .comm = "python3" } };
	struct loop loop = { .target = &target, .info = { .pid = 4711, .tid = 4712 } };
	struct iteration iteration = { .loop = &loop, .ev = { .end = ITERATION_WAIT } };
	struct finding finding = { .rule = RULE_BLOCKING_CALL, .cause = CAUSE_SLEEP, .site = -1,
				   .iteration = &iteration, .duration_ns = 20 * NSEC_PER_MSEC };
	struct breach breach = { .finding = &finding, .count = 3 };
	struct policy policy = { .labels = { { "team", "shop" }, { "what_for1", "a\nPRIORITY=0\n" } },
				 .nr_labels = 2 };
	FILE *out = open_memstream(&entry, &bytes);

	(void)state;
	journal_write(out, &breach, &policy, "{}");
	fclose(out);
	assert_string_equal(field("LOOPHOUND_LABEL_TEAM"), "shop");
	assert_string_equal(field("LOOPHOUND_LABEL_WHAT_FOR1"), "a\nPRIORITY=0\n");
	assert_string_equal(field("PRIORITY"), "4");
	assert_string_equal(field("LOOPHOUND_COUNT"), "3");
	assert_string_equal(field("OBJECT_PID"), "4711");
	assert_string_equal(field("MESSAGE"), "blocking-call, sleep, 20.0 ms (python3 4711)");
	assert_string_equal(field("LOOPHOUND_JSON"), "{}");
}

static void what_was_held_back_is_an_entry_by_reason(void **state)
{
	struct ration_held held = { .of_target = 12, .overall = 3, .nr_worst = 1,
				    .worst = { { 4711, 12 } } };
	FILE *out = open_memstream(&entry, &bytes);

	(void)state;
	journal_write_held(out, &held, "{}");
	fclose(out);
	assert_string_equal(field("LOOPHOUND_HELD_TARGET"), "12");
	assert_string_equal(field("LOOPHOUND_HELD_OVERALL"), "3");
	assert_string_equal(field("MESSAGE_ID"), JOURNAL_HELD_ID);
	assert_string_equal(field("MESSAGE"), "15 lines of breaches were held back, 12 of them for want of "
			    "room of their own process (pid 4711: 12)");
	assert_null(field("LOOPHOUND_RULE"));
}

static void one_line_was_held_back(void **state)
{
	struct ration_held held = { .overall = 1 };
	FILE *out = open_memstream(&entry, &bytes);

	(void)state;
	journal_write_held(out, &held, "{}");
	fclose(out);
	assert_string_equal(field("MESSAGE"), "1 line of breaches was held back, 0 of them for want of "
			    "room of their own process");
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(labels_are_fields),
		TEST(what_was_held_back_is_an_entry_by_reason),
		TEST(one_line_was_held_back),
	};

	return cmocka_run_group_tests_name("serve/journal", tests, NULL, NULL);
}
