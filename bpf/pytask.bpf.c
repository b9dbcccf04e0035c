/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tasks: who runs in a loop thread.  The name is read where the thread sleeps or is sampled, since the
 * task may be gone a moment later; it is sent with the first record that someone will see, as most
 * iterations are healthy and each request of a server is a task of its own.
 */
#include "loop.bpf.h"
#include "pyhandle.h"
#include "pytask.bpf.h"

__noinline u64 task_find_step(struct scratch *s, u64 loop)
{
	if (!s)
		return 0;
	return pytask_step(s, loop);
}

__noinline int task_read_name(struct scratch *s, u64 task, u32 target_id)
{
	if (!s)
		return -1;
	return pytask_name(s, task, target_id);
}

/* The first local of Handle._run, whose frame is right above _run_once's. */
static __always_inline u64 find_handle(struct loop_thread *th, struct scratch *s)
{
	u32 index = loop_nr_above(th, s) - 1;

	if (th->kind != LOOP_KIND_ASYNCIO || index >= EV_MAX_FRAMES)
		return 0;
	return read_user_u64(s->frame_addrs[index & (EV_MAX_FRAMES - 1)] + s->layout.frame_locals) & ~PY_REF_TAGS;
}

/* Of the callback that stands at that address. */
__noinline u64 task_of_callback(struct scratch *s, u64 at, u64 loop)
{
	if (!s)
		return 0;
	return pytask_of_callback(&s->layout, read_user_u64(at), loop);
}

__noinline u64 task_builtin_of_callback(struct scratch *s, u64 at)
{
	if (!s)
		return 0;
	return pytask_builtin_of_callback(&s->layout, read_user_u64(at));
}

__noinline u64 task_find_by_handle(struct loop_thread *th, struct scratch *s, u64 loop)
{
	if (!th || !s)
		return 0;
	return task_of_callback(s, pyobject(&s->layout, find_handle(th, s)) + PYHANDLE_CALLBACK, loop);
}

__noinline int task_is_handle(struct scratch *s, u64 word, u64 sp)
{
	if (!s)
		return 0;
	return pyhandle_is_running(s, word, sp);
}

__noinline u64 task_scan_chunk(struct scratch *s, u64 sp, u32 chunk)
{
	u64 word;
	u32 i;

	if (!s || pyhandle_read(s, sp, chunk))
		return 0;
	for (i = 0; i < PYHANDLE_CHUNK; i++) {
		word = s->buf.words[i];
		if (task_is_handle(s, word, sp))
			return word;
	}
	return 0;
}

/* The Handle that uvloop runs, by the native stack of the current thread; 0: not found. */
__noinline u64 task_find_uv_handle(struct scratch *s)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	u64 sp = regs->sp & ~7ULL, handle = 0;
	u32 i;

	if (!s)
		return 0;
	s->dict_left = 0;
	for (i = 0; i < PYHANDLE_CHUNKS && !handle; i++)
		handle = task_scan_chunk(s, sp, i);
	return handle;
}

/* The task that uvloop's Handle steps; 0: none. */
__noinline u64 task_of_uv_handle(struct scratch *s, u64 handle, u64 loop)
{
	u64 task = 0;
	u32 i;

	if (!s)
		return 0;
	for (i = PYHANDLE_FIRST; i <= PYHANDLE_LAST && !task; i++)
		task = task_of_callback(s, pyobject(&s->layout, handle) + i * 8, loop);
	return task;
}

/* The name of the function in C that it calls; 0: none. */
__noinline u64 task_builtin_of_uv_handle(struct scratch *s, u64 handle)
{
	u64 name = 0;
	u32 i;

	if (!s)
		return 0;
	for (i = PYHANDLE_FIRST; i <= PYHANDLE_LAST && !name; i++)
		name = task_builtin_of_callback(s, pyobject(&s->layout, handle) + i * 8);
	return name;
}

