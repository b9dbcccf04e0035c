/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Walks the Python frames of a thread with a layout table: innermost first, two reads a frame.
 *
 * Works on struct scratch only, so that each function can be verified by itself (a global function
 * of BPF) and run on the host by tests.  The memory is hostile: every address is only ever handed
 * to read_user(), every index is masked, every loop has a fixed bound; a cycle ends at
 * EV_MAX_FRAMES.
 *
 * Where the numbers come from: struct py_layout, which the reader fills (user/reader/layout.c).
 */
#ifndef PYFRAME_H
#define PYFRAME_H

#include "pymem.h"

/*
 * The verifier goes through every round of a loop.  Of a long one a function does some rounds, and is verified
 * once; another calls it: so it walks the sum of both, and not their product.
 */
#define FRAMES_AT_ONCE 16
_Static_assert(EV_MAX_FRAMES % FRAMES_AT_ONCE == 0, "no round is left over");

#define FRAME_OWNED_BY_GENERATOR 1
/*
 * 3.12, 3.13: FRAME_OWNED_BY_CSTACK, a shim at each entry from C; 3.14+: FRAME_OWNED_BY_INTERPRETER for
 * that, and 4 for the C stack (Include/internal/pycore_interpframe_structs.h).  None of them runs code.
 */
#define FRAME_RUNS_NO_CODE 3

/*
 * 3.14+: what a frame holds are references with tags in their low bits (Include/internal/
 * pycore_stackref.h), which no address has, in any version.
 */
#define PY_REF_TAGS 7ULL

#define PY_CO_COROUTINE 0x80

/* PyBytesObject. */
#define PYBYTES_SIZE 16
#define PYBYTES_DATA 32

/* Bytes of a frame that hold all fields read: 3.9, 3.10: up to f_lasti; later: up to owner. */
#define FRAME_BYTES_OLD 112
#define FRAME_BYTES	80
/* Bytes of a code object likewise, up to _co_firsttraceable or co_tlbc; the smallest code object is longer. */
#define CODE_BYTES_OLD	    144
#define CODE_BYTES	    192
#define CODE_BYTES_314	    200
#define CODE_BYTES_FREE	    208 /* free-threaded */
#define CODE_BYTES_FREE_314 232

/* struct _PyCodeArray, Include/internal/pycore_code.h: size, then a pointer to each copy of the bytecode. */
#define TLBC_SIZE    0
#define TLBC_ENTRIES 8

static __always_inline u64 scratch_u64(const u8 *bytes, u32 offset)
{
	return *(const u64 *)(bytes + (offset & 0xf8));
}

static __always_inline u32 scratch_u32(const u8 *bytes, u32 offset)
{
	return *(const u32 *)(bytes + (offset & 0xfc));
}

static __always_inline u64 pyframe_slot(s32 slot, u64 fs_base)
{
	u64 values;

	if (slot < PY_SLOT_MUSL)
		return read_user_u64(fs_base + (s64)slot);
	values = read_user_u64(fs_base + ((u32)slot >> 16));
	return values ? read_user_u64(values + (slot & 0xffff)) : 0;
}

/* Where the members of an object are counted from: see object_shift. */
static __always_inline u64 pyobject(const struct py_layout *l, u64 addr)
{
	return addr + l->object_shift;
}

/* A word of an object, by where a build with the GIL has it. */
static __always_inline u64 pyobject_u64(const struct py_layout *l, u64 addr, u64 offset)
{
	return addr ? read_user_u64(pyobject(l, addr) + offset) : 0;
}

/*
 * PyASCIIObject.state, as builds with the GIL have its bits: 0 and 1 interned, 2 to 4 kind, 5 compact, 6 ascii.
 * Free-threaded 3.14+ keeps `interned` in a byte of its own, which is written atomically; the others follow
 * it from bit 8 on (Include/cpython/unicodeobject.h).
 */
static __always_inline u32 pystr_state_of(const struct py_layout *l, u32 state)
{
	return l->object_shift && l->minor >= 14 ? state >> 6 : state;
}

