/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads a code object.  The target runs on meanwhile: what identifies the object is read before and
 * after its names, so that names of two objects are never mixed.
 */
#include "pycode.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "pyhash.h"
#include "pystr.h"
#include "util.h"

#define OBJECT_TYPE    8  /* PyObject.ob_type; this and what follows: further in by layout->object_shift */
#define BYTES_SIZE     16 /* PyBytesObject: ob_size, ob_sval */
#define BYTES_DATA     32
#define BYTES_SIZE_MAX (1LL << 30)
#define CODE_SPAN_MAX \
	1024 /* no field we read lies further in; larger offsets are no layout of ours */
#define CODE_UNIT_BYTES 2

_Static_assert(sizeof(struct ev_code) + 3 * EV_NAME_MAX + EV_TABLE_MAX <= EV_RECORD_MAX, "room");

/* The fields that are copied out of the object at once. */
struct code_fields {
	uint64_t type_addr, filename_addr, name_addr, qualname_addr, table_addr;
	int32_t firstlineno, first_traceable;
	uint32_t flags;
};

static bool is_sane_layout(const struct py_layout *layout)
{
	return layout->minor && layout->code_flags < CODE_SPAN_MAX &&
	       layout->code_firstlineno < CODE_SPAN_MAX && layout->code_filename < CODE_SPAN_MAX &&
	       layout->code_name < CODE_SPAN_MAX && layout->code_qualname < CODE_SPAN_MAX &&
	       layout->code_linetable < CODE_SPAN_MAX &&
	       layout->code_firsttraceable < CODE_SPAN_MAX;
}

/* Up to the end of the last field: the object may end with its page. */
static size_t fields_span(const struct py_layout *layout)
{
	size_t span = layout->code_linetable;

	span = max(span, (size_t)layout->code_qualname);
	span = max(span, (size_t)layout->code_name);
	span = max(span, (size_t)layout->code_filename);
	span = max(span, (size_t)layout->code_firsttraceable);
	span = max(span, (size_t)layout->code_firstlineno);
	span = max(span, (size_t)layout->object_shift + OBJECT_TYPE);
	return max(span, (size_t)layout->code_flags) + sizeof(uint64_t);
}

static int read_fields(struct mem *mem, const struct py_layout *layout, uint64_t code_addr,
		       struct code_fields *fields)
{
	uint8_t raw[CODE_SPAN_MAX + sizeof(uint64_t)];
	int err = procmem_read(mem, code_addr, raw, fields_span(layout));

	if (err)
		return err;
	memset(fields, 0, sizeof(*fields));
	memcpy(&fields->type_addr, raw + layout->object_shift + OBJECT_TYPE, sizeof(uint64_t));
	memcpy(&fields->filename_addr, raw + layout->code_filename, sizeof(uint64_t));
	memcpy(&fields->name_addr, raw + layout->code_name, sizeof(uint64_t));
	memcpy(&fields->table_addr, raw + layout->code_linetable, sizeof(uint64_t));
	memcpy(&fields->firstlineno, raw + layout->code_firstlineno, sizeof(int32_t));
	memcpy(&fields->flags, raw + layout->code_flags, sizeof(uint32_t));
	if (layout->code_qualname)
		memcpy(&fields->qualname_addr, raw + layout->code_qualname, sizeof(uint64_t));
	if (layout->code_firsttraceable)
		memcpy(&fields->first_traceable, raw + layout->code_firsttraceable,
		       sizeof(int32_t));
	return 0;
}

/* The same as the kernel half's, of what is a function and what is none (pyhash.h). */
static uint32_t fields_fingerprint(struct mem *mem, const struct py_layout *layout,
				   const struct code_fields *fields)
{
	uint32_t fingerprint = py_code_fingerprint(fields->firstlineno, fields->filename_addr,
						   fields->name_addr, fields->table_addr);
	__u64 head[PY_TABLE_WORDS] = { 0 };
	uint64_t name = fields->filename_addr, table = fields->table_addr + layout->object_shift;
	uint64_t size, length = 0, name_end = 0;

	if (fields->flags & PY_CO_OPTIMIZED)
		return fingerprint;
	/* 0 where it cannot be read, as the kernel half has it. */
	if (procmem_read_u64(mem, name + layout->object_shift + PYSTR_LENGTH_AT, &length))
		length = 0;
	if (procmem_read_u64(mem, py_name_end_addr(name, layout->str_ascii_data, length), &name_end))
		name_end = 0;
	if (procmem_read_u64(mem, table + BYTES_SIZE, &size) ||
	    procmem_read(mem, table + BYTES_DATA, head, min(size, sizeof(head))))
		return fingerprint;
	return py_passing_fingerprint(fingerprint, size, head, name_end);
}

