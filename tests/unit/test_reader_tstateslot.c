/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Thread-local variables in all ways that linkers know, as the getter's instructions tell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "reader_fake.h"
#include "tstateslot.h"
#include "util.h"

#define GETTER	(FAKE_BASE + 0x1000)
#define GOT	(FAKE_BASE + 0x2000)
#define DTV	(FAKE_BASE + 0x3000)
#define FS_BASE (FAKE_BASE + 0x8000)
#define BLOCK	(FS_BASE - 0x80) /* the module's part of the static block */
#define TSTATE	(FAKE_BASE + 0x9000)
#define MODULE	3

static struct fake fake;

static int find(int32_t *slot)
{
	const struct tstateslot_thread thread = { .fs_base = FS_BASE, .tstate_addr = TSTATE };

	return tstateslot_of_variable(&fake.mem, GETTER, &thread, slot);
}

/* The instructions, with the distance from behind the displacement at byte `at` to the GOT put there. */
static void put_getter(const char *code, size_t bytes, size_t at)
{
	fake_reset(&fake);
	fake_put(&fake, GETTER, code, bytes);
	if (at)
		fake_put_u32(&fake, GETTER + at, (uint32_t)(GOT - (GETTER + at + 4)));
	fake_put_u64(&fake, FS_BASE + 8, DTV);
	fake_put_u64(&fake, DTV + 16 * MODULE, BLOCK);
}
#define PUT(code, at) put_getter(code, sizeof(code) - 1, at)

static const char constant[] = "\xf3\x0f\x1e\xfa\x64\x48\x8b\x04\x25\xd8\xff\xff\xff\xc3";
/* Of Debian's libpython3.15.so.1.0, gcc 15 with -O2 -fPIC: local-dynamic. */
static const char library[] = "\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x48\x8d\x3d\0\0\0\0\xe8\0\0\0\0\x5d"
			      "\x48\x8b\x80\x28\0\0\0\xc3";
/* general-dynamic, padded as the psABI has it, without a frame pointer */
static const char padded[] = "\x48\x83\xec\x08\x66\x48\x8d\x3d\0\0\0\0\x66\x66\x48\xe8\0\0\0\0"
			     "\x48\x83\xc4\x08\x48\x8b\x00\xc3";
static const char short_step[] = "\x55\x48\x89\xe5\x48\x8d\x3d\0\0\0\0\xff\x15\0\0\0\0\x5d\x48\x8b\x40\x10\xc3";
static const char through_got[] = "\xf3\x0f\x1e\xfa\x48\x8b\x05\0\0\0\0\x64\x48\x8b\x00\xc3";

static void an_executable_has_a_constant(void **state)
{
	int32_t slot = 0;

	(void)state;
	PUT(constant, 0);
	fake_put_u64(&fake, FS_BASE - 40, TSTATE);
	assert_int_equal(find(&slot), 0);
	assert_int_equal(slot, -40);
	PUT(through_got, 7);
	fake_put_u64(&fake, GOT, (uint64_t)-64);
	fake_put_u64(&fake, FS_BASE - 64, TSTATE);
	assert_int_equal(find(&slot), 0);
	assert_int_equal(slot, -64);
}

static void a_library_has_a_place_in_its_modules_block(void **state)
{
	static const struct {
		const char *code;
		size_t bytes, at;
		int displacement;
	} ways[] = {
		{ library, sizeof(library) - 1, 11, 0x28 },
		{ padded, sizeof(padded) - 1, 8, 0 },
		{ short_step, sizeof(short_step) - 1, 7, 0x10 },
	};
	int32_t slot;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		put_getter(ways[i].code, ways[i].bytes, ways[i].at);
		fake_put_u64(&fake, GOT, MODULE);
		fake_put_u64(&fake, GOT + 8, 8);
		fake_put_u64(&fake, BLOCK + 8 + ways[i].displacement, TSTATE);
		slot = 0;
		assert_int_equal(find(&slot), 0);
		assert_int_equal(slot, -0x80 + 8 + ways[i].displacement);
		/* Loaded late: each thread has it somewhere else. */
		fake_put_u64(&fake, DTV + 16 * MODULE, FS_BASE + 0x400);
		assert_int_equal(find(&slot), -ENOTSUP);
		fake_put_u64(&fake, GOT, 1ULL << 40);
		assert_int_equal(find(&slot), -ENOTSUP);
		fake_put_u64(&fake, GOT, 0);
		assert_int_equal(find(&slot), -ENOTSUP);
	}
}