/* Finds the thread state of the thread whose FS base is given. 0, or sets s->status. */
static __always_inline int pyframe_thread(struct scratch *s, u64 fs_base)
{
	u64 tstate = pyframe_slot(s->layout.tstate_slot, fs_base);

	s->tstate_addr = tstate;
	if (!tstate) {
		s->status = STACK_NO_THREAD_STATE;
		return -1;
	}
	/* The thread state knows its thread: a wrong slot or a torn read does not get past this. */
	if (read_user_u64(tstate + s->layout.tstate_thread_id) != fs_base) {
		s->status = STACK_BAD_THREAD_STATE;
		return -1;
	}
	return 0;
}

/* Points s at the innermost frame of s->tstate_addr. */
static __always_inline void pyframe_begin(struct scratch *s, u32 target_id)
{
	u64 frame = 0;

	s->status = STACK_OK;
	if (read_user(&frame, sizeof(frame), s->tstate_addr + s->layout.tstate_frame))
		s->status = STACK_BAD_THREAD_STATE;
	if (s->layout.has_cframe && frame)
		frame = read_user_u64(frame + s->layout.cframe_frame);
	s->frame_addr = frame;
	s->flags = 0;
	s->nr = 0;
	s->hash = hash_mix(0, target_id);
	s->passing[0] = s->passing[1] = 0;
	s->nr_awaiting = s->awaiting_at = 0;
}

/* The fingerprint of a code object that is no function; its head is in s->code. */
static __always_inline u32 pyframe_passing_fingerprint(struct scratch *s, u32 fingerprint)
{
	u64 table = scratch_u64(s->code.bytes, s->layout.code_linetable);
	u64 size = pyobject_u64(&s->layout, table, PYBYTES_SIZE), bytes = size;
	u64 name = scratch_u64(s->code.bytes, s->layout.code_filename);
	u64 head[PY_TABLE_WORDS] = {}, name_end;

	name_end = read_user_u64(py_name_end_addr(name, s->layout.str_ascii_data,
						  pyobject_u64(&s->layout, name, PYSTR_LENGTH_AT)));
	if (bytes > sizeof(head))
		bytes = sizeof(head);
	if (bytes && read_user(head, (u32)bytes, pyobject(&s->layout, table) + PYBYTES_DATA))
		return fingerprint;
	return py_passing_fingerprint(fingerprint, size, head, name_end);
}

/* Bytes of a code object that hold what is read of it. */
static __always_inline u32 pyframe_code_bytes(const struct py_layout *l)
{
	if (l->object_shift)
		return l->minor >= 14 ? CODE_BYTES_FREE_314 : CODE_BYTES_FREE;
	if (l->instr_scale)
		return CODE_BYTES_OLD;
	return l->minor >= 14 ? CODE_BYTES_314 : CODE_BYTES;
}

/*
 * Where the bytecode begins that the frame in s->buf runs; 0: nowhere.  Free-threaded 3.14+: threads run copies
 * of it, which they specialise each for itself (PYTHON_TLBC, gh-115999); copy 0 is the code object's own.
 */
static __always_inline u64 pyframe_bytecode(struct scratch *s, u64 code)
{
	const struct py_layout *l = &s->layout;
	u32 index = l->frame_tlbc ? scratch_u32(s->buf.bytes, l->frame_tlbc) : 0;
	u64 copies;

	if (!index)
		return code + l->code_bytecode;
	copies = scratch_u64(s->code.bytes, l->code_tlbc);
	if (index >= read_user_u64(copies + TLBC_SIZE))
		return 0;
	return read_user_u64(copies + TLBC_ENTRIES + 8 * (u64)index);
}

/*
 * Reads the code object that a frame runs and says where in it the frame is: the byte offset, -1 if
 * it has not started.  The code object's head stays in s->code.
 */
static __always_inline int pyframe_code(struct scratch *s, u64 code, u64 instr, u8 owner,
					struct ev_frame *out)
{
	const struct py_layout *l = &s->layout;
	const u8 *bytes = s->code.bytes;
	u64 bytecode;
	s64 offset;

