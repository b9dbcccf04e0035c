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

/* 1: the walk is over. */
__noinline int py_steps(struct scratch *s)
{
	int i;

	if (!s)
		return 1;
	for (i = 0; i < FRAMES_AT_ONCE; i++)
		if (py_step(s))
			return 1;
	return 0;
}

/* Walks all frames of s->tstate_addr. */
__noinline int py_walk(struct scratch *s, u32 target_id)
{
	int i;

	if (!s)
		return -1;
	pyframe_begin(s, target_id);
	/* Shims are stepped over without being kept: one at each entry from C. */
	for (i = 0; i < 2 * EV_MAX_FRAMES; i += FRAMES_AT_ONCE)
		if (py_steps(s))
			return 0;
	s->flags |= STACK_TRUNCATED;
	return 0;
}

/* 1: found. */
__noinline int py_dict_steps(struct scratch *s)
{
	int i;

	if (!s)
		return 1;
	for (i = 0; i < PYRUNNING_AT_ONCE && s->dict_left; i++)
		if (py_dict_step(s))
			return 1;
	return 0;
}

__noinline int py_running_loop(struct scratch *s)
{
	int i;

	if (!s)
		return -1;
	if (pyrunning_begin(s))
		return -1;
	for (i = 0; i < PYRUNNING_MAX_ENTRIES && s->dict_left; i += PYRUNNING_AT_ONCE)
		if (py_dict_steps(s))
			break;
	return pyrunning_end(s);
}

__noinline int py_is_run_once(struct scratch *s, u32 index)
{
	if (!s)
		return 0;
	return pyrunning_is_run_once(s, index);
}

/* The first of some frames from `from` on, and before `end`, that runs _run_once; EV_MAX_FRAMES: none. */
__noinline int py_find_run_once(struct scratch *s, u32 from, u32 end)
{
	u32 i;

	if (!s)
		return EV_MAX_FRAMES;
	for (i = 0; i < FRAMES_AT_ONCE && from + i < end; i++)
		if (py_is_run_once(s, from + i))
			return from + i;
	return EV_MAX_FRAMES;
}

__noinline int py_wait_kind(struct scratch *s, u32 is_in_wait)
{
	u32 end = is_in_wait ? PYRUNNING_WAIT_FRAMES : EV_MAX_FRAMES, at = EV_MAX_FRAMES, i;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	s->run_code = 0;
	if (end > s->nr)
		end = s->nr;
	for (i = 0; i < EV_MAX_FRAMES && i < end && at >= EV_MAX_FRAMES; i += FRAMES_AT_ONCE)
		at = py_find_run_once(s, i, end);
	return pyrunning_wait_kind(s, is_in_wait, at);
}

__noinline int py_runner_kind(struct scratch *s, u32 index)
{
	u32 depth = 0, kind;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	kind = pyloop_of_runner(s, index, &depth);
	if (kind != LOOP_KIND_UNKNOWN) {
		s->run_code = s->frames[frame_index(s->nr - depth)].code_addr;
		s->nr = depth;
	}
	return kind;
}

__noinline int py_runner_kinds(struct scratch *s, u32 first)
{
	u32 kind = LOOP_KIND_UNKNOWN, i;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	for (i = 0; i < FRAMES_AT_ONCE && first + i < s->nr && kind == LOOP_KIND_UNKNOWN; i++)
		kind = py_runner_kind(s, first + i);
	return kind;
}

/* The walked stack from the innermost frame outward; s->nr is then the depth of the loop found. */
__noinline int py_find_runner(struct scratch *s)
{
	u32 kind = LOOP_KIND_UNKNOWN, i;

	if (!s)
		return LOOP_KIND_UNKNOWN;
	for (i = 0; i < EV_MAX_FRAMES && kind == LOOP_KIND_UNKNOWN; i += FRAMES_AT_ONCE)
		kind = py_runner_kinds(s, i);
	return kind;
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
	s->run_code = 0;
	if (!is_in_wait) {
		py_walk(s, target_id);
		return py_find_runner(s);
	}
	kind = py_own_wait_kind(s, target_id);
	if (kind == LOOP_KIND_UNKNOWN)
		return kind;
	s->slot_value = s->frames[0].code_addr;
	py_walk(s, target_id);
	if (kind != LOOP_KIND_GEVENT) {
		s->run_code = s->frames[1].code_addr;
		s->nr--;
	}
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
