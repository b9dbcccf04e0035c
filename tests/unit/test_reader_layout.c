/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The layout table against the documented numbers, and what is read out of a (fake) runtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "debug_offsets.h"
#include "layout.h"
#include "reader_fake.h"
#include "util.h"

#define RUNTIME (FAKE_BASE + 0x10000)
#define MAIN	(FAKE_BASE + 0x20000)
#define SECOND	(FAKE_BASE + 0x30000)
#define GIL	(FAKE_BASE + 0x50000)
#define GETTER	(FAKE_BASE + 0x58000) /* PyGILState_GetThisThreadState */
#define TSTATE	(FAKE_BASE + 0x60000)
#define FS_BASE (FAKE_BASE + 0x68000)
#define ASYNCIO (FAKE_BASE + 0x70000) /* AsyncioDebug */

static struct fake fake;
static uint64_t asyncio_addr;

/* clang-format off */
/* From the DWARF of each version: a line per member, a column per minor version. */
#define M(member) #member, offsetof(struct py_layout, member)
static const struct documented {
	const char *name;
	size_t at;
	uint16_t want[7]; /* 3.9 .. 3.15 */
} documented[] = {
	{ M(minor),		 { 9, 10, 11, 12, 13, 14, 15 } },
	{ M(tstate_frame),	 { 24, 24, 56, 56, 72, 72, 72 } },
	{ M(tstate_thread_id),	 { 176, 176, 152, 136, 152, 152, 176 } },
	{ M(tstate_dict),	 { 152, 152, 128, 112, 128, 128, 152 } },
	{ M(tstate_running_loop), { 0, 0, 0, 0, 304, 864, 1024 } },
	{ M(cframe_frame), /* from 3.14 on tstate_running_task */	 { 0, 0, 8, 0, 0, 872, 1032 } },
	{ M(has_cframe),	 { 0, 0, 1, 1, 0, 0, 0 } },
	{ M(frame_back),	 { 24, 24, 48, 8, 8, 8, 8 } },
	{ M(frame_code),	 { 32, 32, 32, 0, 0, 0, 0 } },
	{ M(frame_instr),	 { 104, 96, 56, 56, 56, 56, 56 } },
	{ M(frame_owner),	 { 0, 0, 69, 70, 70, 74, 74 } },
	{ M(frame_generator),	 { 96, 88, 0, 0, 0, 0, 0 } },
	{ M(frame_locals),	 { 360, 352, 72, 72, 72, 80, 80 } },
	{ M(instr_scale),	 { 1, 2, 0, 0, 0, 0, 0 } },
	{ M(code_flags),	 { 36, 36, 48, 48, 48, 48, 48 } },
	{ M(code_firstlineno),	 { 40, 40, 72, 68, 68, 68, 68 } },
	{ M(code_filename),	 { 104, 104, 112, 112, 112, 112, 112 } },
	{ M(code_name),		 { 112, 112, 120, 120, 120, 120, 120 } },
	{ M(code_qualname),	 { 0, 0, 128, 128, 128, 128, 128 } },
	{ M(code_linetable),	 { 120, 120, 136, 136, 136, 136, 136 } },
	{ M(code_bytecode),	 { 0, 0, 184, 192, 200, 208, 208 } },
	{ M(code_firsttraceable), { 0, 0, 168, 176, 184, 192, 192 } },
	{ M(str_ascii_data),	 { 48, 48, 48, 40, 40, 40, 40 } },
	{ M(str_compact_data),	 { 72, 72, 72, 56, 56, 56, 56 } },
	{ M(running_loop_holder), { 16, 16, 16, 0, 0, 0, 0 } },
	{ M(task_name),		 { 160, 168, 144, 144, 128, 136, 136 } },
	{ M(tstate_native_id),	 { 0, 0, 160, 144, 160, 160, 184 } },
	{ M(pthread_tid),	 { 720, 720, 0, 0, 0, 0, 0 } },
	{ M(gil_last_holder),	 { 8, 8, 8, 8, 8, 8, 8 } },
	{ M(gil_locked),	 { 16, 16, 16, 16, 16, 16, 16 } },
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
	{ 808, 2340, 0, 7272, 7280, 16, 7688, 48, 96 },
	{ 936, 0, 0, 7264, 7272, 16, 7592, 48, 96 },
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
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
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
	assert_null(layout_find(16));
	assert_null(layout_find(0));
}