	if (read_user(s->code.bytes, pyframe_code_bytes(l) & 0xff, code))
		return -1;
	if (l->instr_scale) {
		offset = (s64)(s32)instr * l->instr_scale;
	} else {
		bytecode = pyframe_bytecode(s, code);
		if (!bytecode)
			return -1;
		offset = (s64)(instr - bytecode);
		if (owner != FRAME_OWNED_BY_GENERATOR &&
		    offset < 2 * (s64)(s32)scratch_u32(bytes, l->code_firsttraceable))
			offset = -1;
	}
	if (offset > 0x7fffffff)
		return -1;
	out->code_addr = code;
	out->offset_bytes = offset < 0 ? -1 : (s32)offset;
	out->fingerprint = py_code_fingerprint(
		(s32)scratch_u32(bytes, l->code_firstlineno), scratch_u64(bytes, l->code_filename),
		scratch_u64(bytes, l->code_name), scratch_u64(bytes, l->code_linetable));
	if (!(scratch_u32(bytes, l->code_flags) & PY_CO_OPTIMIZED))
		out->fingerprint = pyframe_passing_fingerprint(s, out->fingerprint);
	return 0;
}

/* Reads one frame and steps outward. 0: go on; 1: the walk is over (s->status says how). */
static __always_inline int pyframe_step_inline(struct scratch *s)
{
	const struct py_layout *l = &s->layout;
	const u8 *bytes = s->buf.bytes;
	u64 frame = s->frame_addr, code, instr;
	struct ev_frame out = {};
	u32 nr = s->nr;
	u8 owner;

	if (!frame)
		return 1;
	if (nr >= EV_MAX_FRAMES) {
		s->flags |= STACK_TRUNCATED;
		return 1;
	}
	if ((frame & 7) || (l->instr_scale ? read_user(s->buf.bytes, FRAME_BYTES_OLD, frame)
					   : read_user(s->buf.bytes, FRAME_BYTES, frame))) {
		s->status = STACK_BAD_FRAME;
		return 1;
	}
	s->frame_addr = scratch_u64(bytes, l->frame_back);
	code = scratch_u64(bytes, l->frame_code) & ~PY_REF_TAGS;
	owner = l->instr_scale ? 0 : bytes[l->frame_owner & 0x7f];
	if (owner >= FRAME_RUNS_NO_CODE)
		return 0;
	instr = l->instr_scale ? scratch_u32(bytes, l->frame_instr)
			       : scratch_u64(bytes, l->frame_instr);
	if (pyframe_code(s, code, instr, owner, &out)) {
		s->status = STACK_BAD_CODE;
		return 1;
	}
	s->hash = hash_mix(s->hash, out.code_addr);
	s->hash = hash_mix(s->hash, (u64)out.fingerprint << 32 | (u32)out.offset_bytes);
	if (!(scratch_u32(s->code.bytes, l->code_flags) & PY_CO_OPTIMIZED))
		s->passing[(nr >> 6) & 1] |= 1ULL << (nr & 63);
	s->frames[nr & (EV_MAX_FRAMES - 1)] = out;
	s->frame_addrs[nr & (EV_MAX_FRAMES - 1)] = frame;
	s->nr = nr + 1;
	return 0;
}

/* co_flags of a code object; 0 if it cannot be read. */
static __always_inline u32 pyframe_code_flags(struct scratch *s, u64 code)
{
	u32 flags = 0;

	if (read_user(&flags, sizeof(flags), code + s->layout.code_flags))
		return 0;
	return flags;
}

/* Eight characters as read_user_u64() reads them. */
#define NAME8(a, b, c, d, e, f, g, h)                                                        \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 |      \
	 (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)

#define PY_TEXT_MAX 32 /* no text that is looked for is longer */

/* Whether len bytes at addr are text, a constant: by words, with one branch for all, of those the verifier walks. */
static __always_inline int pystr_is_text(u64 addr, const char *text, u32 len)
{
	u64 data[PY_TEXT_MAX / 8] = {}, wanted[PY_TEXT_MAX / 8] = {}, differs = 0;
	u32 i;

	if (read_user(data, len, addr))
		return 0;
	__builtin_memcpy(wanted, text, len);
	for (i = 0; i < PY_TEXT_MAX / 8; i++)
		differs |= data[i] ^ wanted[i];
	return !differs;
}

/* Whether the str at addr is ASCII and equals text of len (<= PY_TEXT_MAX) bytes. */
static __always_inline int pystr_equals(struct scratch *s, u64 addr, const char *text, u32 len)
{
	u64 length;

	if (!addr || read_user(&length, sizeof(length), pyobject(&s->layout, addr) + PYSTR_LENGTH_AT) || length != len)
		return 0;
	return pystr_is_text(addr + s->layout.str_ascii_data, text, len);
}

#endif
