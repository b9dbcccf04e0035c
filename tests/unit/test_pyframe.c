/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel half's walk of Python frames, over fake memory of every supported layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"

#include <cmocka.h>

#define TARGET_ID 7

/* Frames by number, innermost is 0; [i] runs codes[i] at 10 + 2 i. Returns the innermost. */
static u64 build_chain(unsigned nr, u64 *codes, u64 *frames)
{
	u64 frame = 0;

	for (unsigned i = nr; i-- > 0;) {
		u64 code = fake_code("f", (s32)(100 + i), PY_CO_OPTIMIZED);

		frame = fake_frame(code, (s32)(10 + 2 * i), 0, frame);
		codes[i] = code;
		frames[i] = frame;
	}
	fake_set_frame(frame);
	return frame;
}

static u32 fingerprint_of(u64 code, s32 line)
{
	const struct py_layout *l = &fake_layout;

	return py_code_fingerprint(line, read_user_u64(code + l->code_filename),
				   read_user_u64(code + l->code_name),
				   read_user_u64(code + l->code_linetable));
}

static void assert_walk(struct scratch *s, u32 status, u32 flags, u32 nr)
{
	assert_int_equal(py_walk(s, TARGET_ID), 0);
	assert_int_equal(s->status, status);
	assert_int_equal(s->flags, flags);
	assert_int_equal(s->nr, nr);
}

/* ---- the thread ---- */

static void the_thread_state_is_found_through_the_slot(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		u64 tstate = s->tstate_addr;

		s->tstate_addr = 0;
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), 0);
		assert_int_equal(s->tstate_addr, tstate);
	}
}

static void an_empty_slot_is_no_thread_state(void **state)
{
	(void)state;
	struct scratch *s = fake_python(11);

	fake_put64(FAKE_FS_BASE + FAKE_SLOT, 0);
	assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), -1);
	assert_int_equal(s->status, STACK_NO_THREAD_STATE);
	s->status = STACK_OK;
	assert_int_equal(pyframe_thread(s, 0x1000), -1);
	assert_int_equal(s->status, STACK_NO_THREAD_STATE);
	assert_int_equal(pyframe_thread(s, ~0ULL), -1);
}

static void the_state_of_another_thread_is_refused(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		fake_put64(s->tstate_addr + fake_layout.tstate_thread_id, FAKE_FS_BASE + 8);
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), -1);
		assert_int_equal(s->status, STACK_BAD_THREAD_STATE);
		fake_put64(FAKE_FS_BASE + FAKE_SLOT, 0xdead0000);
		assert_int_equal(pyframe_thread(s, FAKE_FS_BASE), -1);
		assert_int_equal(s->status, STACK_BAD_THREAD_STATE);
	}
}

/* ---- whole walks ---- */

static void frames_are_read_innermost_first(void **state)
{
	(void)state;
	u64 codes[5], frames[5];

	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		build_chain(5, codes, frames);
		assert_walk(s, STACK_OK, 0, 5);
		for (unsigned i = 0; i < 5; i++) {
			assert_int_equal(s->frames[i].code_addr, codes[i]);
			assert_int_equal(s->frames[i].offset_bytes, 10 + 2 * i);
			assert_int_equal(s->frames[i].fingerprint,
					 fingerprint_of(codes[i], (s32)(100 + i)));
			assert_int_equal(s->frame_addrs[i], frames[i]);
		}
	}
}

static void a_thread_without_frames_has_an_empty_stack(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		fake_set_frame(0);
		assert_walk(s, STACK_OK, 0, 0);
	}
	/* No _PyCFrame at all. */
	struct scratch *s = fake_python(11);

	assert_walk(s, STACK_OK, 0, 0);
}

