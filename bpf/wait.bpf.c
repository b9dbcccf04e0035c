/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Loop boundaries: an iteration runs from the return of the loop's wait to the next wait.
 *
 * Only returns are hooked here.  A wait that sleeps is seen to begin where the thread leaves the CPU
 * (offcpu.bpf.c); one that does not sleep takes no time worth knowing, and begins where it ends.  A
 * hook on the entry as well would make every system call of the host dearer (decision 0001).
 *
 * A wait is a loop's own if its descriptor is the one that was found to be, by evidence, while the
 * same loop runs (one 8-byte read); anything else is looked at anew: the running-loop slot of the
 * thread and its Python stack (pyrunning.h).  A thread that fails costs a few reads each time, a
 * process that is no target one hash look-up.
 *
 * Two programs do the same: tracepoints of the three system calls, which cost the host's other calls
 * least, and a raw tracepoint for hosts that refuse the first to a daemon without CAP_SYS_ADMIN
 * (perf_event_paranoid 3).  The daemon loads one of them.
 */
#include "callbacks.bpf.h"
#include "import.bpf.h"
#include "numbers.bpf.h"
#include "pyloops.h"
#include "pytask.bpf.h"
#include "spawn.bpf.h"
#include "within.bpf.h"

/* The thread's number in its own PID namespace; 0: it has none any more. */
static __always_inline u32 task_ns_tid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	u32 level = BPF_CORE_READ(pid, level) & 31, nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr;
}

__noinline int loop_announce(struct loop_thread *th, s32 syscall, u64 now_ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ev_loop ev = {};

	if (!th)
		return 0;
	head_init(&ev.head, EV_LOOP, sizeof(ev), now_ns, th->target_id, th->loop_id);
	ev.pid = process_number_of(task);
	ev.tid = number_of(task);
	ev.ns_tid = task_ns_tid(task);
	ev.kind = th->kind;
	ev.wait_syscall = syscall;
	ev.wait_fd = th->wait_fd;
	ev.base_depth = th->base_depth;
	bpf_get_current_comm(ev.comm, sizeof(ev.comm));
	emit(&ev, sizeof(ev), BPF_RB_FORCE_WAKEUP);
	return 0;
}

__u32 next_loop_id; /* that was never given out */

static __always_inline struct loop_thread *create(struct task_struct *task, u32 target_id,
						  u64 now_ns)
{
	struct loop_thread *th;
	struct loop_counters *c;
	u32 id;

	if (id_take(&next_loop_id, cfg_max_loops, &free_loop_ids, &id)) {
		count(STAT_LOOPS_REFUSED);
		return NULL;
	}
	th = bpf_task_storage_get(&loop_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!th) {
		/* Where the timer interrupts the allocator, there is none for it; the next wait tries again. */
		bpf_map_push_elem(&free_loop_ids, &id, BPF_ANY);
		count(STAT_EVENTS_MISSED);
		return NULL;
	}
	if (th->kind) { /* the timer interrupted this very search and was first */
		bpf_map_push_elem(&free_loop_ids, &id, BPF_ANY);
		return th;
	}
	__sync_fetch_and_add(&nr_loop_ids_taken, 1);
	th->loop_id = id;
	th->target_id = target_id;
	th->site = MAX_SITES;
	c = bpf_map_lookup_elem(&loop_counters, &id);
	if (c) {
		__builtin_memset(c, 0, sizeof(*c));
		c->since_ns = now_ns;
	}
	return th;
}

/*
 * Looks for a loop in the current thread: th as it was, with what is known now; a new one, announced;
 * or NULL.  is_in_wait: the thread is at its wait on fd; else it runs, and fd is -1.
 */
static __always_inline struct loop_thread *find(struct task_struct *task, struct loop_thread *th,
						struct target_entry *target, struct scratch *s,
						u32 is_in_wait, s32 fd, s32 syscall, u64 now_ns)
{
	u32 kind = loop_look(th, target, s, is_in_wait, fd);
	bool is_new;

	if (kind == LOOP_KIND_UNKNOWN || (th && th->target_id != target->target_id) ||
	    is_other_life(target, task))
		return NULL; /* or the image was replaced under it: its end comes first */
	if (th) {
		/* uvloop's depth is known by its wait only, and the first that was seen may have been a callback's. */
		is_new = th->kind != kind || (kind == LOOP_KIND_UVLOOP && th->base_depth != s->nr);
		loop_adopt(th, s, kind, fd);
		if (is_new)
			loop_announce(th, syscall, now_ns);
		return th;
	}
	th = create(task, target->target_id, now_ns);
	if (!th)
		return NULL;
	is_new = !th->kind;
	loop_adopt(th, s, kind, fd);
	if (is_new) {
		loop_announce(th, syscall, now_ns);
		exe_learn(task);
	}
	return th;
}

static __always_inline bool is_known_wait(struct loop_thread *th, s32 fd)
{
	return th && th->wait_fd == fd && !slot_has_changed(th);
}