static void what_leads_to_no_thread_state_is_not_believed(void **state)
{
	const struct tstateslot_thread thread = { .fs_base = FS_BASE, .tstate_addr = TSTATE };
	int32_t slot = 0;

	(void)state;
	PUT(constant, 0);
	assert_int_equal(find(&slot), -EAGAIN); /* not set yet */
	fake_put_u64(&fake, FS_BASE - 40, TSTATE + 8);
	assert_int_equal(find(&slot), -ENOTSUP);
	assert_int_equal(tstateslot_of_variable(&fake.mem, 0, &thread, &slot), -ENOTSUP);
	assert_int_equal(tstateslot_of_variable(&fake.mem, 64, &thread, &slot), -EFAULT);
	assert_int_equal(slot, 0);
}

/* Whatever the bytes are: an answer, and no more reads than the longest way has. */
static void any_instructions_are_safe(void **state)
{
	int32_t slot;

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		PUT(library, 11);
		for (unsigned n = 0; n < 1 + i % 3; n++)
			fake_put(&fake, GETTER + (uint64_t)(rand() % 30), &(char){ (char)rand() }, 1);
		slot = 0;
		assert_int_not_equal(find(&slot), 0);
		assert_in_range(fake.nr_reads, 1, 5);
		assert_int_equal(slot, 0);
	}
	fake_reset(&fake);
	memset(fake.bytes + (GETTER - FAKE_BASE), 0x66, 64);
	assert_int_equal(find(&slot), -ENOTSUP);
}

static void a_key_leads_into_the_threads_block(void **state)
{
	int32_t slot = 0;

	(void)state;
	fake_reset(&fake);
	assert_int_equal(tstateslot_of_key(&fake.mem, GETTER + 4, &slot), -EAGAIN);
	fake_put_u32(&fake, GETTER, 1);
	fake_put_u32(&fake, GETTER + 4, 2);
	assert_int_equal(tstateslot_of_key(&fake.mem, GETTER + 4, &slot), 0);
	assert_int_equal(slot, 0x310 + 16 * 2 + 8);
	fake_put_u32(&fake, GETTER + 4, 32);
	assert_int_equal(tstateslot_of_key(&fake.mem, GETTER + 4, &slot), -EBADMSG);
}

/* musl: a pointer to the values, at 128 from the FS base in 1.2.3. */
static void a_key_of_musl_leads_behind_a_pointer(void **state)
{
	const struct tstateslot_thread thread = { .fs_base = FS_BASE, .tstate_addr = TSTATE };
	int32_t slot = 0;

	(void)state;
	fake_reset(&fake);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), -EAGAIN);
	fake_put_u32(&fake, GETTER, 1);
	fake_put_u32(&fake, GETTER + 4, 127);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), -ENOTSUP);
	fake_put_u64(&fake, FS_BASE + 112, 0xdead0000); /* pointers that lead elsewhere */
	fake_put_u64(&fake, FS_BASE + 120, GOT);
	fake_put_u64(&fake, FS_BASE + 128, DTV);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), -EAGAIN);
	fake_put_u64(&fake, DTV + 8 * 127, TSTATE + 8);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), -ENOTSUP);
	assert_int_equal(slot, 0);
	fake_put_u64(&fake, DTV + 8 * 127, TSTATE);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), 0);
	assert_int_equal(slot, 128 << 16 | 8 * 127);
	/* Of another version. */
	fake_put_u64(&fake, FS_BASE + 128, 0);
	fake_put_u64(&fake, FS_BASE + 176, DTV);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), 0);
	assert_int_equal(slot, 176 << 16 | 8 * 127);
	fake_put_u32(&fake, GETTER + 4, 128);
	assert_int_equal(tstateslot_of_musl_key(&fake.mem, GETTER + 4, &thread, &slot), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_executable_has_a_constant),
		cmocka_unit_test(a_library_has_a_place_in_its_modules_block),
		cmocka_unit_test(what_leads_to_no_thread_state_is_not_believed),
		cmocka_unit_test(any_instructions_are_safe),
		cmocka_unit_test(a_key_leads_into_the_threads_block),
		cmocka_unit_test(a_key_of_musl_leads_behind_a_pointer),
	};

	return cmocka_run_group_tests_name("reader_tstateslot", tests, NULL, NULL);
}
