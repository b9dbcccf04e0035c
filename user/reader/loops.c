/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/pyrunning.h and bpf/pyloops.h compiled for this side: one piece of code decides what a running loop is. */
#include "loops.h"

#include <errno.h>
#include <string.h>

#include "layout.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static struct mem *reading; /* by read_target(): the kernel half's functions have no context of their own */

static int read_target(void *to, u32 size, u64 addr)
{
	return procmem_read(reading, addr, to, size);
}

#define read_user(to, size, addr) read_target(to, size, addr)
#define read_user_str(to, size, addr) (-EFAULT) /* for names of functions in C, which nobody asks for here */
#include "pyhash.h"
#include "scratch.h"
#include "pyloops.h"
#include "pytask.h"

/* "PollSele" and "SelectSe" as little-endian numbers. */
#define NAME_POLLSELECTOR   0x656c65536c6c6f50ULL
#define NAME_SELECTSELECTOR 0x65537463656c6553ULL
#define MAX_THREADS    4096
#define MAX_WALKS      256 /* threads whose stacks are looked at: a thread with a loop is not a late one */
#define TSTATE_NEXT    8 /* PyThreadState.next, 3.9 to 3.15 */

static int has_running_loop(struct scratch *s)
{
	if (pyrunning_begin(s))
		return 0;
	while (s->dict_left && !pyrunning_dict_step(s))
		;
	return !pyrunning_end(s);
}

static void walk(struct scratch *s)
{
	pyframe_begin(s, 0);
	for (unsigned i = 0; i < 2 * EV_MAX_FRAMES && !pyframe_step_inline(s); i++)
		;
}

/* The thread runs meanwhile: a walk that it tears finds nothing. */
static enum loop_kind kind_by_frames(struct scratch *s)
{
	u32 kind, depth;

	walk(s);
	kind = pyloop_of_wait(s);
	for (u32 i = 0; kind == LOOP_KIND_UNKNOWN && i < s->nr; i++)
		kind = pyloop_of_runner(s, i, &depth);
	return kind;
}

/* An idle loop of asyncio is in the select() of its selector, whose type says what that waits by. */
static enum loop_kind kind_by_slot(struct scratch *s)
{
	u64 selector, type;

	if (pyrunning_is_uvloop(s))
		return LOOP_KIND_UVLOOP;
	walk(s);
	if (!s->nr || !PYLOOP_IS(s, 0, "select", "selectors.py"))
		return LOOP_KIND_ASYNCIO;
	selector = read_user_u64(s->frame_addrs[0] + s->layout.frame_locals) & ~PY_REF_TAGS;
	type = pytype_name8(&s->layout, pyobject_type(&s->layout, selector));
	return type == NAME_POLLSELECTOR || type == NAME_SELECTSELECTOR ? LOOP_KIND_ASYNCIO_POLL :
									  LOOP_KIND_ASYNCIO;
}

/* What the n-th thread runs. */
static enum loop_kind loop_of(struct scratch *s, unsigned n)
{
	if (has_running_loop(s))
		return kind_by_slot(s);
	return n < MAX_WALKS ? kind_by_frames(s) : LOOP_KIND_UNKNOWN;
}

unsigned loops_count(struct mem *mem, uint64_t runtime_addr, const struct py_layout *layout,
		     uint16_t *kinds)
{
	struct scratch s;
	unsigned nr = 0, i;
	enum loop_kind kind;
	uint64_t tstate;

	*kinds = 0;
	memset(&s, 0, sizeof(s));
	s.layout = *layout;
	reading = mem;
	if (layout_first_thread(mem, runtime_addr, layout->version, &tstate))
		return 0;
	for (i = 0; i < MAX_THREADS && tstate; i++) {
		s.tstate_addr = tstate;
		kind = loop_of(&s, i);
		if (kind != LOOP_KIND_UNKNOWN) {
			*kinds |= (uint16_t)(1u << kind);
			nr++;
		}
		if (procmem_read_u64(mem, tstate + TSTATE_NEXT, &tstate))
			break;
	}
	return nr;
}

/* The thread's number as the target has it; 0: it could not be read. */
static uint32_t native_id(struct mem *mem, const struct py_layout *layout, uint64_t tstate)
{
	uint64_t ident, addr = tstate + layout->tstate_native_id;
	uint32_t tid;

	if (!layout->tstate_native_id) {
		if (!layout->pthread_tid || procmem_read_u64(mem, tstate + layout->tstate_thread_id, &ident))
			return 0;
		addr = ident + layout->pthread_tid;
	}
	return procmem_read_u32(mem, addr, &tid) ? 0 : tid;
}

void loops_list(struct mem *mem, const struct py_layout *layout, struct ev_loops *ev)
{
	struct scratch s;
	uint64_t tstate;

	memset(&s, 0, sizeof(s));
	memset(ev, 0, sizeof(*ev));
	ev->head.type = EV_LOOPS;
	ev->head.size = sizeof(*ev);
	ev->head.loop_id = EV_NO_LOOP;
	s.layout = *layout;
	reading = mem;
	if (layout_first_thread(mem, layout->runtime_addr, layout->version, &tstate))
		return;
	for (unsigned i = 0; i < MAX_THREADS && tstate && ev->nr < EV_MAX_LOOPS; i++) {
		uint32_t kind;

		s.tstate_addr = tstate;
		kind = loop_of(&s, i);
		if (kind != LOOP_KIND_UNKNOWN) {
			ev->loops[ev->nr].ns_tid = native_id(mem, layout, tstate);
			ev->loops[ev->nr++].kind = kind;
		}
		if (procmem_read_u64(mem, tstate + TSTATE_NEXT, &tstate))
			break;
	}
}

static u64 running_task(struct scratch *s)
{
	u64 task = 0;

	if (pytask_is_in_thread(&s->layout))
		return pytask_of_thread(s, s->tstate_addr, s->loop_addr);
	if (pytask_begin(s))
		return 0;
	while (s->dict_left && !task)
		task = pytask_step(s, s->loop_addr);
	return task;
}

unsigned loops_running(struct mem *mem, const struct py_layout *layout, struct running_loop *loops, unsigned room)
{
	struct scratch s;
	uint64_t tstate;
	unsigned nr = 0;

	memset(&s, 0, sizeof(s));
	s.layout = *layout;
	reading = mem;
	if (layout_first_thread(mem, layout->runtime_addr, layout->version, &tstate))
		return 0;
	for (unsigned i = 0; i < MAX_THREADS && tstate && nr < room; i++) {
		s.tstate_addr = tstate;
		if (has_running_loop(&s)) {
			loops[nr].loop_addr = s.loop_addr;
			loops[nr].task_addr = running_task(&s);
			loops[nr++].ns_tid = native_id(mem, layout, tstate);
		}
		if (procmem_read_u64(mem, tstate + TSTATE_NEXT, &tstate))
			break;
	}
	return nr;
}