static bool is_plausible(const struct code_fields *fields)
{
	return fields->type_addr && fields->type_addr % 8 == 0 && fields->first_traceable >= 0 &&
	       fields->first_traceable <= INT32_MAX / CODE_UNIT_BYTES;
}

static int append_name(struct mem *mem, const struct py_layout *layout, uint64_t str_addr,
		       struct ev_code *code, size_t *used, __u16 *name_bytes)
{
	size_t bytes;
	bool is_cut;
	int err =
		pystr_read(mem, layout, str_addr, code->data + *used, EV_NAME_MAX, &bytes, &is_cut);

	if (err)
		return err;
	*name_bytes = (__u16)bytes;
	*used += bytes;
	if (is_cut)
		code->flags |= CODE_NAME_CUT;
	return 0;
}

static int append_table(struct mem *mem, const struct py_layout *layout, uint64_t table_addr,
			struct ev_code *code, size_t *used)
{
	uint64_t head[3]; /* PyVarObject: reference count, type, size */
	int64_t size;
	size_t bytes;
	int err;

	if (!table_addr || table_addr % 8)
		return -EBADMSG;
	table_addr += layout->object_shift;
	err = procmem_read(mem, table_addr, head, sizeof(head));
	if (err)
		return err;
	size = (int64_t)head[BYTES_SIZE / 8];
	if (!head[OBJECT_TYPE / 8] || head[OBJECT_TYPE / 8] % 8 || size < 0 ||
	    size > BYTES_SIZE_MAX)
		return -EBADMSG;
	bytes = (size_t)min(size, (int64_t)EV_TABLE_MAX);
	if (size > EV_TABLE_MAX)
		code->flags |= CODE_TABLE_CUT;
	err = procmem_read(mem, table_addr + BYTES_DATA, code->data + *used, bytes);
	if (err)
		return err;
	code->table_bytes = (__u32)bytes;
	*used += bytes;
	return 0;
}

static int append_all(struct mem *mem, const struct py_layout *layout,
		      const struct code_fields *fields, struct ev_code *code)
{
	size_t used = 0;
	int err =
		append_name(mem, layout, fields->filename_addr, code, &used, &code->filename_bytes);

	if (!err)
		err = append_name(mem, layout, fields->name_addr, code, &used, &code->name_bytes);
	if (!err && layout->code_qualname)
		err = append_name(mem, layout, fields->qualname_addr, code, &used,
				  &code->qualname_bytes);
	if (!err)
		err = append_table(mem, layout, fields->table_addr, code, &used);
	code->co_flags = fields->flags;
	code->firstlineno = fields->firstlineno;
	code->first_traceable_bytes = (__u32)(fields->first_traceable * CODE_UNIT_BYTES);
	code->head.size = (__u32)(sizeof(*code) + used);
	return err;
}

static enum code_status status_of(int err)
{
	if (!err)
		return CODE_OK;
	return err == -EBADMSG ? CODE_INVALID : CODE_UNREADABLE;
}

void pycode_fail(struct ev_code *code, const struct py_layout *layout, uint64_t code_addr,
		 uint32_t fingerprint, enum code_status status)
{
	memset(code, 0, sizeof(*code));
	code->head.type = EV_CODE;
	code->head.size = sizeof(*code);
	code->head.loop_id = EV_NO_LOOP;
	code->code_addr = code_addr;
	code->fingerprint = fingerprint;
	code->minor = layout->minor;
	code->status = (__u8)status;
}

void pycode_read(struct mem *mem, const struct py_layout *layout, uint64_t code_addr,
		 uint32_t fingerprint, struct ev_code *code)
{
	struct code_fields before, after;
	enum code_status status;
	int err;

	pycode_fail(code, layout, code_addr, fingerprint, CODE_INVALID);
	if (!is_sane_layout(layout) || !code_addr || code_addr % 8)
		return;
	err = read_fields(mem, layout, code_addr, &before);
	if (err) {
		code->status = CODE_UNREADABLE;
		return;
	}
	if (fields_fingerprint(mem, layout, &before) != fingerprint) {
		code->status = CODE_GONE;
		return;
	}
	if (!is_plausible(&before))
		return;
	status = status_of(append_all(mem, layout, &before, code));
	/* Whatever was read, or failed to be, only counts if it was this object's all the while. */
	err = read_fields(mem, layout, code_addr, &after);
	if (err)
		status = CODE_UNREADABLE;
	else if (memcmp(&before, &after, sizeof(before)) != 0)
		status = CODE_GONE;
	if (status == CODE_OK)
		code->status = CODE_OK;
	else
		pycode_fail(code, layout, code_addr, fingerprint, status);
}
