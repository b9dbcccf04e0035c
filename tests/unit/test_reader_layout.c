/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The layout table against the documented numbers, and what is read out of a (fake) runtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "layout.h"
#include "reader_fake.h"
#include "util.h"

#define RUNTIME (FAKE_BASE + 0x10000)
#define MAIN	(FAKE_BASE + 0x20000)
#define SECOND	(FAKE_BASE + 0x30000)
#define GIL	(FAKE_BASE + 0x50000)

static struct fake fake;

/* clang-format off */
/* From the DWARF of each version: a line per member, a column per minor version. */
#define M(member) #member, offsetof(struct py_layout, member)
static const struct documented {
	const char *name;
	size_t at;
	uint16_t want[5]; /* 3.9 .. 3.13 */
} documented[] = {
	{ M(minor),		 { 9, 10, 11, 12, 13 } },
	{ M(tstate_frame),	 { 24, 24, 56, 56, 72 } },
	{ M(tstate_thread_id),	 { 176, 176, 152, 136, 152 } },
	{ M(tstate_dict),	 { 152, 152, 128, 112, 128 } },
	{ M(tstate_running_loop), { 0, 0, 0, 0, 304 } },
	{ M(cframe_frame),	 { 0, 0, 8, 0, 0 } },
	{ M(has_cframe),	 { 0, 0, 1, 1, 0 } },
	{ M(frame_back),	 { 24, 24, 48, 8, 8 } },
	{ M(frame_code),	 { 32, 32, 32, 0, 0 } },
	{ M(frame_instr),	 { 104, 96, 56, 56, 56 } },
	{ M(frame_owner),	 { 0, 0, 69, 70, 70 } },
	{ M(frame_generator),	 { 96, 88, 0, 0, 0 } },
	{ M(frame_locals),	 { 360, 352, 72, 72, 72 } },
	{ M(instr_scale),	 { 1, 2, 0, 0, 0 } },
	{ M(code_flags),	 { 36, 36, 48, 48, 48 } },
	{ M(code_firstlineno),	 { 40, 40, 72, 68, 68 } },
	{ M(code_filename),	 { 104, 104, 112, 112, 112 } },
	{ M(code_name),		 { 112, 112, 120, 120, 120 } },
	{ M(code_qualname),	 { 0, 0, 128, 128, 128 } },
	{ M(code_linetable),	 { 120, 120, 136, 136, 136 } },
	{ M(code_bytecode),	 { 0, 0, 184, 192, 200 } },
	{ M(code_firsttraceable), { 0, 0, 168, 176, 184 } },
	{ M(str_ascii_data),	 { 48, 48, 48, 40, 40 } },
	{ M(str_compact_data),	 { 72, 72, 72, 56, 56 } },
	{ M(running_loop_holder), { 16, 16, 16, 0, 0 } },
	{ M(task_name),		 { 160, 168, 144, 144, 128 } },
	{ M(tstate_native_id),	 { 0, 0, 160, 144, 160 } },
	{ M(pthread_tid),	 { 720, 720, 0, 0, 0 } },
	{ M(gil_last_holder),	 { 8, 8, 8, 8, 8 } },
	{ M(gil_locked),	 { 16, 16, 16, 16, 16 } },
};

static const struct {
	uint32_t interpreters_head, autotss_key, runtime_gil, interp_next, interp_id, interp_gil;
	uint32_t interp_modules, function_code, code_locals;
} inner[] = {
	{ 32, 588, 352, 0, 24, 0, 856, 16, 72 },
	{ 32, 588, 352, 0, 24, 0, 856, 48, 72 },
	{ 40, 596, 360, 0, 48, 0, 888, 48, 96 },
	{ 40, 1548, 0, 0, 8, 384, 944, 48, 96 },
	{ 632, 2164, 0, 7264, 7272, 16, 7656, 48, 96 },
};

