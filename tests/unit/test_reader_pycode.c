/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Code objects in fake memory: every kind of str, hostile lengths, objects that change while they
 * are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "layout.h"
#include "pycode.h"
#include "pyhash.h"
#include "pystr.h"
#include "reader_fake.h"
#include "util.h"

#define TYPE	 (FAKE_BASE + 0x40)
#define CODE	 (FAKE_BASE + 0x1000)
#define FILENAME (FAKE_BASE + 0x2000)
#define NAME	 (FAKE_BASE + 0x4000)
#define QUALNAME (FAKE_BASE + 0x6000)
#define TABLE	 (FAKE_BASE + 0x8000)
#define DATA	 (FAKE_BASE + 0x40000)

#define COMPACT (1u << 5)
#define ASCII	(1u << 6)
#define KIND(n) ((unsigned)(n) << 2)

#define FREE	3 /* so many more after the last: free-threaded builds of the last three */
static struct fake fake;
static unsigned shift; /* of the members of what is put */
static bool is_state_at_49;
static union {
	struct ev_code code;
	uint8_t room[EV_RECORD_MAX];
} got;

static void put_str(uint64_t addr, int64_t length, uint32_t state, uint64_t data_addr,
		    const void *data, size_t bytes)
{
	fake_put_u64(&fake, addr + shift + 8, TYPE);
	fake_put_u64(&fake, addr + shift + 16, (uint64_t)length);
	fake_put_u32(&fake, addr + (is_state_at_49 ? 49 : shift + 32), is_state_at_49 ? state >> 2 : state);
	fake_put(&fake, data_addr, data, bytes);
}

static void put_ascii(const struct py_layout *layout, uint64_t addr, const char *text)
{
	put_str(addr, (int64_t)strlen(text), COMPACT | ASCII | KIND(1),
		addr + layout->str_ascii_data, text, strlen(text));
}

static uint32_t put_code(const struct py_layout *layout)
{
	fake_reset(&fake);
	fake_put_u64(&fake, CODE + shift + 8, TYPE);
	fake_put_u64(&fake, CODE + layout->code_filename, FILENAME);
	fake_put_u64(&fake, CODE + layout->code_name, NAME);
	fake_put_u64(&fake, CODE + layout->code_linetable, TABLE);
	fake_put_u32(&fake, CODE + layout->code_firstlineno, 42);
	fake_put_u32(&fake, CODE + layout->code_flags, 0x83);
	if (layout->code_qualname) {
		fake_put_u64(&fake, CODE + layout->code_qualname, QUALNAME);
		fake_put_u32(&fake, CODE + layout->code_firsttraceable, 3);
		put_ascii(layout, QUALNAME, "Server.handle");
	}
	put_ascii(layout, FILENAME, "/srv/app.py");
	put_ascii(layout, NAME, "handle");
	fake_put_u64(&fake, TABLE + shift + 8, TYPE);
	fake_put_u64(&fake, TABLE + shift + 16, 5);
	fake_put(&fake, TABLE + shift + 32, "\x01\x02\x00\x04\xff", 5);
	return py_code_fingerprint(42, FILENAME, NAME, TABLE);
}

static const struct py_layout *layout_of(unsigned minor)
{
	static struct layout_row row;

	shift = minor > LAYOUT_MINOR_LAST ? 16 : 0;
	minor -= shift ? FREE : 0;
	is_state_at_49 = shift && minor >= 14;
	assert_non_null(layout_find(minor));
	row = *layout_find(minor);
	if (!shift)
		return &row.py;
	layout_free_threaded(&row);
	/* What the target tells of itself. */
	for (__u16 *at = &row.py.code_firstlineno; at <= &row.py.code_linetable; at++)
		*at += 16;
	row.py.str_ascii_data += 16;
	return &row.py;
}

