/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The collector and imports, by the interpreter's own probes.  Of a loop's thread within an iteration:
 * when they run, for how long they are on the CPU, and for the long ones where they began.
 *
 * These are uprobe programs, on a breakpoint in the target.  From Linux 6.0 on they can be preempted:
 * by on_sched_switch of their own thread, which books time in the struct loop_thread that they read,
 * and by another thread's uprobe program on this CPU, which would work in the same scratch.  So they
 * read time with loop_clock(), change nothing but their own fields, and take a scratch for themselves.
 */
#include "uprobe.bpf.h"
#include "within.bpf.h"

/* A record of each would cost more than it tells; the iteration has the sum of all. */
#define LONG_NS 1000000

/*
 * Include/cpython/frameobject.h: f_valuestack (3.9, 3.10); Include/cpython/code.h: co_nlocalsplus, after
 * which the stack begins (later); Include/cpython/methodobject.h: PyCFunctionObject.m_ml.
 */
#define FRAME_VALUESTACK   64
#define CODE_NLOCALSPLUS   72
#define CODE_NLOCALSPLUS11 76
#define CFUNCTION_ML	   16
#define COLLECT		   0x007463656c6c6f63ULL /* "collect" as ml_name has it */
#define MAX_SLOTS	   12 /* a call stands low on the stack, unless it is deep in an expression */

/* Whether the reference at that address is one to gc.collect. */
__noinline int gc_is_collect(struct scratch *s, u64 at)
{
	u64 object = read_user_u64(at) & ~PY_REF_TAGS, method, name;

	if (!s)
		return 0;
	method = pyobject_u64(&s->layout, object, CFUNCTION_ML);
	name = method && !(method & 7) ? read_user_u64(method) : 0;
	return name && read_user_u64(name) == COLLECT;
}

__noinline int gc_is_called(struct scratch *s)
{
	u64 at;
	s32 nr_locals = 0;
	int i;

	if (!s || !s->nr || s->status != STACK_OK)
		return 0;
	if (s->layout.minor < 11) {
		at = read_user_u64(s->frame_addrs[0] + FRAME_VALUESTACK);
	} else {
		at = s->layout.minor == 11 ? CODE_NLOCALSPLUS11 : CODE_NLOCALSPLUS;
		at += pyobject(&s->layout, s->frames[0].code_addr);
		bpf_probe_read_user(&nr_locals, sizeof(nr_locals), (void *)at);
		at = s->frame_addrs[0] + s->layout.frame_locals + 8 * (u64)(nr_locals & 0xffff);
	}
	for (i = 0; i < MAX_SLOTS; i++)
		if (gc_is_collect(s, at + 8 * i))
			return 1;
	return 0;
}

/* Like take_stack(): in a scratch that nobody else is at. */
__noinline int is_running_by_frames(struct loop_thread *th)
{
	struct scratch *s;
	int is_running;
	u32 i;

	if (!th)
		return 0;
	for (i = SCRATCH_PROBE; i < SCRATCH_PROBE + NR_SCRATCH_PROBE; i++) {
		s = scratch_get(i);
		if (!s || __sync_val_compare_and_swap(&s->is_taken, 0, 1))
			continue;
		is_running = loop_is_running(th, s);
		s->is_taken = 0;
		return is_running;
	}
	return 0;
}

/* A loop's thread whose loop still runs: what an interpreter does on its way out is no iteration's. */
static __always_inline struct loop_thread *in_running_loop(struct task_struct *task)
{
	struct loop_thread *th = in_iteration(task);

	if (!th || (!th->slot_addr && is_running_by_frames(th)))
		return th;
	return read_user_u64(th->slot_addr) == th->slot_value ? th : NULL;
}

