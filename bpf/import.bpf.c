/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The module that is imported where a loop's thread sleeps or is sampled, by the outermost import of its
 * stack: for builds without probes, for importlib.import_module(), which hits none, and for what has not
 * ended.  A record for each name in turn: what follows it in the stream, in its iteration, is its.
 */
#include "import.bpf.h"
#include "pyimport.h"
#include "pystack.bpf.h"

__noinline int import_read_name(struct scratch *s, u32 index, u32 target_id)
{
	if (!s)
		return -1;
	return pyimport_name(s, index, target_id);
}

/* The last of some frames, from `from` on and before `end`, that runs importlib's loader; or else found. */
__noinline u64 import_find_some(struct scratch *s, u32 from, u32 end, u32 found)
{
	u32 i;

	if (!s)
		return found;
	for (i = 0; i < FRAMES_AT_ONCE && from + i < end; i++)
		if (pyimport_is_loader(s, from + i))
			found = from + i;
	return found;
}

/* The outermost frame inside the loop that runs it; EV_MAX_FRAMES: none. */
__noinline u64 import_find_loader(struct scratch *s, u32 base_depth)
{
	u32 nr, found = EV_MAX_FRAMES, i;

	if (!s)
		return EV_MAX_FRAMES;
	nr = pyimport_nr_inside(s, base_depth);
	for (i = 0; i < EV_MAX_FRAMES && i < nr; i += FRAMES_AT_ONCE)
		found = import_find_some(s, i, nr, found);
	return found;
}

__noinline int import_note(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	struct ev_import *ev;
	struct ev_task *name;
	u32 index;

	if (!th || !s || !s->layout.find_and_load_addr)
		return 0;
	index = import_find_loader(s, th->base_depth);
	if (index >= EV_MAX_FRAMES || import_read_name(s, index, th->target_id))
		return 0;
	name = pytask_record(s);
	if (th->import_name_id == name->task_id)
		return 0;
	ev = import_begin(th, now_ns);
	if (!ev)
		return 1;
	ev->start_ns = now_ns;
	ev->within = IN_ESTIMATED;
	ev->module_kind = name->kind;
	ev->module_bytes = name->name_bytes;
	__builtin_memcpy(ev->module, name->name, sizeof(ev->module));
	emit_end(ev, BPF_RB_NO_WAKEUP);
	th->import_name_id = name->task_id;
	return 1;
}