static void read_code(const struct py_layout *layout, uint32_t fingerprint)
{
	memset(&got, 0xa5, sizeof(got));
	pycode_read(&fake.mem, layout, CODE, fingerprint, &got.code);
	assert_int_equal(got.code.head.type, EV_CODE);
	assert_int_equal(got.code.fingerprint, fingerprint);
	assert_int_equal(got.code.code_addr, CODE);
}

static void assert_refused(enum code_status status)
{
	assert_int_equal(got.code.status, status);
	assert_int_equal(got.code.head.size, sizeof(struct ev_code));
	assert_int_equal(got.code.filename_bytes | got.code.name_bytes | got.code.qualname_bytes,
			 0);
	assert_int_equal(got.code.table_bytes, 0);
}

static void every_version_is_read(void **state)
{
	static const char with[] = "/srv/app.pyhandleServer.handle\x01\x02\x00\x04\xff";
	static const char without[] = "/srv/app.pyhandle\x01\x02\x00\x04\xff";

	(void)state;
	for (unsigned minor = LAYOUT_MINOR_FIRST; minor <= LAYOUT_MINOR_LAST + FREE; minor++) {
		const struct py_layout *layout = layout_of(minor);
		size_t bytes = (minor >= 11 ? sizeof(with) : sizeof(without)) - 1;

		read_code(layout, put_code(layout));
		assert_int_equal(got.code.status, CODE_OK);
		assert_int_equal(got.code.flags, 0);
		assert_int_equal(got.code.minor, layout->minor);
		assert_int_equal(got.code.firstlineno, 42);
		assert_int_equal(got.code.co_flags, 0x83);
		assert_int_equal(got.code.first_traceable_bytes, minor >= 11 ? 6 : 0);
		assert_int_equal(got.code.filename_bytes, 11);
		assert_int_equal(got.code.name_bytes, 6);
		assert_int_equal(got.code.qualname_bytes, minor >= 11 ? 13 : 0);
		assert_int_equal(got.code.table_bytes, 5);
		assert_int_equal(got.code.head.size, sizeof(struct ev_code) + bytes);
		assert_memory_equal(got.code.data, minor >= 11 ? with : without, bytes);
	}
}

static int read_str(unsigned minor, size_t room, char *utf8, size_t *bytes, bool *is_cut)
{
	return pystr_read(&fake.mem, layout_of(minor), NAME, utf8, room, bytes, is_cut);
}

static void assert_str(unsigned minor, const char *want)
{
	char utf8[EV_NAME_MAX];
	size_t bytes;
	bool is_cut;

	assert_int_equal(read_str(minor, sizeof(utf8), utf8, &bytes, &is_cut), 0);
	assert_int_equal(bytes, strlen(want));
	assert_memory_equal(utf8, want, bytes);
	assert_false(is_cut);
}

static void every_kind_of_str_becomes_utf8(void **state)
{
	static const uint16_t ucs2[] = { 'a', 0x4e16, 0x754c, 0xd800, 0xdfff };
	static const uint32_t ucs4[] = { 0x1f40d, 'z', 0x110000, 0xdc80, 0xffffffff };

	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST + FREE; minor++) {
		uint64_t data = NAME + (minor < 12 ? 72 : 56), start = NAME + (minor < 12 ? 48 : 40);

		layout_of(minor);
		data += shift;
		start += shift;
		fake_reset(&fake);
		put_str(NAME, 3, COMPACT | ASCII | KIND(1), start, "abc", 3);
		assert_str(minor, "abc");
		put_str(NAME, 0, COMPACT | ASCII | KIND(1) | 3, start, "", 0);
		assert_str(minor, "");
		/* A forged ASCII str with bytes that are none is still valid UTF-8 here. */
		put_str(NAME, 2, COMPACT | ASCII | KIND(1), start, "\xff\x80", 2);
		assert_str(minor, "\u00ff\xc2\x80");
		put_str(NAME, 3, COMPACT | KIND(1), data, "m\xe9t", 3);
		assert_str(minor, "m\u00e9t");
		put_str(NAME, 5, COMPACT | KIND(2), data, ucs2, sizeof(ucs2));
		assert_str(minor, "a\u4e16\u754c\ufffd\ufffd");
		put_str(NAME, 5, COMPACT | KIND(4), data, ucs4, sizeof(ucs4));
		assert_str(minor, "\U0001f40dz\ufffd\ufffd\ufffd");
		put_str(NAME, 4, ASCII | KIND(1), DATA, "sub!", 4);
		fake_put_u64(&fake, data, DATA);
		assert_str(minor, "sub!");
		put_str(NAME, 2, KIND(2), DATA, ucs2, 4);
		assert_str(minor, "a\u4e16");
	}
}