static void the_offset_is_in_bytes_whatever_the_version_keeps(void **state)
{
	(void)state;
	/* As in the target's memory for byte 10, by hand: CPYTHON.md 3.2 and 8. */
	static const struct {
		unsigned minor;
		u64 instr_at, from_code;
		u32 lasti;
	} kept[] = {
		{ 9, 104, 0, 10 }, { 10, 96, 0, 5 },  { 11, 56, 184, 0 },
		{ 12, 56, 192, 0 }, { 13, 56, 200, 0 },
	};

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct scratch *s = fake_python(kept[i].minor);
		u64 code = fake_code("f", 1, PY_CO_OPTIMIZED), frame = fake_frame(code, 0, 0, 0);

		if (kept[i].from_code) {
			fake_put64(frame + kept[i].instr_at, code + kept[i].from_code + 10);
		} else {
			fake_put32(frame + kept[i].instr_at, kept[i].lasti);
			fake_put32(frame + kept[i].instr_at + 4, 0xffffffff); /* another member */
		}
		fake_set_frame(frame);
		assert_walk(s, STACK_OK, 0, 1);
		assert_int_equal(s->frames[0].offset_bytes, 10);
	}
}

static void a_frame_that_has_not_started_says_minus_one(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		u64 code = fake_code("f", 1, PY_CO_OPTIMIZED);
		u64 outer = fake_frame(code, 20, 0, 0);
		u64 first = fake_frame(code, 2 * FAKE_TRACEABLE, 0, outer);
		/* Before 3.11: f_lasti is -1; later: before the first traceable instruction. */
		u64 inner = fake_frame(code, minor < 11 ? -1 : 2 * FAKE_TRACEABLE - 2, 0, first);

		fake_set_frame(inner);
		assert_walk(s, STACK_OK, 0, 3);
		assert_int_equal(s->frames[0].offset_bytes, -1);
		assert_int_equal(s->frames[1].offset_bytes, 2 * FAKE_TRACEABLE);
		assert_int_equal(s->frames[2].offset_bytes, 20);
		if (minor >= 11) { /* prev_instr of a fresh frame is one before its code */
			fake_set_offset(inner, code, -2);
			assert_walk(s, STACK_OK, 0, 3);
			assert_int_equal(s->frames[0].offset_bytes, -1);
		}
	}
}

static void a_generator_frame_runs_wherever_it_is(void **state)
{
	(void)state;
	for (unsigned minor = 11; minor <= LAYOUT_MINOR_LAST + FAKE_FREE; minor++) {
		struct scratch *s = fake_python(minor);
		u64 code = fake_code("g", 1, 0x20 | PY_CO_OPTIMIZED);

		fake_set_frame(fake_frame(code, 2, FRAME_OWNED_BY_GENERATOR, 0));
		assert_walk(s, STACK_OK, 0, 1);
		assert_int_equal(s->frames[0].offset_bytes, 2);
		fake_set_frame(fake_frame(code, 2, 0, 0));
		assert_walk(s, STACK_OK, 0, 1);
		assert_int_equal(s->frames[0].offset_bytes, -1);
	}
}

static void shims_are_stepped_over(void **state)
{
	(void)state;
	for (unsigned minor = 12; minor <= LAYOUT_MINOR_LAST + FAKE_FREE; minor++) {
		struct scratch *s = fake_python(minor);
		u64 code = fake_code("f", 1, PY_CO_OPTIMIZED);
		u8 owner = fake_layout.minor < 14 ? FRAME_RUNS_NO_CODE : FRAME_RUNS_NO_CODE + 1;
		u64 outer = fake_frame(code, 30, 0, fake_frame(0, 0, owner, 0));
		/* What a shim runs is no code object. */
		u64 shim = fake_frame(0xdeadbeef, 0, FRAME_RUNS_NO_CODE, outer);
		u64 inner = fake_frame(code, 20, 0, shim);

		fake_set_frame(fake_frame(0, 0, FRAME_RUNS_NO_CODE, inner));
		assert_walk(s, STACK_OK, 0, 2);
		assert_int_equal(s->frames[0].offset_bytes, 20);
		assert_int_equal(s->frames[1].offset_bytes, 30);
		assert_int_equal(s->frame_addrs[1], outer);
	}
}

/* 3.14+: a reference that is borrowed or does not count says so in its low bits. */
static void tags_of_a_reference_are_no_address(void **state)
{
	(void)state;
	for (unsigned minor = 14; minor <= LAYOUT_MINOR_LAST + FAKE_FREE; minor++) {
		struct scratch *s = fake_python(minor);
		u64 code = fake_code("f", 1, PY_CO_OPTIMIZED);
		u64 frame = fake_frame(code, 30, 0, 0);

		fake_put64(frame + fake_layout.frame_code, code | 1);
		fake_set_frame(frame);
		assert_walk(s, STACK_OK, 0, 1);
		assert_int_equal(s->frames[0].code_addr, code);
		assert_int_equal(s->frames[0].offset_bytes, 30);
	}
}