static const struct layout_row *put_runtime(unsigned minor)
{
	const struct layout_row *row = layout_find(minor);

	fake_reset(&fake);
	put_debug_offsets(&fake, RUNTIME, minor);
	fake_put_u64(&fake, RUNTIME + row->interpreters_head, SECOND);
	fake_put_u64(&fake, SECOND + row->interp_next, MAIN);
	fake_put_u64(&fake, SECOND + row->interp_id, 1);
	fake_put_u64(&fake, MAIN + row->interp_next, 0);
	fake_put_u64(&fake, MAIN + row->interp_id, 0);
	if (row->interp_gil)
		fake_put_u64(&fake, MAIN + row->interp_gil, GIL);
	if (row->autotss_key) {
		fake_put_u32(&fake, RUNTIME + row->autotss_key - 4, 1);
		fake_put_u32(&fake, RUNTIME + row->autotss_key, 3);
		return row;
	}
	/* mov %fs:-40, %rax; ret */
	fake_put(&fake, GETTER, "\xf3\x0f\x1e\xfa\x64\x48\x8b\x04\x25\xd8\xff\xff\xff\xc3", 14);
	fake_put_u64(&fake, MAIN + row->interp_threads, TSTATE);
	fake_put_u64(&fake, TSTATE + row->py.tstate_thread_id, FS_BASE);
	fake_put_u64(&fake, FS_BASE - 40, TSTATE);
	return row;
}

static int read_version(uint32_t version, struct py_layout *layout)
{
	const struct layout_source source = { .runtime_addr = RUNTIME, .version = version,
					      .asyncio_addr = asyncio_addr, .getter_addr = GETTER };

	return layout_read(&fake.mem, &source, layout);
}

static int read_layout(unsigned minor, struct py_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	return read_version(0x030000f0 | minor << 16, layout);
}

static void a_runtime_completes_the_row(void **state)
{
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		const struct layout_row *row = put_runtime(minor);

		assert_int_equal(read_layout(minor, &layout), 0);
		assert_int_equal(layout.valid, 1);
		assert_int_equal(layout.runtime_addr, RUNTIME);
		assert_int_equal(layout.version, 0x030000f0 | minor << 16);
		assert_int_equal(layout.tstate_slot, minor < 15 ? 0x310 + 16 * 3 + 8 : -40);
		assert_int_equal(layout.gil_bytes, 208);
		assert_int_equal(layout.gil_addr, minor >= 12 ? GIL : RUNTIME + row->runtime_gil);
		for (unsigned i = 0; i < ARRAY_SIZE(documented); i++)
			assert_int_equal(member(&layout, documented[i].at),
					 documented[i].want[minor - 9]);
	}
}