static void a_long_str_is_cut_between_characters(void **state)
{
	uint16_t wide[EV_NAME_MAX];
	char utf8[EV_NAME_MAX];
	size_t bytes;
	bool is_cut;

	(void)state;
	for (unsigned i = 0; i < EV_NAME_MAX; i++)
		wide[i] = 0x4e16;
	layout_of(11);
	fake_reset(&fake);
	put_str(NAME, 500000, COMPACT | KIND(2), NAME + 72, wide, sizeof(wide));
	assert_int_equal(read_str(11, sizeof(utf8), utf8, &bytes, &is_cut), 0);
	assert_int_equal(bytes, EV_NAME_MAX / 3 * 3);
	assert_true(is_cut);
	assert_memory_equal(utf8 + bytes - 3, "\u4e16", 3);
	assert_int_equal(read_str(11, 4, utf8, &bytes, &is_cut), 0);
	assert_int_equal(bytes, 3);
	/* As long as there is room for, and not a byte more. */
	put_str(NAME, EV_NAME_MAX, COMPACT | ASCII | KIND(1), NAME + 48, wide, EV_NAME_MAX);
	assert_int_equal(read_str(11, 4, utf8, &bytes, &is_cut), 0);
	assert_true(is_cut);
	memset(wide, 'x', sizeof(wide));
	put_str(NAME, EV_NAME_MAX, COMPACT | ASCII | KIND(1), NAME + 48, wide, EV_NAME_MAX);
	assert_int_equal(read_str(11, sizeof(utf8), utf8, &bytes, &is_cut), 0);
	assert_int_equal(bytes, EV_NAME_MAX);
	assert_false(is_cut);
}

static void what_is_no_str_is_refused(void **state)
{
	static const uint32_t bad_states[] = {
		COMPACT | KIND(0), COMPACT | KIND(3),	      COMPACT | KIND(5),
		COMPACT | KIND(7), COMPACT | ASCII | KIND(2),
	};
	static const int64_t bad_lengths[] = { -1, INT64_MIN, INT64_MAX, (1LL << 30) + 1 };
	const struct py_layout *layout = layout_of(12);
	uint32_t fingerprint;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad_states); i++) {
		fingerprint = put_code(layout);
		fake_put_u32(&fake, NAME + 32, bad_states[i]);
		read_code(layout, fingerprint);
		assert_refused(CODE_INVALID);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad_lengths); i++) {
		fingerprint = put_code(layout);
		fake_put_u64(&fake, NAME + 16, (uint64_t)bad_lengths[i]);
		read_code(layout, fingerprint);
		assert_refused(CODE_INVALID);

		fingerprint = put_code(layout);
		fake_put_u64(&fake, TABLE + 16, (uint64_t)bad_lengths[i]);
		read_code(layout, fingerprint);
		assert_refused(CODE_INVALID);
	}
	fingerprint = put_code(layout);
	fake_put_u64(&fake, QUALNAME + 8, 0);
	read_code(layout, fingerprint);
	assert_refused(CODE_INVALID);
	/* Non-compact, its data anywhere. */
	fingerprint = put_code(layout);
	fake_put_u32(&fake, NAME + 32, KIND(4));
	fake_put_u64(&fake, NAME + 56, UINT64_MAX - 3);
	read_code(layout, fingerprint);
	assert_refused(CODE_UNREADABLE);
}