/* ---- deep and endless ones ---- */

static void frames_beyond_the_bound_are_cut_and_flagged(void **state)
{
	(void)state;
	u64 codes[EV_MAX_FRAMES + 1], frames[EV_MAX_FRAMES + 1];

	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		build_chain(EV_MAX_FRAMES, codes, frames);
		assert_walk(s, STACK_OK, 0, EV_MAX_FRAMES);
		assert_int_equal(s->frames[EV_MAX_FRAMES - 1].code_addr, codes[EV_MAX_FRAMES - 1]);
		s = fake_python(minor);
		build_chain(EV_MAX_FRAMES + 1, codes, frames);
		assert_walk(s, STACK_OK, STACK_TRUNCATED, EV_MAX_FRAMES);
		assert_int_equal(s->frames[EV_MAX_FRAMES - 1].code_addr, codes[EV_MAX_FRAMES - 1]);
		assert_int_equal(s->frames[0].code_addr, codes[0]);
	}
}

static void a_cycle_ends(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);
		u64 code = fake_code("f", 1, PY_CO_OPTIMIZED);
		u64 one = fake_frame(code, 10, 0, 0), two = fake_frame(code, 12, 0, one);

		fake_put64(one + fake_layout.frame_back, one);
		fake_set_frame(one);
		assert_walk(s, STACK_OK, STACK_TRUNCATED, EV_MAX_FRAMES);
		fake_put64(one + fake_layout.frame_back, two);
		assert_walk(s, STACK_OK, STACK_TRUNCATED, EV_MAX_FRAMES);
		assert_int_equal(s->frames[EV_MAX_FRAMES - 1].offset_bytes, 12);
		assert_in_range(fake_nr_reads, 4 * EV_MAX_FRAMES, 4 * EV_MAX_FRAMES + 8);
	}
}

static void a_cycle_of_shims_ends(void **state)
{
	(void)state;
	struct scratch *s = fake_python(13);
	u64 shim = fake_frame(0, 0, FRAME_RUNS_NO_CODE, 0);

	fake_put64(shim + fake_layout.frame_back, shim);
	fake_set_frame(shim);
	fake_nr_reads = 0;
	assert_walk(s, STACK_OK, STACK_TRUNCATED, 0);
	assert_in_range(fake_nr_reads, 1, 2 * EV_MAX_FRAMES + 2);
}

/* ---- broken memory ---- */

static void a_frame_that_cannot_be_read_ends_the_walk(void **state)
{
	(void)state;
	static const u64 wild[] = { 4, 8, 0xdead0000, 0xffff888000000000ULL, ~7ULL };
	u64 codes[3], frames[3];

	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		build_chain(3, codes, frames);
		for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
			fake_put64(frames[1] + fake_layout.frame_back, wild[i]);
			assert_walk(s, STACK_BAD_FRAME, 0, 2);
			assert_int_equal(s->frames[1].code_addr, codes[1]);
		}
		/* Readable, but no frame. */
		fake_put64(frames[1] + fake_layout.frame_back, frames[2] + 4);
		assert_walk(s, STACK_BAD_FRAME, 0, 2);
		fake_put64(frames[1] + fake_layout.frame_back, frames[2]);
		fake_shorten(frames[2], (minor < 11 ? FRAME_BYTES_OLD : FRAME_BYTES) - 1);
		assert_walk(s, STACK_BAD_FRAME, 0, 2);
		fake_set_frame(0xdead0000);
		assert_walk(s, STACK_BAD_FRAME, 0, 0);
	}
}