/* clang-format off */
/* By the headers of 3.13.5, 3.14.10 and 3.15.2 with Py_GIL_DISABLED. */
static const struct {
	const char *name;
	size_t at;
	uint16_t want[3]; /* 3.13t .. 3.15t */
} free_threaded[] = {
	{ M(tstate_frame), { 72, 72, 72 } }, { M(tstate_thread_id), { 152, 152, 176 } },
	{ M(tstate_running_loop), { 304, 864, 1024 } }, { M(tstate_running_task), { 0, 872, 1032 } },
	{ M(frame_back), { 8, 8, 8 } }, { M(frame_code), { 0, 0, 0 } },
	{ M(frame_instr), { 56, 56, 56 } }, { M(frame_owner), { 70, 78, 78 } },
	{ M(frame_locals), { 72, 80, 80 } }, { M(frame_tlbc), { 0, 72, 72 } },
	{ M(code_tlbc), { 0, 224, 224 } }, { M(code_flags), { 64, 64, 64 } },
	{ M(code_firstlineno), { 84, 84, 84 } }, { M(code_filename), { 128, 128, 128 } },
	{ M(code_name), { 136, 136, 136 } }, { M(code_qualname), { 144, 144, 144 } },
	{ M(code_linetable), { 152, 152, 152 } }, { M(code_bytecode), { 216, 232, 232 } },
	{ M(code_firsttraceable), { 200, 208, 208 } }, { M(str_ascii_data), { 56, 56, 56 } },
	{ M(str_compact_data), { 72, 72, 72 } }, { M(task_name), { 144, 152, 152 } },
	{ M(gil_last_holder), { 16, 16, 16 } }, { M(gil_locked), { 24, 24, 24 } },
	{ M(gil_bytes), { 216, 216, 216 } }, { M(gc_young), { 0, 0, 0 } },
};
/* clang-format on */

static void a_free_threaded_build_has_larger_objects(void **state)
{
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 13; minor <= LAYOUT_MINOR_LAST; minor++) {
		put_runtime(minor);
		put_debug_offsets_free_threaded(&fake, RUNTIME, minor);
		assert_int_equal(read_layout(minor, &layout), 0);
		assert_int_equal(layout.valid, 1);
		assert_int_equal(layout.object_shift, 16);
		assert_int_equal(layout.gil_addr, GIL);
		for (unsigned i = 0; i < ARRAY_SIZE(free_threaded); i++)
			if (member(&layout, free_threaded[i].at) != free_threaded[i].want[minor - 13])
				fail_msg("3.%ut %s", minor, free_threaded[i].name);
		/* It has a GIL, and that is off: until a module asks for it. */
		fake_put_u32(&fake, GIL, 0);
		assert_false(layout_has_gil(&fake.mem, &layout));
		fake_put_u32(&fake, GIL, INT32_MAX);
		assert_true(layout_has_gil(&fake.mem, &layout));
		fake_put_u64(&fake, RUNTIME + 16, 2); /* no such thing */
		assert_int_equal(read_layout(minor, &layout), -EBADMSG);
	}
	for (unsigned i = 0; i < 8; i++) { /* tlbc_index, co_tlbc */
		put_runtime(14);
		put_debug_offsets_free_threaded(&fake, RUNTIME, 14);
		fake_put_u64(&fake, RUNTIME + (i % 2 ? 304 : 392), ((uint64_t[]){ 0, 2, 1 << 20, UINT64_MAX })[i / 2]);
		assert_int_equal(read_layout(14, &layout), -EBADMSG);
	}
	put_runtime(13);
	assert_int_equal(read_layout(13, &layout), 0);
	assert_true(layout_has_gil(&fake.mem, &layout)); /* a word that says so belongs to others */
}

/* Members moved within 3.13 (at 3.13.13) and within 3.14 (at 3.14.4): PyThreadState grew by 8. */
static void on_musl_the_slot_is_found_by_a_thread(void **state)
{
	struct layout_source source = { .runtime_addr = RUNTIME, .is_musl = true };
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 9; minor <= 14; minor++) {
		const struct layout_row *row = put_runtime(minor);

		source.version = 0x030000f0 | minor << 16;
		assert_int_equal(layout_read(&fake.mem, &source, &layout), -EAGAIN);
		fake_put_u64(&fake, MAIN + row->interp_threads, TSTATE);
		fake_put_u64(&fake, TSTATE + row->py.tstate_thread_id, FS_BASE);
		fake_put_u64(&fake, FS_BASE + 128, ASYNCIO);
		fake_put_u64(&fake, ASYNCIO + 8 * 3, TSTATE);
		assert_int_equal(layout_read(&fake.mem, &source, &layout), 0);
		assert_int_equal(layout.tstate_slot, 128 << 16 | 8 * 3);
		assert_int_equal(layout.pthread_tid, minor < 11 ? 48 : 0);
	}
}