/* The same of a loop that is known by its frames: the function that waits is the innermost. */
static __always_inline bool is_wait_by_frames(struct loop_thread *th, struct target_entry *target, s32 fd)
{
	u64 code;

	if (!th || th->slot_addr || th->wait_fd != fd || target->target_id != th->target_id)
		return false;
	code = pyloop_current_code(&target->layout, th->tstate_addr);
	return !code || code == th->slot_value; /* 0: it cannot be read, see slot_has_changed() */
}

/* A wait returns in the current thread, of a target. */
static __always_inline void on_wait_exit(struct task_struct *task, struct target_entry *target,
					 struct pt_regs *regs, s32 syscall)
{
	struct loop_thread *th = loop_thread_of_target(task), *found;
	s32 fd = (s32)regs->di;
	u64 now_ns = bpf_ktime_get_ns();
	bool has_slept = true;
	struct scratch *s;

	if (th && th->target_id != target->target_id) {
		loop_let_go(now_ns);
		th = NULL;
	}
	if (!target->layout.valid) {
		spawn_waits(now_ns);
		return;
	}
	if (!is_known_wait(th, fd) && !is_wait_by_frames(th, target, fd)) {
		s = scratch_get(SCRATCH_SYSCALL);
		if (!s)
			return;
		found = find(task, th, target, s, 1, fd, syscall, now_ns);
		if (!found) {
			if (th)
				th->in_wait = 0; /* its loop is no more, the descriptor another's */
			return;
		}
		if (!th) {
			/*
			 * Watching began in the middle of this wait: what was seen of it counts.  A
			 * new loop looks without waiting first: its timeout is 0.
			 */
			found->wait_start_ns = regs->r10 ? target->watched_ns : now_ns;
			found->wait_run_delay = task->sched_info.run_delay;
			found->in_wait = 1;
			has_slept = false; /* who knows */
		}
		th = found;
	}
	if (!th->in_wait) { /* it returned without having slept */
		loop_begin_wait(th, task, now_ns, false);
		has_slept = false;
	}
	loop_end_wait(th, task, now_ns, 0);
	th->is_start_exact = has_slept;
}

/* Context of all syscalls/sys_exit_* tracepoints; the format is the kernel's ABI. */
struct syscall_exit_context {
	u64 common;
	s64 nr, ret;
};

/* Attached to the tracepoints of all three waits (user/probe/probes.c): loaded once, verified once. */
SEC("tp")
int on_wait_exits(struct syscall_exit_context *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target_entry *target = target_of(task->tgid);

	if (target) /* nearly never, host-wide: nothing dear comes before this */
		on_wait_exit(task, target, (struct pt_regs *)bpf_task_pt_regs(task), (s32)ctx->nr);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_any_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task;
	struct target_entry *target;
	long nr = regs->orig_ax;

	if (!is_wait_syscall(nr))
		return 0;
	task = bpf_get_current_task_btf();
	target = target_of(task->tgid);
	if (target)
		on_wait_exit(task, target, regs, (s32)nr);
	return 0;
}

/*
 * CPU hogs.  The timer interrupts that the machine takes anyway (the scheduler's tick is one of them)
 * are the sampling clock: no timer of our own, nothing to open per thread, and a thread is sampled
 * from its first iteration on.  The interrupted thread is the current task.
 */
static __always_inline u64 step_of(struct loop_thread *th, struct scratch *s)
{
	u32 index = loop_nr_above(th, s) - 1;
	u64 frame;

	if (th->kind == LOOP_KIND_GEVENT)
		return callbacks_context_switches(s); /* it counts them up with each switch of greenlets */
	if (index >= EV_MAX_FRAMES)
		return 0;
	frame = s->frame_addrs[index & (EV_MAX_FRAMES - 1)];
	if (LOOP_KIND_IS_BY_FRAMES(th->kind))
		return callbacks_by_frames(s, th->kind, index);
	/* The frame is Handle._run's, its first local the Handle. */
	if (th->kind == LOOP_KIND_ASYNCIO)
		return read_user_u64(frame + s->layout.frame_locals) & ~PY_REF_TAGS;
	/* uvloop: the callback's own. That of a coroutine is its alone; plain ones share one address. */
	if (pyframe_code_flags(s, s->frames[index & (EV_MAX_FRAMES - 1)].code_addr) & PY_CO_COROUTINE)
		return frame;
	return callbacks_context_switches(s);
}

