/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Names of code objects that will not live until the reader reads them: the body of a module or a
 * class, and what exec() runs, is freed as soon as it has run.  They are known by their flags;
 * their names and line table are copied before the stack that needs them is sent.  The reader names
 * all others, and those of these that have a name that is not ASCII.
 */
#include "emit.bpf.h"
#include "pystack.bpf.h"

#define PYSTR_COMPACT_ASCII 0x60 /* state: compact and ascii, one byte a character */

/* Copies the text of an ASCII str to s->source.data[at].  Its bytes, at most mask; -1: left to the
 * reader. */
static __always_inline s32 copy_str(struct scratch *s, u64 str_addr, u32 at, u32 mask)
{
	u64 length = pyobject_u64(&s->layout, str_addr, PYSTR_LENGTH_AT);
	u32 state = pystr_state_of(&s->layout, (u32)pyobject_u64(&s->layout, str_addr, PYSTR_STATE_AT));

	if ((state & PYSTR_COMPACT_ASCII) != PYSTR_COMPACT_ASCII || !length || length > mask)
		return -1;
	if (bpf_probe_read_user(s->source.data + at, length & mask,
				(void *)(str_addr + s->layout.str_ascii_data)))
		return -1;
	return (s32)length;
}

/* Copies a line table likewise.  Its bytes, which may be none; -1: it could not be read. */
static __always_inline s32 copy_table(struct scratch *s, u64 bytes_addr, u32 at)
{
	u64 size;

	if (bpf_probe_read_user(&size, sizeof(size), (void *)(pyobject(&s->layout, bytes_addr) + PYBYTES_SIZE)))
		return -1;
	if (size > SOURCE_TABLE_MASK) {
		size = SOURCE_TABLE_MASK;
		s->source.ev.flags |= CODE_TABLE_CUT;
	}
	size &= SOURCE_TABLE_MASK;
	if (size &&
	    bpf_probe_read_user(s->source.data + at, size, (void *)(pyobject(&s->layout, bytes_addr) + PYBYTES_DATA)))
		return -1;
	return (s32)size;
}

/* Sends the names of frame index of the walk, if that will not stay. Those of others stay for the reader. */
__noinline int py_send_code(struct scratch *s, u32 index, u64 now_ns)
{
	struct ev_code *ev;
	s32 file, name, qualname = 0, table;
	u64 code, key;
	u32 at;
	u8 seen = 1;

	if (!s)
		return 0;
	index &= EV_MAX_FRAMES - 1;
	if (!(s->passing[index >> 6] & 1ULL << (index & 63)))
		return 0;
	ev = &s->source.ev;
	code = s->frames[index].code_addr;
	key = hash_mix(hash_mix(s->frames[index].fingerprint, code), s->stack.head.target_id);
	if (bpf_map_lookup_elem(&seen_codes, &key))
		return 0;
	file = copy_str(s, read_user_u64(code + s->layout.code_filename), 0, SOURCE_NAME_MASK);
	if (file < 0)
		return 0;
	at = file & SOURCE_NAME_MASK;
	name = copy_str(s, read_user_u64(code + s->layout.code_name), at, SOURCE_NAME_MASK);
	if (name < 0)
		return 0;
	at += name & SOURCE_NAME_MASK;
	if (s->layout.code_qualname)
		qualname = copy_str(s, read_user_u64(code + s->layout.code_qualname), at,
				    SOURCE_NAME_MASK);
	if (qualname < 0)
		return 0;
	at += qualname & SOURCE_NAME_MASK;
	ev->flags = 0;
	table = copy_table(s, read_user_u64(code + s->layout.code_linetable), at);
	if (table < 0)
		return 0;
	at += table & SOURCE_TABLE_MASK;
	head_init(&ev->head, EV_CODE, sizeof(*ev) + at, now_ns, s->stack.head.target_id,
		  EV_NO_LOOP);
	ev->code_addr = code;
	ev->fingerprint = s->frames[index].fingerprint;
	ev->co_flags = pyframe_code_flags(s, code);
	ev->firstlineno = (s32)read_user_u64(code + s->layout.code_firstlineno);
	ev->first_traceable_bytes = 0;
	if (s->layout.code_firsttraceable)
		ev->first_traceable_bytes =
			2 * (u32)read_user_u64(code + s->layout.code_firsttraceable);
	ev->minor = s->layout.minor;
	ev->status = CODE_OK;
	ev->filename_bytes = file;
	ev->name_bytes = name;
	ev->qualname_bytes = qualname;
	ev->pad = 0;
	ev->table_bytes = table;
	if (at <= SOURCE_BYTES && !emit(ev, sizeof(*ev) + at, BPF_RB_NO_WAKEUP))
		bpf_map_update_elem(&seen_codes, &key, &seen, BPF_ANY);
	return 0;
}

__noinline int py_send_some(struct scratch *s, u32 first, u64 now_ns)
{
	u32 i;

	if (!s)
		return 0;
	for (i = 0; i < FRAMES_AT_ONCE; i++)
		py_send_code(s, first + i, now_ns);
	return 0;
}

__noinline int py_send_codes(struct scratch *s, u64 now_ns)
{
	u32 i;

	if (!s)
		return 0;
	/* No bit is set past the last frame. */
	for (i = 0; i < EV_MAX_FRAMES && i < s->nr; i += FRAMES_AT_ONCE)
		py_send_some(s, i, now_ns);
	return 0;
}