/* _Py_DebugOffsets of 3.13.5: place, value. */
static const uint16_t debug_offsets[][2] = {
	{ 40, 632 }, { 56, 7272 }, { 64, 7264 }, { 88, 7656 }, { 112, 16 }, { 152, 304 }, { 184, 72 },
	{ 192, 152 }, { 200, 160 }, { 232, 8 }, { 240, 0 }, { 248, 56 }, { 256, 72 }, { 264, 70 },
	{ 280, 112 }, { 288, 120 }, { 296, 128 }, { 304, 136 }, { 312, 68 }, { 344, 200 },
	{ 560, 40 },
};
/* clang-format on */

static uint16_t member(const struct py_layout *layout, size_t at)
{
	uint16_t value;

	memcpy(&value, (const char *)layout + at, sizeof(value));
	return value;
}

static void the_table_is_as_documented(void **state)
{
	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		const struct layout_row *row = layout_find(minor);

		assert_non_null(row);
		for (unsigned i = 0; i < ARRAY_SIZE(documented); i++) {
			if (member(&row->py, documented[i].at) != documented[i].want[minor - 9])
				fail_msg("3.%u %s", minor, documented[i].name);
		}
		assert_int_equal(row->interpreters_head, inner[minor - 9].interpreters_head);
		assert_int_equal(row->autotss_key, inner[minor - 9].autotss_key);
		assert_int_equal(row->runtime_gil, inner[minor - 9].runtime_gil);
		assert_int_equal(row->interp_next, inner[minor - 9].interp_next);
		assert_int_equal(row->interp_id, inner[minor - 9].interp_id);
		assert_int_equal(row->interp_gil, inner[minor - 9].interp_gil);
		assert_int_equal(row->interp_modules, inner[minor - 9].interp_modules);
		assert_int_equal(row->function_code, inner[minor - 9].function_code);
		assert_int_equal(row->code_locals, inner[minor - 9].code_locals);
		assert_true(row->runtime_gil || row->interp_gil);
	}
	assert_null(layout_find(8));
	assert_null(layout_find(14));
	assert_null(layout_find(0));
}

static const struct layout_row *put_runtime(unsigned minor)
{
	const struct layout_row *row = layout_find(minor);

	fake_reset(&fake);
	for (unsigned i = 0; minor == 13 && i < ARRAY_SIZE(debug_offsets); i++)
		fake_put_u64(&fake, RUNTIME + debug_offsets[i][0], debug_offsets[i][1]);
	fake_put_u64(&fake, RUNTIME + row->interpreters_head, SECOND);
	fake_put_u64(&fake, SECOND + row->interp_next, MAIN);
	fake_put_u64(&fake, SECOND + row->interp_id, 1);
	fake_put_u64(&fake, MAIN + row->interp_next, 0);
	fake_put_u64(&fake, MAIN + row->interp_id, 0);
	if (row->interp_gil)
		fake_put_u64(&fake, MAIN + row->interp_gil, GIL);
	fake_put_u32(&fake, RUNTIME + row->autotss_key - 4, 1);
	fake_put_u32(&fake, RUNTIME + row->autotss_key, 3);
	return row;
}

static int read_layout(unsigned minor, struct py_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	return layout_read(&fake.mem, RUNTIME, 0x030000f0 | minor << 16, layout);
}

static void a_runtime_completes_the_row(void **state)
{
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		const struct layout_row *row = put_runtime(minor);

		assert_int_equal(read_layout(minor, &layout), 0);
		assert_int_equal(layout.valid, 1);
		assert_int_equal(layout.runtime_addr, RUNTIME);
		assert_int_equal(layout.version, 0x030000f0 | minor << 16);
		assert_int_equal(layout.tstate_slot, 0x310 + 16 * 3 + 8);
		assert_int_equal(layout.gil_bytes, 208);
		assert_int_equal(layout.gil_addr, minor >= 12 ? GIL : RUNTIME + row->runtime_gil);
		for (unsigned i = 0; i < ARRAY_SIZE(documented); i++)
			assert_int_equal(member(&layout, documented[i].at),
					 documented[i].want[minor - 9]);
	}
	/* 3.13.13 and later: a longer thread state. */
	put_runtime(13);
	fake_put_u64(&fake, RUNTIME + 152, 312);
	assert_int_equal(read_layout(13, &layout), 0);
	assert_int_equal(layout.tstate_running_loop, 312);
}