static void long_names_and_tables_are_cut_and_flagged(void **state)
{
	const struct py_layout *layout = layout_of(11);
	uint32_t fingerprint = put_code(layout);

	(void)state;
	memset(fake.bytes + (TABLE - FAKE_BASE) + 32, 7, 200000);
	fake_put_u64(&fake, TABLE + 16, 200000);
	read_code(layout, fingerprint);
	assert_int_equal(got.code.status, CODE_OK);
	assert_int_equal(got.code.flags, CODE_TABLE_CUT);
	assert_int_equal(got.code.table_bytes, EV_TABLE_MAX);

	fake_put_u64(&fake, FILENAME + 16, 3000);
	read_code(layout, fingerprint);
	assert_int_equal(got.code.status, CODE_OK);
	assert_int_equal(got.code.flags, CODE_TABLE_CUT | CODE_NAME_CUT);
	assert_int_equal(got.code.filename_bytes, EV_NAME_MAX);
	assert_true(got.code.head.size <= EV_RECORD_MAX);
	assert_int_equal(got.code.data[got.code.head.size - sizeof(struct ev_code) - 1], 7);
}

static void wild_pointers_are_unreadable_or_invalid(void **state)
{
	const struct py_layout *layout = layout_of(13);
	static const uint64_t wild[] = { 8, 0xdead000000000000, INT64_MAX - 7, UINT64_MAX - 7,
					 FAKE_BASE + FAKE_BYTES - 8 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
		uint64_t addr = wild[i];

		put_code(layout);
		fake_put_u64(&fake, CODE + layout->code_name, addr);
		read_code(layout, py_code_fingerprint(42, FILENAME, addr, TABLE));
		assert_refused(CODE_UNREADABLE);
		put_code(layout);
		fake_put_u64(&fake, CODE + layout->code_linetable, addr);
		read_code(layout, py_code_fingerprint(42, FILENAME, NAME, addr));
		assert_refused(CODE_UNREADABLE);
		pycode_read(&fake.mem, layout, addr, 1, &got.code);
		assert_int_equal(got.code.status, CODE_UNREADABLE);
	}
	put_code(layout);
	fake_put_u64(&fake, CODE + layout->code_name, NAME + 1);
	read_code(layout, py_code_fingerprint(42, FILENAME, NAME + 1, TABLE));
	assert_refused(CODE_INVALID);
	put_code(layout);
	fake_put_u64(&fake, CODE + layout->code_filename, 0);
	read_code(layout, py_code_fingerprint(42, 0, NAME, TABLE));
	assert_refused(CODE_INVALID);
	pycode_read(&fake.mem, layout, 0, 1, &got.code);
	assert_int_equal(got.code.status, CODE_INVALID);
}

static void another_object_at_the_address_is_gone(void **state)
{
	const struct py_layout *layout = layout_of(12);
	uint32_t fingerprint = put_code(layout);

	(void)state;
	read_code(layout, fingerprint ^ 1);
	assert_refused(CODE_GONE);
}

/* What is no function is freed and followed at the same addresses by the next: the table tells them
 * apart. */
static void a_body_with_another_line_table_is_gone(void **state)
{
	const struct py_layout *layout = layout_of(12);
	const __u64 head[PY_TABLE_WORDS] = { 0xff04000201ULL };
	uint32_t fingerprint = put_code(layout);
	uint64_t length, name_end;

	(void)state;
	assert_int_equal(procmem_read_u64(&fake.mem, FILENAME + PYSTR_LENGTH_AT, &length), 0);
	assert_int_equal(procmem_read_u64(&fake.mem, py_name_end_addr(FILENAME, layout->str_ascii_data, length),
					  &name_end), 0);
	fingerprint = py_passing_fingerprint(fingerprint, 5, head, name_end);
	fake_put_u32(&fake, CODE + layout->code_flags, 0);
	read_code(layout, fingerprint);
	assert_int_equal(got.code.status, CODE_OK);
	fake_put(&fake, TABLE + 32 + 4, "\xfe", 1);
	read_code(layout, fingerprint);
	assert_refused(CODE_GONE);
}