__noinline int gc_report(struct loop_thread *th, u64 start_ns, u64 total_ns, u64 nr_collected)
{
	u64 now_ns = bpf_ktime_get_ns();
	struct ev_gc ev = {};

	if (!th)
		return 0;
	head_init(&ev.head, EV_GC, sizeof(ev), now_ns, th->target_id, th->loop_id);
	ev.iteration = th->iteration + 1;
	ev.stack_id = take_stack(th, now_ns, &ev.task_id);
	ev.start_ns = start_ns;
	ev.total_ns = total_ns;
	ev.nr_collected = nr_collected;
	ev.generation = th->gc_generation;
	ev.is_explicit = th->gc_is_explicit;
	emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("uprobe")
int on_gc_start(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_thread *th = in_running_loop(task);
	struct loop_clock clock;

	if (!th)
		return 0;
	loop_clock(th, task, &clock);
	th->has_gc_probes = 1;
	th->gc_generation = probe_argument(ctx);
	th->gc_is_explicit = gc_is_explicit(th);
	th->gc_began_on_cpu_ns = clock.on_cpu_ns;
	th->gc_start_ns = clock.now_ns;
	return 0;
}

SEC("uprobe")
int on_gc_done(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_thread *th = in_iteration(task);
	struct loop_clock clock;
	u64 start_ns, spent_ns;

	if (!th || !th->gc_start_ns)
		return 0;
	loop_clock(th, task, &clock);
	start_ns = th->gc_start_ns;
	th->gc_start_ns = 0;
	spent_ns = clock.on_cpu_ns - th->gc_began_on_cpu_ns;
	if (clock.on_cpu_ns < th->gc_began_on_cpu_ns)
		return 0;
	th->gc_on_cpu_ns += spent_ns;
	th->nr_gcs++;
	if (spent_ns >= LONG_NS)
		gc_report(th, start_ns, spent_ns, probe_argument(ctx));
	return 0;
}

/*
 * Imports nest.  The outermost one is told by the stack pointer: its end is at the depth of its
 * beginning, those that it causes are deeper (the stack grows down).  So a hit that was missed spoils
 * one import and not all that follow.
 */
#define SP_SLACK 64 /* arguments of a call in between that are on the stack; a nested import is far lower */

SEC("uprobe")
int on_import_start(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_thread *th = in_running_loop(task);
	struct loop_clock clock;
	u64 sp = ctx->sp;

	if (!th || th->gc_start_ns) /* by a finalizer: the collector's */
		return 0;
	if (th->import_start_ns && sp + SP_SLACK < th->import_sp)
		return 0;
	loop_clock(th, task, &clock);
	th->import_sp = sp;
	th->import_began_on_cpu_ns = clock.on_cpu_ns;
	th->import_began_asleep_ns = clock.asleep_ns;
	th->import_began_gc_ns = th->gc_on_cpu_ns;
	th->import_start_ns = clock.now_ns;
	return 0;
}

__noinline int import_report(struct loop_thread *th, u64 on_cpu_ns, u64 asleep_ns, u64 module_addr)
{
	u64 now_ns = bpf_ktime_get_ns(), stack_id, task_id = 0;
	struct ev_import *ev;

	if (!th)
		return 0;
	stack_id = take_stack(th, now_ns, &task_id);
	ev = import_begin(th, now_ns);
	if (!ev)
		return 0;
	ev->stack_id = stack_id;
	ev->task_id = task_id;
	ev->start_ns = th->import_began_ns;
	ev->total_ns = now_ns - ev->start_ns;
	ev->on_cpu_ns = on_cpu_ns;
	ev->asleep_ns = asleep_ns;
	if (bpf_probe_read_user_str(ev->module, sizeof(ev->module), (void *)module_addr) < 0)
		ev->module[0] = 0;
	emit_end(ev, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("uprobe")
int on_import_done(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_thread *th = in_iteration(task);
	u64 sp = ctx->sp, on_cpu_ns, asleep_ns, gc_ns;
	struct loop_clock clock;

	if (!th || !th->import_start_ns || sp + SP_SLACK < th->import_sp)
		return 0;
	loop_clock(th, task, &clock);
	th->import_began_ns = th->import_start_ns;
	th->import_start_ns = 0;
	on_cpu_ns = clock.on_cpu_ns - th->import_began_on_cpu_ns;
	asleep_ns = clock.asleep_ns - th->import_began_asleep_ns;
	gc_ns = th->gc_on_cpu_ns - th->import_began_gc_ns;
	if (clock.on_cpu_ns < th->import_began_on_cpu_ns || clock.asleep_ns < th->import_began_asleep_ns ||
	    gc_ns > on_cpu_ns)
		return 0;
	on_cpu_ns -= gc_ns;
	th->import_on_cpu_ns += on_cpu_ns;
	th->import_asleep_ns += asleep_ns;
	th->nr_imports++;
	if (on_cpu_ns + asleep_ns >= LONG_NS)
		import_report(th, on_cpu_ns, asleep_ns, probe_argument(ctx));
	return 0;
}