static void a_starting_interpreter_is_not_ready(void **state)
{
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		const struct layout_row *row = put_runtime(minor);

		fake_put_u64(&fake, RUNTIME + row->interpreters_head, 0);
		assert_int_equal(read_layout(minor, &layout), -EAGAIN);
		put_runtime(minor);
		fake_put_u32(&fake, RUNTIME + row->autotss_key - 4, 0);
		assert_int_equal(read_layout(minor, &layout), -EAGAIN);
		assert_int_equal(layout.valid, 0);
		if (row->interp_gil) {
			put_runtime(minor);
			fake_put_u64(&fake, MAIN + row->interp_gil, 0);
			assert_int_equal(read_layout(minor, &layout), -EAGAIN);
		}
	}
}

static void nonsense_is_refused(void **state)
{
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		const struct layout_row *row = put_runtime(minor);

		fake_put_u32(&fake, RUNTIME + row->autotss_key, 32);
		assert_int_equal(read_layout(minor, &layout), -EBADMSG);
		put_runtime(minor);
		fake_put_u32(&fake, RUNTIME + row->autotss_key - 4, 2);
		assert_int_equal(read_layout(minor, &layout), -EBADMSG);
		put_runtime(minor);
		fake_put_u64(&fake, MAIN + row->interp_next, SECOND); /* a circle */
		assert_int_equal(read_layout(minor, &layout), -EBADMSG);
		put_runtime(minor);
		fake_put_u64(&fake, MAIN + row->interp_id, 5);
		assert_int_equal(read_layout(minor, &layout), -EBADMSG);
		put_runtime(minor);
		fake_put_u64(&fake, RUNTIME + row->interpreters_head, UINT64_MAX - 20);
		assert_int_equal(read_layout(minor, &layout), -EFAULT);
		put_runtime(minor);
		fake.mem.budget_bytes = 20;
		assert_int_equal(read_layout(minor, &layout), -E2BIG);
		assert_int_equal(layout.valid, 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(debug_offsets); i++) {
		put_runtime(13);
		fake_put_u64(&fake, RUNTIME + debug_offsets[i][0], 1ULL << 32 | 8);
		assert_int_equal(read_layout(13, &layout), -EBADMSG);
	}
	assert_int_equal(layout_read(&fake.mem, RUNTIME, 0x030800f0, &layout), -ENOTSUP);
	assert_int_equal(layout_read(&fake.mem, RUNTIME, 0x030e00f0, &layout), -ENOTSUP);
	assert_int_equal(layout_read(&fake.mem, RUNTIME, 0x040c00f0, &layout), -ENOTSUP);
}

static void unsupported_builds_have_a_reason(void **state)
{
	char reason[160];

	(void)state;
	assert_false(layout_is_unsupported(0x030902f0, false, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x030d05f0, false, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x030d00c1, false, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x03090000, false, reason, sizeof(reason)));
	assert_true(layout_is_unsupported(0x030e00f0, false, reason, sizeof(reason)));
	assert_string_equal(reason,
			    "CPython 3.14 is newer than this loophound knows: it cannot be watched");
	assert_true(layout_is_unsupported(0x03081200, false, reason, sizeof(reason)));
	assert_true(layout_is_unsupported(0x02071200, false, reason, sizeof(reason)));
	assert_true(layout_is_unsupported(0x030d05f0, true, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "free-threaded"));
	assert_true(layout_is_unsupported(0x030d00a1, false, reason, sizeof(reason)));
	assert_true(strlen(reason) < sizeof(reason) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_as_documented),
		cmocka_unit_test(a_runtime_completes_the_row),
		cmocka_unit_test(a_starting_interpreter_is_not_ready),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(unsupported_builds_have_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