static void an_object_that_changes_meanwhile_is_gone(void **state)
{
	const struct py_layout *layout = layout_of(12);
	unsigned nr_reads;

	(void)state;
	put_code(layout);
	read_code(layout, put_code(layout));
	nr_reads = fake.nr_reads;
	assert_true(nr_reads > 4);
	for (unsigned at = 2; at <= nr_reads; at++) {
		uint32_t fingerprint = put_code(layout);

		fake.change_at = at;
		fake.change_addr = CODE + layout->code_name;
		fake.change_value = FILENAME;
		read_code(layout, fingerprint);
		assert_refused(CODE_GONE);

		/*
		 * Freed and filled with something else: what the names failed with does not matter.
		 */
		fingerprint = put_code(layout);
		fake_put_u64(&fake, NAME + 16, UINT64_MAX);
		fake.change_at = at;
		fake.change_addr = CODE + layout->code_filename;
		fake.change_value = 0xdddddddddddddddd;
		read_code(layout, fingerprint);
		if (got.code.status != CODE_INVALID)
			assert_refused(CODE_GONE);
	}
}

static void hostile_layouts_and_budgets_are_refused(void **state)
{
	struct py_layout layout = *layout_of(12);
	uint32_t fingerprint = put_code(&layout);

	(void)state;
	fake.mem.budget_bytes = 250;
	read_code(&layout, fingerprint);
	assert_refused(CODE_UNREADABLE);
	fake.mem.budget_bytes = 1 << 20;
	layout.code_qualname = 65535;
	read_code(&layout, fingerprint);
	assert_refused(CODE_INVALID);
	memset(&layout, 0, sizeof(layout));
	read_code(&layout, fingerprint);
	assert_refused(CODE_INVALID);
}

/* Random words over a valid object: whatever comes out is well-formed. */
static void random_damage_is_survived(void **state)
{
	(void)state;
	srandom(2026);
	for (unsigned round = 0; round < 20000; round++) {
		static const uint64_t places[] = { CODE, FILENAME, NAME, QUALNAME, TABLE };
		const struct py_layout *layout = layout_of(9 + round % 5);
		uint64_t words[] = { 0,
				     8,
				     UINT64_MAX,
				     NAME,
				     (uint64_t)random() << 32 | random(),
				     (uint64_t)random() % 256,
				     INT64_MAX };
		uint32_t fingerprint = put_code(layout);
		uint64_t place = places[(unsigned)random() % ARRAY_SIZE(places)];
		uint64_t word = words[(unsigned)random() % ARRAY_SIZE(words)];

		fake_put_u64(&fake, place + (unsigned)random() % 24 * 8, word);
		read_code(layout, fingerprint);
		assert_true(got.code.status < CODE_STATUS_MAX);
		assert_int_equal(got.code.head.size,
				 sizeof(struct ev_code) + got.code.filename_bytes +
					 got.code.name_bytes + got.code.qualname_bytes +
					 got.code.table_bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_is_read),
		cmocka_unit_test(every_kind_of_str_becomes_utf8),
		cmocka_unit_test(a_long_str_is_cut_between_characters),
		cmocka_unit_test(what_is_no_str_is_refused),
		cmocka_unit_test(long_names_and_tables_are_cut_and_flagged),
		cmocka_unit_test(wild_pointers_are_unreadable_or_invalid),
		cmocka_unit_test(another_object_at_the_address_is_gone),
		cmocka_unit_test(a_body_with_another_line_table_is_gone),
		cmocka_unit_test(an_object_that_changes_meanwhile_is_gone),
		cmocka_unit_test(hostile_layouts_and_budgets_are_refused),
		cmocka_unit_test(random_damage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
