/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The functions that read CPython, each verified by itself: a loop over a global function costs the
 * verifier one call a round instead of one walk.  The reading itself is in pyframe.h.
 */
#include "maps.bpf.h"

#include "pyloops.h"
#include "pystack.bpf.h"

__noinline int py_step(struct scratch *s)
{
	if (!s)
		return 1;
	return pyframe_step_inline(s);
}

__noinline int py_dict_step(struct scratch *s)
{
	if (!s)
		return 1;
	return pyrunning_dict_step(s);
}

/* Walks all frames of s->tstate_addr. */
__noinline int py_walk(struct scratch *s, u32 target_id)
{
	int i;

	if (!s)
		return -1;
	pyframe_begin(s, target_id);
	/* Shims are stepped over without being kept: one at each entry from C. */
	for (i = 0; i < 2 * EV_MAX_FRAMES; i++)
		if (py_step(s))
			return 0;
	s->flags |= STACK_TRUNCATED;
	return 0;
}

__noinline int py_running_loop(struct scratch *s)
{
	int i;

	if (!s)
		return -1;
	if (pyrunning_begin(s))
		return -1;
	for (i = 0; i < PYRUNNING_MAX_ENTRIES && s->dict_left; i++)
		if (py_dict_step(s))
			break;
	return pyrunning_end(s);
}

__noinline int py_is_run_once(struct scratch *s, u32 index)
{
	if (!s)
		return 0;
	return pyrunning_is_run_once(s, index);
}

__noinline int py_wait_kind(struct scratch *s, u32 is_in_wait)
{
	u32 last = is_in_wait ? PYRUNNING_WAIT_FRAMES : EV_MAX_FRAMES, i;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	for (i = 0; i < EV_MAX_FRAMES; i++) {
		if (i >= s->nr || i >= last)
			break;
		if (py_is_run_once(s, i))
			return pyrunning_wait_kind(s, is_in_wait, i);
	}
	return pyrunning_wait_kind(s, is_in_wait, EV_MAX_FRAMES);
}

__noinline int py_runner_kind(struct scratch *s, u32 index)
{
	u32 depth = 0, kind;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	kind = pyloop_of_runner(s, index, &depth);
	if (kind != LOOP_KIND_UNKNOWN)
		s->nr = depth;
	return kind;
}

/* The walked stack from the innermost frame outward; s->nr is then the depth of the loop found. */
__noinline int py_find_runner(struct scratch *s)
{
	u32 kind, i;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	for (i = 0; i < EV_MAX_FRAMES; i++) {
		if (i >= s->nr)
			break;
		kind = py_runner_kind(s, i);
		if (kind != LOOP_KIND_UNKNOWN)
			return kind;
	}
	return LOOP_KIND_UNKNOWN;
}

/* Most waits are nobody's: two frames tell, before all are walked. */
__noinline int py_own_wait_kind(struct scratch *s, u32 target_id)
{
	int i;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	pyframe_begin(s, target_id);
	for (i = 0; i < 4 && s->nr < 2; i++)
		if (py_step(s))
			break;
	return pyloop_of_wait(s);
}

__noinline int py_loop_by_frames(struct scratch *s, u32 target_id, u32 is_in_wait)
{
	u32 kind;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	s->slot_addr = 0;
	s->slot_value = 1;
	if (!is_in_wait) {
		py_walk(s, target_id);
		return py_find_runner(s);
	}
	kind = py_own_wait_kind(s, target_id);
	if (kind == LOOP_KIND_UNKNOWN)
		return kind;
	s->slot_value = s->frames[0].code_addr;
	py_walk(s, target_id);
	if (kind != LOOP_KIND_GEVENT)
		s->nr--;
	return kind;
}

__noinline int py_is_in_callback(struct scratch *s, u32 kind)
{
	u32 nr, depth = 0;

	if (!s)
		return 0;
	if (kind == LOOP_KIND_GEVENT)
		return pyloop_is_greenlet(s);
	nr = s->nr;
	if ((u32)py_find_runner(s) == kind)
		depth = s->nr + 1;
	s->nr = nr;
	return depth;
}
