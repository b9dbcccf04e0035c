/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel half's reading of CPython, compiled for the host: bpf/pystack.bpf.c as it is, over a fake
 * memory of a few ranges.  What is outside of them fails as a wild pointer does in the kernel.
 *
 * The fake Python in it is built by the layout table of the reader, which its own test compares with
 * the documented numbers.
 */
#ifndef BPF_HOST_H
#define BPF_HOST_H

#define BPF_HOST
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif

#include "events.h"
#include "pyhash.h"
#include "scratch.h"

/* In the place of the headers that need BPF. */
#define MAPS_BPF_H
#define PYSTACK_BPF_H
int py_step(struct scratch *s);
int py_dict_step(struct scratch *s);
int py_steps(struct scratch *s);
int py_dict_steps(struct scratch *s);
int py_walk(struct scratch *s, u32 target_id);
int py_running_loop(struct scratch *s);
int py_is_run_once(struct scratch *s, u32 index);
int py_find_run_once(struct scratch *s, u32 from, u32 end);
int py_wait_kind(struct scratch *s, u32 is_in_wait);
int py_runner_kind(struct scratch *s, u32 index);
int py_runner_kinds(struct scratch *s, u32 first);
int py_find_runner(struct scratch *s);
int py_own_wait_kind(struct scratch *s, u32 target_id);
int py_loop_by_frames(struct scratch *s, u32 target_id, u32 is_in_wait);
int py_is_in_callback(struct scratch *s, u32 kind);
#include "../../bpf/pystack.bpf.c"

#ifndef BPF_HOST_MEMORY_ELSEWHERE

#include "layout.h"

/* ---- memory ---- */

#define FAKE_RANGES 4096
#define FAKE_FIRST  0x7f0000000000ULL
#define FAKE_GAP    64 /* between ranges: a read past an end fails */

static struct fake_range {
	u64 addr;
	u32 size;
	u8 *bytes;
} fake_ranges[FAKE_RANGES];
static unsigned fake_nr_ranges, fake_nr_reads;
static u64 fake_next;

static inline void fake_reset(void)
{
	while (fake_nr_ranges)
		free(fake_ranges[--fake_nr_ranges].bytes);
	fake_next = FAKE_FIRST;
	fake_nr_reads = 0;
}

/* Maps size zero bytes at addr. */
static inline void fake_map(u64 addr, u32 size)
{
	struct fake_range *range = &fake_ranges[fake_nr_ranges++];

	if (fake_nr_ranges > FAKE_RANGES)
		abort();
	*range = (struct fake_range){ addr, size, calloc(1, size) };
	if (!range->bytes)
		abort();
}

/* Maps size zero bytes somewhere, aligned as malloc() does. */
static inline u64 fake_alloc(u32 size)
{
	u64 addr = fake_next;

	fake_map(addr, size);
	fake_next = (addr + size + FAKE_GAP + 15) & ~15ULL;
	return addr;
}

static inline u8 *fake_at(u64 addr, u64 size)
{
	for (unsigned i = fake_nr_ranges; i-- > 0;) {
		const struct fake_range *range = &fake_ranges[i];

		if (addr >= range->addr && addr - range->addr <= range->size &&
		    size <= range->size - (addr - range->addr))
			return range->bytes + (addr - range->addr);
	}
	return NULL;
}

int host_read_user(void *to, __u32 size, __u64 addr)
{
	const u8 *from = fake_at(addr, size);

	fake_nr_reads++;
	if (!from)
		return -14;
	memcpy(to, from, size);
	return 0;
}

static inline void fake_put(u64 addr, const void *data, u32 size)
{
	u8 *at = fake_at(addr, size);

	if (!at)
		abort(); /* the test itself is wrong */
	memcpy(at, data, size);
}

static inline void fake_put64(u64 addr, u64 value)
{
	fake_put(addr, &value, sizeof(value));
}

static inline void fake_put32(u64 addr, u32 value)
{
	fake_put(addr, &value, sizeof(value));
}

static inline void fake_put8(u64 addr, u8 value)
{
	fake_put(addr, &value, sizeof(value));
}

/* The range that begins at addr loses its last bytes. */
static inline void fake_shorten(u64 addr, u32 size)
{
	for (unsigned i = 0; i < fake_nr_ranges; i++)
		if (fake_ranges[i].addr == addr)
			fake_ranges[i].size = size;
}

/* ---- a Python ---- */

#define FAKE_FS_BASE	   0x7e0000001000ULL
#define FAKE_SLOT	   (0x310 + 8)
#define FAKE_TSTATE_BYTES  1104
#define FAKE_FRAME_BYTES   128
#define FAKE_CODE_BYTES	   256
#define FAKE_FREE	   3 /* LAYOUT_MINOR_LAST and so many more are free-threaded: FAKE_FREE less, 3.13t to 3.15t */
#define FAKE_TRACEABLE	   3 /* code units before the first traceable one */
/* Every layout: what fake_python() takes.  Of the version itself ask fake_layout.minor. */
#define FAKE_MINORS(m)	   (unsigned m = LAYOUT_MINOR_FIRST; m <= LAYOUT_MINOR_LAST + FAKE_FREE; m++)