/* A function of its own for the verifier, which comes to it in many states. */
__noinline int sample_take(struct loop_thread *th, struct scratch *s, u32 within, u64 now_ns)
{
	struct ev_sample ev = {};

	if (!th || !s)
		return 0;
	th->last_sample_ns = now_ns;
	if (!loop_is_running(th, s)) {
		loop_left(th, now_ns);
		return 0;
	}
	ev.stack_id = loop_take_stack(th, s, now_ns);
	loop_find_run(th, s);
	head_init(&ev.head, EV_SAMPLE, sizeof(ev), now_ns, th->target_id, th->loop_id);
	ev.iteration = th->iteration + 1;
	ev.step = step_of(th, s);
	if (task_find(th, s, now_ns)) {
		ev.task_id = pytask_record(s)->task_id;
		task_send(pytask_record(s));
		/*
		 * A function in C under uvloop: no frame is its, but the loop has been seen to call it.  Where frames
		 * do not tell, as in a greenlet: what one task does in one iteration is one step.
		 */
		if (!ev.step)
			ev.step = pytask_record(s)->is_callback ? callbacks_context_switches(s) : ev.task_id;
	}
	import_note(th, s, now_ns);
	if (!th->nr_callbacks && th->kind == LOOP_KIND_ASYNCIO)
		th->nr_callbacks = callbacks_ready(s, loop_nr_above(th, s));
	if (within & IN_GC && within & IN_ESTIMATED && gc_is_called(s))
		within |= IN_COLLECT;
	ev.within = within;
	th->nr_samples++;
	emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int is_still_by_walk(struct loop_thread *th)
{
	struct scratch *s = scratch_get(SCRATCH_TICK);

	return s && loop_is_still(th, s);
}

/*
 * A build without probes: the timer interrupted the thread; if the collector runs, the time on CPU
 * since the last tick is its.  IN_* or 0.
 */
__noinline int gc_estimate(struct loop_thread *th)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = task->tgid;
	struct target_entry *target;
	struct loop_clock clock;
	s32 collecting = 0;
	u64 spent_ns;

	if (!th)
		return 0;
	loop_clock(th, task, &clock);
	spent_ns = clock.on_cpu_ns - th->tick_on_cpu_ns;
	th->tick_on_cpu_ns = clock.on_cpu_ns;
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (!target || !target->layout.collecting_addr ||
	    read_user(&collecting, sizeof(collecting), target->layout.collecting_addr + th->interp_shift))
		return 0;
	if (collecting != 1 || (th->slot_addr && slot_has_changed(th))) {
		th->is_collecting = 0;
		return 0; /* or the interpreter collects on its way out: no iteration's */
	}
	/* Whose it is can be told at its start, when all others stand still. */
	if (!th->is_collecting && !pyworld_is_ours(&target->layout, th->tstate_addr))
		return 0;
	if (!th->is_collecting && !th->slot_addr && !is_still_by_walk(th))
		return 0;
	th->is_collecting = 1;
	/* A CPU without a tick may not have been looked at for long. */
	if (spent_ns > 2 * cfg_tick_ns)
		spent_ns = 2 * cfg_tick_ns;
	th->gc_on_cpu_ns += spent_ns;
	th->flags |= ITERATION_GC_ESTIMATED;
	return IN_GC | IN_ESTIMATED;
}

/* A thread that is in its wait, as far as is known, has the CPU: if not in that call, its return went unseen. */
static __always_inline void check_running(struct loop_thread *th, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (is_wait_syscall((long)regs->orig_ax))
		return; /* on its way in or out */
	count(STAT_EVENTS_MISSED);
	loop_end_wait(th, task, bpf_ktime_get_ns(), ITERATION_PARTIAL);
}

SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(on_timer)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_thread *th = loop_thread_of(task);
	struct target_entry *target;
	u32 tgid = task->tgid, within;
	struct scratch *s;
	u64 now_ns;

	if (!th) {
		target = tgid ? target_of(tgid) : NULL;
		/* A child on its way to exec has its parent's stack; its own loop is seen at its first wait. */
		if (!target || target->is_forked)
			return 0;
		s = scratch_get(SCRATCH_TICK);
		if (!s)
			return 0;
		/* Watching began in the middle of this iteration: it is counted from here. */
		now_ns = bpf_ktime_get_ns();
		th = find(task, NULL, target, s, 0, -1, -1, now_ns);
		if (th)
			loop_start_iteration(th, task, now_ns, ITERATION_PARTIAL);
		return 0;
	}
	if (th->in_wait)
		check_running(th, task);
	if (!th->start_ns || th->in_wait || th->left_ns)
		return 0;
	if (th->out_ns) { /* it runs: whoever looks at it now must not take it for asleep or starved */
		loop_back_unseen(th, task, bpf_ktime_get_ns());
		loop_publish(th);
	}
	within = loop_within(th);
	if (!th->has_gc_probes)
		within |= gc_estimate(th);
	now_ns = bpf_ktime_get_ns();
	if (now_ns - th->last_sample_ns < cfg_sample_gap_ns)
		return 0;
	/* What the collector costs has no other witness where it is estimated. */
	if (now_ns - th->start_ns < cfg_sample_after_ns &&
	    !(within & IN_ESTIMATED && th->gc_on_cpu_ns >= cfg_report_gc_ns / 4))
		return 0;
	s = scratch_get(SCRATCH_TICK);
	if (s)
		sample_take(th, s, within, now_ns);
	return 0;
}
