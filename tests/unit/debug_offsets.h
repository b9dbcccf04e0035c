/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What _Py_DebugOffsets of Debian's 3.13.5, 3.14.10 and 3.15.2 say, as far as it is used: where in the table,
 * and the value.  Read out of the section .PyRuntime of each.  Behind it the value of a free-threaded build: of 3.13.5
 * read likewise; of the others what gcc makes of their headers with Py_GIL_DISABLED.
 */
#ifndef DEBUG_OFFSETS_H
#define DEBUG_OFFSETS_H

#include "reader_fake.h"
#include "util.h"

static const struct {
	uint16_t at[3], value[3], free_threaded[3];
} debug_offsets[] = {
	{ { 40, 40, 40 }, { 632, 808, 936 }, { 632, 808, 936 } },        /* runtime_state.interpreters_head */
	{ { 56, 56, 56 }, { 7272, 7280, 7272 }, { 7272, 7280, 7272 } },  /* interpreter_state.id */
	{ { 64, 64, 64 }, { 7264, 7272, 7264 }, { 7264, 7272, 7264 } },  /* .next */
	{ { 72, 72, 72 }, { 7344, 7344, 7336 }, { 7344, 7344, 7336 } },  /* .threads_head */
	{ { 80, 88, 88 }, { 7400, 7408, 7400 }, { 7400, 7408, 7400 } },  /* .gc */
	{ { 88, 96, 96 }, { 7656, 7688, 7592 }, { 7664, 7712, 7592 } },  /* .imports_modules */
	{ { 112, 120, 120 }, { 16, 16, 16 }, { 16, 16, 16 } },           /* .ceval_gil */
	{ { 152, 176, 176 }, { 304, 832, 888 }, { 304, 832, 888 } },     /* thread_state.size */
	{ { 184, 208, 208 }, { 72, 72, 72 }, { 72, 72, 72 } },           /* .current_frame */
	{ { 192, 216, 240 }, { 152, 152, 176 }, { 152, 152, 176 } },     /* .thread_id */
	{ { 200, 224, 248 }, { 160, 160, 184 }, { 160, 160, 184 } },     /* .native_thread_id */
	{ { 232, 256, 320 }, { 8, 8, 8 }, { 8, 8, 8 } },                 /* interpreter_frame.previous */
	{ { 240, 264, 328 }, { 0, 0, 0 }, { 0, 0, 0 } },                 /* .executable */
	{ { 248, 272, 336 }, { 56, 56, 56 }, { 56, 56, 56 } },           /* .instr_ptr */
	{ { 256, 280, 344 }, { 72, 80, 80 }, { 72, 80, 80 } },           /* .localsplus */
	{ { 264, 288, 352 }, { 70, 74, 74 }, { 70, 78, 78 } },           /* .owner */
	{ { 280, 320, 384 }, { 112, 112, 112 }, { 128, 128, 128 } },     /* code_object.filename */
	{ { 288, 328, 392 }, { 120, 120, 120 }, { 136, 136, 136 } },     /* .name */
	{ { 296, 336, 400 }, { 128, 128, 128 }, { 144, 144, 144 } },     /* .qualname */
	{ { 304, 344, 408 }, { 136, 136, 136 }, { 152, 152, 152 } },     /* .linetable */
	{ { 312, 352, 416 }, { 68, 68, 68 }, { 84, 84, 84 } },           /* .firstlineno */
	{ { 344, 384, 448 }, { 200, 208, 208 }, { 216, 232, 232 } },     /* .co_code_adaptive */
	{ { 560, 640, 736 }, { 40, 40, 40 }, { 56, 56, 56 } },           /* unicode_object.asciiobject_size */
	{ { 0, 304, 368 }, { 0, 0, 0 }, { 0, 72, 72 } },           /* interpreter_frame.tlbc_index */
	{ { 0, 392, 456 }, { 0, 0, 0 }, { 0, 224, 224 } },         /* code_object.co_tlbc */
	{ { 576, 656, 760 }, { 200, 192, 112 }, { 200, 192, 112 } },     /* gc.collecting */
};

/* Nothing for a version that has no such table. */
static inline void put_debug_offsets(struct fake *fake, uint64_t runtime_addr, unsigned minor)
{
	for (unsigned i = 0; minor >= 13 && i < ARRAY_SIZE(debug_offsets); i++)
		if (debug_offsets[i].at[minor - 13])
			fake_put_u64(fake, runtime_addr + debug_offsets[i].at[minor - 13],
			     debug_offsets[i].value[minor - 13]);
}

static inline void put_debug_offsets_free_threaded(struct fake *fake, uint64_t runtime_addr, unsigned minor)
{
	for (unsigned i = 0; i < ARRAY_SIZE(debug_offsets); i++)
		if (debug_offsets[i].at[minor - 13])
			fake_put_u64(fake, runtime_addr + debug_offsets[i].at[minor - 13],
				     debug_offsets[i].free_threaded[minor - 13]);
	fake_put_u64(fake, runtime_addr + 16, 1); /* free_threaded */
}

#endif