static void a_micro_release_says_what_moved(void **state)
{
	struct py_layout layout;

	(void)state;
	put_runtime(13);
	fake_put_u64(&fake, RUNTIME + 152, 312);
	assert_int_equal(read_layout(13, &layout), 0);
	assert_int_equal(layout.tstate_running_loop, 312);
	assert_false(layout.tstate_running_task);
	put_runtime(14);
	fake_put_u64(&fake, RUNTIME + 176, 824);
	assert_int_equal(read_layout(14, &layout), 0);
	assert_int_equal(layout.tstate_running_loop, 856);
	assert_int_equal(layout.tstate_running_task, 864);
}

/* Two pointers before the threshold, as far before `collecting` as said. */
static int young_of(unsigned minor, unsigned back, uint64_t next, uint64_t prev)
{
	const struct layout_row *row = put_runtime(minor);
	uint64_t at = MAIN + row->interp_collecting - back - 16;
	struct py_layout layout;

	fake_put_u64(&fake, at, next);
	fake_put_u64(&fake, at + 8, prev);
	assert_int_equal(read_layout(minor, &layout), 0);
	return layout.gc_young;
}

static void the_generations_are_where_their_lists_begin(void **state)
{
	static const uint64_t next = 0x7fdcd76c22a8, prev = 0x7fdcd76dc2a8;

	(void)state;
	assert_int_equal(young_of(13, 160, next, prev), 160); /* 3.13.0 */
	assert_int_equal(young_of(13, 164, next, prev), 164); /* 3.13.5 */
	assert_int_equal(young_of(13, 168, next, prev), 0);
	assert_int_equal(young_of(14, 152, next, prev), 152);
	assert_int_equal(young_of(15, 88, next, prev), 88);
	assert_int_equal(young_of(15, 88, next, 0), 0);
	assert_int_equal(young_of(15, 88, next | 1, prev), 0);
	assert_int_equal(young_of(15, 88, next, 1ULL << 47), 0);
	/* 3.9 to 3.12: always in the same place; what is there is another field. */
	assert_int_equal(young_of(12, 160, next, prev), 0);
}

static void put_asyncio(uint64_t loop, uint64_t task, uint64_t name)
{
	fake_put_u64(&fake, ASYNCIO + 8, name);
	fake_put_u64(&fake, ASYNCIO + 80, loop);
	fake_put_u64(&fake, ASYNCIO + 88, task);
	asyncio_addr = ASYNCIO;
}

static void asyncio_says_where_its_own_things_are(void **state)
{
	static const uint64_t nonsense[][3] = {
		{ 831, 872, 136 },   { 864, 40000, 136 }, { 866, 872, 136 },
		{ 1ULL << 32 | 864, 872, 136 }, { 864, 0, 136 }, { 864, 872, 1 << 16 },
	};
	struct py_layout layout;

	(void)state;
	put_runtime(14);
	put_asyncio(900, 920, 144);
	assert_int_equal(read_layout(14, &layout), -EBADMSG);
	put_asyncio(896, 920, 144);
	assert_int_equal(read_layout(14, &layout), 0);
	assert_int_equal(layout.tstate_running_loop, 896);
	assert_int_equal(layout.tstate_running_task, 920);
	assert_int_equal(layout.task_name, 144);
	for (unsigned i = 0; i < ARRAY_SIZE(nonsense); i++) {
		put_asyncio(nonsense[i][0], nonsense[i][1], nonsense[i][2]);
		assert_int_equal(read_layout(14, &layout), -EBADMSG);
	}
	/* 3.13 has no such table: what a file claims is not looked at. */
	put_runtime(13);
	asyncio_addr = 8;
	assert_int_equal(read_layout(13, &layout), 0);
	asyncio_addr = 0;
}