static struct scratch fake_scratch;
static struct py_layout fake_layout;

/* Where members of an object are counted from. */
static inline u64 fake_in(u64 object)
{
	return pyobject(&fake_layout, object);
}

/* Room for an object that takes so many bytes in a build with the GIL. */
static inline u64 fake_object_alloc(u32 size)
{
	return fake_alloc(size + fake_layout.object_shift);
}

/* The state of a str, as builds with the GIL have it; by hand: 3.14t has it from byte 49 on. */
static inline void fake_put_state(u64 str, u32 state)
{
	if (fake_layout.object_shift && fake_layout.minor >= 14)
		fake_put32(str + 49, state >> 2);
	else
		fake_put32(fake_in(str) + 32, state);
}

static inline u64 fake_str(const char *text)
{
	u32 len = (u32)strlen(text);
	u64 addr = fake_alloc(fake_layout.str_ascii_data + len + 1);

	fake_put64(fake_in(addr) + 16, len);
	fake_put(addr + fake_layout.str_ascii_data, text, len);
	return addr;
}

static inline u64 fake_code(const char *name, s32 line, u32 flags)
{
	const struct py_layout *l = &fake_layout;
	u64 addr = fake_alloc(FAKE_CODE_BYTES);

	fake_put32(addr + l->code_firstlineno, (u32)line);
	fake_put32(addr + l->code_flags, flags);
	fake_put64(addr + l->code_name, fake_str(name));
	fake_put64(addr + l->code_filename, fake_object_alloc(64));
	fake_put64(addr + l->code_linetable, fake_object_alloc(64));
	if (l->code_firsttraceable)
		fake_put32(addr + l->code_firsttraceable, FAKE_TRACEABLE);
	return addr;
}

static inline void fake_set_offset(u64 frame, u64 code, s32 offset_bytes)
{
	const struct py_layout *l = &fake_layout;

	if (l->instr_scale) /* f_lasti is -1 before the start, whatever its unit */
		fake_put32(frame + l->frame_instr,
			   (u32)(offset_bytes < 0 ? -1 : offset_bytes / l->instr_scale));
	else
		fake_put64(frame + l->frame_instr,
			   code + l->code_bytecode + (u64)(s64)offset_bytes);
}

static inline u64 fake_frame(u64 code, s32 offset_bytes, u8 owner, u64 back)
{
	const struct py_layout *l = &fake_layout;
	u64 addr = fake_alloc(FAKE_FRAME_BYTES);

	fake_put64(addr + l->frame_code, code);
	fake_put64(addr + l->frame_back, back);
	if (l->frame_owner)
		fake_put8(addr + l->frame_owner, owner);
	fake_set_offset(addr, code, offset_bytes);
	return addr;
}

/* A thread whose innermost frame is this one. */
static inline void fake_set_frame(u64 frame)
{
	const struct py_layout *l = &fake_layout;
	u64 tstate = fake_scratch.tstate_addr, cframe;

	if (l->has_cframe) {
		cframe = fake_alloc(32);
		fake_put64(tstate + l->tstate_frame, cframe);
		fake_put64(cframe + l->cframe_frame, frame);
	} else {
		fake_put64(tstate + l->tstate_frame, frame);
	}
}

/* What _Py_DebugOffsets of such a build tell; by the headers with Py_GIL_DISABLED. */
static inline void fake_free_threaded(unsigned minor)
{
	struct layout_row row = *layout_find(minor);
	struct py_layout *l = &row.py;

	layout_free_threaded(&row);
	l->code_firstlineno += 16;
	l->code_filename += 16;
	l->code_name += 16;
	l->code_qualname += 16;
	l->code_linetable += 16;
	l->code_bytecode = minor == 13 ? 216 : 232;
	l->str_ascii_data += 16;
	if (minor >= 14) {
		l->frame_owner = 78;
		l->frame_tlbc = 72;
		l->code_tlbc = 224;
	}
	fake_layout = *l;
}

/* An empty memory with one thread of such a Python, ready to be walked. */
static inline struct scratch *fake_python(unsigned minor)
{
	u64 tstate;

	fake_reset();
	if (minor > LAYOUT_MINOR_LAST)
		fake_free_threaded(minor - FAKE_FREE);
	else
		fake_layout = layout_find(minor)->py;
	fake_layout.tstate_slot = FAKE_SLOT;
	fake_layout.valid = 1;
	fake_map(FAKE_FS_BASE, FAKE_SLOT + 8);
	tstate = fake_alloc(FAKE_TSTATE_BYTES);
	fake_put64(FAKE_FS_BASE + FAKE_SLOT, tstate);
	fake_put64(tstate + fake_layout.tstate_thread_id, FAKE_FS_BASE);
	memset(&fake_scratch, 0xa5, sizeof(fake_scratch)); /* it is never cleared between walks */
	fake_scratch.layout = fake_layout;
	fake_scratch.tstate_addr = tstate;
	return &fake_scratch;
}

#endif /* BPF_HOST_MEMORY_ELSEWHERE */
#endif