/* No frame is above the loop's (that of Handle._run): what it called is in C. */
__noinline int task_read_builtin(struct loop_thread *th, struct scratch *s)
{
	u64 name, handle;
	s32 above;

	if (!th || !s)
		return -1;
	above = loop_nr_above(th, s);
	if (th->kind == LOOP_KIND_UVLOOP && !above) {
		handle = task_find_uv_handle(s);
		name = handle ? task_builtin_of_uv_handle(s, handle) : 0;
	} else if (th->kind == LOOP_KIND_ASYNCIO && above == 1) {
		name = task_builtin_of_callback(s, pyobject(&s->layout, find_handle(th, s)) + PYHANDLE_CALLBACK);
	} else {
		return -1;
	}
	return pytask_builtin(s, name, th->target_id);
}

/* trio: the local `task` of unrolled_run, which is right above the loop's frame and below the task's. */
__noinline int task_find_by_frames(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	u32 where, index;
	u64 frame;

	if (!th || !s)
		return 0;
	where = s->layout.trio_task;
	index = loop_nr_above(th, s) - 1;
	if (th->kind != LOOP_KIND_TRIO || !where || !index || index >= EV_MAX_FRAMES)
		return 0;
	frame = s->frame_addrs[index & (EV_MAX_FRAMES - 1)];
	s->layout.task_name = where >> 8 << 3;
	frame += s->layout.frame_locals + 8 * (where & 255);
	if (task_read_name(s, read_user_u64(frame) & ~PY_REF_TAGS, th->target_id))
		return 0;
	head_init(&pytask_record(s)->head, EV_TASK, sizeof(struct ev_task), now_ns, th->target_id,
		  th->loop_id);
	return 1;
}

__noinline u64 task_current(struct loop_thread *th, struct scratch *s)
{
	u64 loop, task = 0;
	int i;

	if (!th || !s)
		return 0;
	loop = pytask_loop(s, th->slot_value);
	s->loop_addr = loop;
	if (!loop)
		return 0;
	if (pytask_is_in_thread(&s->layout)) {
		task = pytask_of_thread(s, th->tstate_addr, loop);
	} else if (!s->layout.current_tasks_addr) {
		task = th->kind == LOOP_KIND_UVLOOP ? task_of_uv_handle(s, task_find_uv_handle(s), loop) :
						      task_find_by_handle(th, s, loop);
	} else if (!pytask_begin(s)) {
		for (i = 0; i < PYTASK_MAX_READS && s->dict_left && !task; i++)
			task = task_find_step(s, loop);
	}
	return task;
}

__noinline int task_find(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	u64 task;

	if (!th || !s)
		return 0;
	if (LOOP_KIND_IS_BY_FRAMES(th->kind))
		return task_find_by_frames(th, s, now_ns);
	task = task_current(th, s);
	if (!s->loop_addr)
		return 0;
	if (task ? task_read_name(s, task, th->target_id) : task_read_builtin(th, s))
		return 0;
	head_init(&pytask_record(s)->head, EV_TASK, sizeof(struct ev_task), now_ns, th->target_id,
		  th->loop_id);
	return 1;
}

__noinline int task_note(struct loop_thread *th, struct scratch *s, u32 site, u64 now_ns)
{
	if (!th || !s)
		return 0;
	site &= MAX_SITES - 1;
	th->sites[site].task_id = 0;
	th->tasks[site].task_id = 0;
	if (!task_find(th, s, now_ns))
		return 0;
	__builtin_memcpy(&th->tasks[site], pytask_record(s), sizeof(th->tasks[site]));
	th->sites[site].task_id = th->tasks[site].task_id;
	return 1;
}

__noinline int task_send(struct ev_task *ev)
{
	u64 id;
	u8 seen = 1;

	if (!ev)
		return 0;
	id = ev->task_id;
	if (!id || bpf_map_lookup_elem(&seen_tasks, &id))
		return 0;
	if (!emit(ev, sizeof(*ev), BPF_RB_NO_WAKEUP))
		bpf_map_update_elem(&seen_tasks, &id, &seen, BPF_ANY);
	return 0;
}
