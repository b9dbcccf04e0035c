/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Do line tables read as each supported CPython itself reads them, and is garbage safe? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "linetable.h"
#include "util.h"

struct expected_range {
	int32_t start, end, line;
};

struct fixture {
	const char *name;
	uint16_t minor;
	int32_t firstlineno, code_bytes;
	const uint8_t *table;
	size_t table_bytes;
	const struct expected_range *expected;
	size_t nr_expected;
};

#include "linetable_fixtures.h"

#define NR_FIXTURES (sizeof(fixtures) / sizeof(fixtures[0]))

static struct linetable table_of(const struct fixture *fixture)
{
	return (struct linetable){ .bytes = fixture->table,
				   .size = fixture->table_bytes,
				   .firstlineno = fixture->firstlineno,
				   .minor = fixture->minor };
}

static void every_instruction_has_the_line_that_cpython_says(void **state)
{
	unsigned versions = 0, nr = 0;

	(void)state;
	for (size_t i = 0; i < NR_FIXTURES; i++) {
		const struct fixture *fixture = &fixtures[i];
		struct linetable table = table_of(fixture);

		for (size_t e = 0; e < fixture->nr_expected; e++) {
			const struct expected_range *range = &fixture->expected[e];

			for (int32_t at = range->start; at < range->end; at += 2, nr++)
				if (linetable_line(&table, at) != range->line)
					fail_msg("%s at %d: %d, not %d", fixture->name, at,
						 linetable_line(&table, at), range->line);
		}
		versions |= 1u << fixture->minor;
	}
	assert_int_equal(versions, 0xfe00); /* 3.9 to 3.15 */
	assert_true(nr > 5000);
}

static void an_offset_past_the_end_has_no_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FIXTURES; i++) {
		struct linetable table = table_of(&fixtures[i]);

		assert_int_equal(linetable_line(&table, -1), 0);
		table.is_cut = true; /* without it 3.9 cannot tell */
		assert_int_equal(linetable_line(&table, fixtures[i].code_bytes + 100000), 0);
		assert_int_equal(linetable_line(&table, INT32_MAX), 0);
	}
}

/* A cut table must not lie: what it still says is what the whole one says. */
static void a_cut_table_says_less_but_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_FIXTURES; i++) {
		const struct linetable whole = table_of(&fixtures[i]);

		for (size_t size = 0; size < min((size_t)200, whole.size); size += 3) {
			uint8_t *exact =
				malloc(size ? size : 1); /* so that ASan sees a step too far */
			struct linetable cut = whole;

			memcpy(exact, whole.bytes, size);
			cut.bytes = exact;
			cut.size = size;
			cut.is_cut = true;
			for (int32_t at = 0; at < fixtures[i].code_bytes; at += 14) {
				int32_t line = linetable_line(&cut, at);

				if (line)
					assert_int_equal(line, linetable_line(&whole, at));
			}
			free(exact);
		}
	}
}

static void garbage_is_safe(void **state)
{
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t size = round % 61;
		uint8_t *bytes = malloc(size + 1);
		struct linetable table = { .size = size,
					   .firstlineno = (int32_t)random,
					   .minor = 9 + round % 8,
					   .is_cut = round & 1 };

		for (size_t i = 0; i < size; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bytes[i] = (uint8_t)random | (round % 3 ? 0 : 0xc0);
		}
		bytes = realloc(bytes, size ? size : 1);
		table.bytes = bytes;
		for (int32_t at = -2; at < 40; at++)
			assert_true(linetable_line(&table, at) >= 0);
		linetable_line(&table, INT32_MAX);
		linetable_line(&table, INT32_MIN);
		free(bytes);
	}
}

static void an_endless_varint_ends(void **state)
{
	const uint8_t bytes[] = { 0x80 | 13 << 3, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f };
	const uint8_t widest[] = { 0x80 | 13 << 3, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x03 };
	struct linetable table = {
		.bytes = bytes, .size = sizeof(bytes), .firstlineno = 1, .minor = 11
	};

	(void)state;
	assert_int_equal(linetable_line(&table, 0), 0);
	table.bytes = widest;
	table.size = sizeof(widest);
	assert_int_equal(linetable_line(&table, 0), 0); /* 1 + 2^31 - 1 is no int */
	table.firstlineno = 0;
	assert_int_equal(linetable_line(&table, 0), INT32_MAX);
}

/* A huge function: any table repeated until it is as long as tables get. */
static void marks_change_no_line(void **state)
{
	enum { BYTES = 96 * 1024 };
	uint8_t *bytes = malloc(BYTES);
	struct linetable_mark *marks = malloc(BYTES / LINETABLE_STRIDE * sizeof(*marks));

	(void)state;
	for (size_t i = 0; i < NR_FIXTURES; i += 7) {
		const struct fixture *fixture = &fixtures[i];
		struct linetable plain = table_of(fixture), marked;
		size_t size = 0;

		for (; size + fixture->table_bytes <= BYTES; size += fixture->table_bytes)
			memcpy(bytes + size, fixture->table, fixture->table_bytes);
		plain.bytes = bytes;
		plain.size = size;
		marked = plain;
		marked.marks = marks;
		marked.nr_marks = linetable_mark(&plain, marks);
		assert_in_range(marked.nr_marks, 1, BYTES / LINETABLE_STRIDE);
		for (int32_t at = 0; at < 400000; at += 1998)
			assert_int_equal(linetable_line(&marked, at), linetable_line(&plain, at));
		for (size_t m = 0; m < marked.nr_marks; m++)
			for (int32_t near = -2; near <= 2; near += 2)
				assert_int_equal(
					linetable_line(&marked, (int32_t)marks[m].end_bytes + near),
					linetable_line(&plain, (int32_t)marks[m].end_bytes + near));
	}
	free(bytes);
	free(marks);
}

static void an_unknown_version_has_no_lines(void **state)
{
	struct linetable table = table_of(&fixtures[0]);

	(void)state;
	table.minor = 8;
	assert_int_equal(linetable_line(&table, 0), 0);
	table.minor = 16;
	assert_int_equal(linetable_line(&table, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_has_the_line_that_cpython_says),
		cmocka_unit_test(an_offset_past_the_end_has_no_line),
		cmocka_unit_test(a_cut_table_says_less_but_nothing_else),
		cmocka_unit_test(garbage_is_safe),
		cmocka_unit_test(an_endless_varint_ends),
		cmocka_unit_test(marks_change_no_line),
		cmocka_unit_test(an_unknown_version_has_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