static void a_starting_interpreter_is_not_ready(void **state)
{
	struct py_layout layout;

	(void)state;
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		const struct layout_row *row = put_runtime(minor);

		fake_put_u64(&fake, RUNTIME + row->interpreters_head, 0);
		assert_int_equal(read_layout(minor, &layout), -EAGAIN);
		put_runtime(minor);
		if (row->autotss_key)
			fake_put_u32(&fake, RUNTIME + row->autotss_key - 4, 0);
		else
			fake_put_u64(&fake, MAIN + row->interp_threads, 0);
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
	for (unsigned minor = 9; minor <= LAYOUT_MINOR_LAST; minor++) {
		const struct layout_row *row = put_runtime(minor);

		if (row->autotss_key) {
			fake_put_u32(&fake, RUNTIME + row->autotss_key, 32);
			assert_int_equal(read_layout(minor, &layout), -EBADMSG);
			put_runtime(minor);
			fake_put_u32(&fake, RUNTIME + row->autotss_key - 4, 2);
			assert_int_equal(read_layout(minor, &layout), -EBADMSG);
		}
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
	for (unsigned minor = 13; minor <= LAYOUT_MINOR_LAST; minor++) {
		for (unsigned i = 0; i < 2 * ARRAY_SIZE(debug_offsets); i++) {
			uint16_t at = debug_offsets[i / 2].at[minor - 13];

			put_runtime(minor);
			if (i % 2)
				put_debug_offsets_free_threaded(&fake, RUNTIME, minor);
			fake_put_u64(&fake, RUNTIME + at, 1ULL << 32 | 8);
			/* What only free-threaded builds have, others are not asked for. */
			if (!at || (!(i % 2) && debug_offsets[i / 2].value[minor - 13] == 0 &&
				    debug_offsets[i / 2].free_threaded[minor - 13]))
				continue;
			assert_int_equal(read_layout(minor, &layout), -EBADMSG);
		}
	}
	assert_int_equal(read_version(0x030800f0, &layout), -ENOTSUP);
	assert_int_equal(read_version(0x031000f0, &layout), -ENOTSUP);
	assert_int_equal(read_version(0x040c00f0, &layout), -ENOTSUP);
}

static void unsupported_builds_have_a_reason(void **state)
{
	char reason[160];

	(void)state;
	assert_false(layout_is_unsupported(0x030902f0, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x030d05f0, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x030f02f0, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x030d00c1, reason, sizeof(reason)));
	assert_false(layout_is_unsupported(0x03090000, reason, sizeof(reason)));
	assert_true(layout_is_unsupported(0x031000f0, reason, sizeof(reason)));
	assert_string_equal(reason,
			    "CPython 3.16 is newer than this loophound knows (3.15 is the last), so its "
			    "loops, tasks and stacks cannot be read: it cannot be watched");
	assert_true(layout_is_unsupported(0x03081200, reason, sizeof(reason)));
	assert_true(layout_is_unsupported(0x02071200, reason, sizeof(reason)));
	assert_true(layout_is_unsupported(0x030d00a1, reason, sizeof(reason)));
	assert_true(strlen(reason) < sizeof(reason) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_as_documented),
		cmocka_unit_test(a_runtime_completes_the_row),
		cmocka_unit_test(on_musl_the_slot_is_found_by_a_thread),
		cmocka_unit_test(a_free_threaded_build_has_larger_objects),
		cmocka_unit_test(a_micro_release_says_what_moved),
		cmocka_unit_test(the_generations_are_where_their_lists_begin),
		cmocka_unit_test(asyncio_says_where_its_own_things_are),
		cmocka_unit_test(a_starting_interpreter_is_not_ready),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(unsupported_builds_have_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