static void a_torn_frame_with_a_wild_code_pointer_ends_the_walk(void **state)
{
	(void)state;
	u64 codes[3], frames[3];

	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		build_chain(3, codes, frames);
		fake_put64(frames[1] + fake_layout.frame_code, 0x0123456789abcdefULL);
		assert_walk(s, STACK_BAD_CODE, 0, 1);
		fake_put64(frames[1] + fake_layout.frame_code, 0);
		assert_walk(s, STACK_BAD_CODE, 0, 1);
		fake_put64(frames[1] + fake_layout.frame_code, codes[1]);
		fake_shorten(codes[1], (minor > LAYOUT_MINOR_LAST ?
						(fake_layout.minor < 14 ? CODE_BYTES_FREE : CODE_BYTES_FREE_314) :
					minor < 11 ? CODE_BYTES_OLD :
					minor < 14 ? CODE_BYTES : CODE_BYTES_314) - 1);
		assert_walk(s, STACK_BAD_CODE, 0, 1);
	}
}

static void an_instruction_far_beyond_its_code_ends_the_walk(void **state)
{
	(void)state;
	u64 codes[2], frames[2], first;

	for (unsigned minor = 11; minor <= LAYOUT_MINOR_LAST + FAKE_FREE; minor++) {
		struct scratch *s = fake_python(minor);

		build_chain(2, codes, frames);
		first = codes[1] + fake_layout.code_bytecode;
		fake_put64(frames[1] + fake_layout.frame_instr, first + 0x80000000ULL);
		assert_walk(s, STACK_BAD_CODE, 0, 1);
		fake_put64(frames[1] + fake_layout.frame_instr, first + 0x7fffffffULL);
		assert_walk(s, STACK_OK, 0, 2);
		assert_int_equal(s->frames[1].offset_bytes, 0x7fffffff);
		fake_put64(frames[1] + fake_layout.frame_instr, 0);
		assert_walk(s, STACK_OK, 0, 2);
		assert_int_equal(s->frames[1].offset_bytes, -1);
	}
}

/* ---- the hash ---- */

static void the_hash_tells_stacks_apart(void **state)
{
	(void)state;
	u64 codes[2], frames[2], hash;

	for FAKE_MINORS(minor) {
		struct scratch *s = fake_python(minor);

		build_chain(2, codes, frames);
		assert_walk(s, STACK_OK, 0, 2);
		hash = s->hash;
		assert_walk(s, STACK_OK, 0, 2);
		assert_int_equal(s->hash, hash);
		py_walk(s, TARGET_ID + 1);
		assert_int_not_equal(s->hash, hash);
		fake_set_offset(frames[0], codes[0], 40);
		py_walk(s, TARGET_ID);
		assert_int_not_equal(s->hash, hash);
		fake_set_offset(frames[0], codes[0], 10);
		fake_put32(codes[1] + fake_layout.code_firstlineno, 5);
		py_walk(s, TARGET_ID);
		assert_int_not_equal(s->hash, hash);
		fake_put32(codes[1] + fake_layout.code_firstlineno, 101);
		py_walk(s, TARGET_ID);
		assert_int_equal(s->hash, hash);
		fake_set_frame(frames[1]);
		py_walk(s, TARGET_ID);
		assert_int_not_equal(s->hash, hash);
	}
}

static int forget(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thread_state_is_found_through_the_slot),
		cmocka_unit_test(an_empty_slot_is_no_thread_state),
		cmocka_unit_test(the_state_of_another_thread_is_refused),
		cmocka_unit_test(frames_are_read_innermost_first),
		cmocka_unit_test(a_thread_without_frames_has_an_empty_stack),
		cmocka_unit_test(the_offset_is_in_bytes_whatever_the_version_keeps),
		cmocka_unit_test(a_frame_that_has_not_started_says_minus_one),
		cmocka_unit_test(a_generator_frame_runs_wherever_it_is),
		cmocka_unit_test(shims_are_stepped_over),
		cmocka_unit_test(tags_of_a_reference_are_no_address),
		cmocka_unit_test(frames_beyond_the_bound_are_cut_and_flagged),
		cmocka_unit_test(a_cycle_ends),
		cmocka_unit_test(a_cycle_of_shims_ends),
		cmocka_unit_test(a_frame_that_cannot_be_read_ends_the_walk),
		cmocka_unit_test(a_torn_frame_with_a_wild_code_pointer_ends_the_walk),
		cmocka_unit_test(an_instruction_far_beyond_its_code_ends_the_walk),
		cmocka_unit_test(the_hash_tells_stacks_apart),
	};

	return cmocka_run_group_tests_name("pyframe", tests, NULL, forget);
}
