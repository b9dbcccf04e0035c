/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is imported: importlib.bootstrap's _find_and_load(name, import_) has the whole dotted name, made
 * absolute, whoever asked: a statement, relative or not, or importlib.import_module().  Same rules as
 * pyframe.h; works in s->buf.
 */
#ifndef PYIMPORT_H
#define PYIMPORT_H

#include "pytask.h"

/* How many of the walked frames are inside the loop; all, where the walk did not get to the outermost. */
static __always_inline u32 pyimport_nr_inside(const struct scratch *s, u32 base_depth)
{
	if (s->status != STACK_OK || s->flags & STACK_TRUNCATED || base_depth >= s->nr)
		return s->nr;
	return s->nr - base_depth;
}

/* Whether that frame of the walk runs _find_and_load. */
static __always_inline int pyimport_is_loader(const struct scratch *s, u32 index)
{
	return s->frames[index & (EV_MAX_FRAMES - 1)].code_addr == s->layout.find_and_load_addr;
}

/* The first local of that frame, a str, into pytask_record(s): name and id. 0: done. */
static __always_inline int pyimport_name(struct scratch *s, u32 index, u32 target_id)
{
	u64 frame = s->frame_addrs[index & (EV_MAX_FRAMES - 1)];
	struct ev_task *ev = pytask_record(s);

	if (pytask_object(s, read_user_u64(frame + s->layout.frame_locals) & ~PY_REF_TAGS, target_id))
		return -1;
	return ev->kind && ev->name_bytes ? 0 : -1;
}

#endif
