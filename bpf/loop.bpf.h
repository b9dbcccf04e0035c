/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the probes share of a loop thread's life: booking its time, its stacks, its iterations. */
#ifndef LOOP_BPF_H
#define LOOP_BPF_H

#include "emit.bpf.h"
#include "pyinterp.h"
#include "pystack.bpf.h"

#define FUTEX_SYSCALL 202 /* x86-64 */

/* The thread had left the CPU for the GIL, for off_ns: the site learns who held it (gil.bpf.c). */
extern int gil_back(struct loop_thread *th, u64 off_ns);

/* Of that, asleep_ns was no wait for a CPU: books how much of it the holder had none. */
extern int gil_settle(struct loop_thread *th, u64 asleep_ns);

/* The thread was off the CPU for off_ns and has it again since back_ns.  th->out_ns has been set to 0. */
static __always_inline void loop_back_on_cpu(struct loop_thread *th, u64 off, u64 back_ns)
{
	u32 site = th->site;
	struct ev_sleep *e;

	th->off_total_ns += off;
	th->settle_ns = off;
	th->settle_class = th->out_class;
	if (!th->is_sleep || site >= MAX_SITES)
		return;
	e = &th->sites[site];
	e->count++;
	e->total_ns += off;
	e->last_ns = back_ns;
	if (off > e->max_ns)
		e->max_ns = off;
	if (th->out_class == OFF_GIL)
		gil_back(th, off);
}

/*
 * Events do get lost: while any other program is attached to or detached from a tracepoint, the kernel
 * skips a call now and then (measured on 6.18: two of 1,500 during 24 such changes).  A lost event
 * must not become a wrong answer, so each hook checks what the one before should have left:
 * here and with each tick, a thread that runs though it was never seen coming back; in offcpu.bpf.c, a
 * wait whose end went unseen; in loop_finish(), a sleep that went unseen.
 */

/*
 * The thread runs, and its return to the CPU went unseen: since when?  The scheduler's own sums say how
 * long it waited for a CPU, which is exact, and how long it has run since, which is up to a tick behind.
 */
static __always_inline void loop_back_unseen(struct loop_thread *th, struct task_struct *task,
					     u64 now_ns)
{
	/* The return of a system call may be at this when the timer interrupts it: one of them has it. */
	u64 out_ns = __sync_lock_test_and_set(&th->out_ns, 0), off = now_ns - out_ns;
	u64 ran = task->se.sum_exec_runtime - th->out_exec_ns;
	u64 queued = task->sched_info.run_delay - th->run_delay;

	if (!out_ns)
		return;
	count(STAT_EVENTS_MISSED);
	off = ran < off ? off - ran : 0;
	if (th->out_class == OFF_RUNNABLE && queued < off)
		off = queued;
	loop_back_on_cpu(th, off, out_ns + off);
}

/*
 * Books the last time off the CPU, once its part in the run queue is known: the scheduler adds it to
 * run_delay only after the sched_switch event that brings the thread back.
 */
static __always_inline void loop_settle(struct loop_thread *th, struct task_struct *task, u64 now_ns)
{
	u64 run_delay = task->sched_info.run_delay, off, queued, asleep;
	u32 class, site;

	if (th->out_ns)
		loop_back_unseen(th, task, now_ns);
	off = th->settle_ns;
	class = th->settle_class;
	site = th->site;
	queued = th->is_misqueued ? 0 : run_delay - th->run_delay;
	th->is_misqueued = 0;
	th->run_delay = run_delay;
	if (!off)
		return;
	th->settle_ns = 0;
	if (class == OFF_RUNNABLE || queued > off)
		queued = off;
	asleep = off - queued;
	th->run_queue_ns += queued;
	if (class < OFF_CLASS_MAX)
		th->off_ns[class] += asleep;
	if ((class == OFF_SYSCALL || class == OFF_GIL || class == OFF_OTHER) && site < MAX_SITES)
		th->sites[site].asleep_ns += asleep;
	if (class == OFF_GIL)
		gil_settle(th, asleep);
}

/*
 * Starts an iteration now. The thread is the current one. No iteration is under way, so the timer takes no
 * sample until start_ns is set: last, or what it counts would be set to 0 here.
 */
static __always_inline void loop_start_iteration(struct loop_thread *th, struct task_struct *task,
						 u64 now_ns, u8 flags)
{
	th->left_ns = 0;
	th->flags = flags;
	th->in_wait = 0;
	th->is_misqueued = 0;
	th->is_sleep = 0;
	th->out_ns = 0;
	th->settle_ns = 0;
	th->run_delay = task->sched_info.run_delay;
	th->off_total_ns = 0;
	th->run_queue_ns = 0;
	__builtin_memset(th->off_ns, 0, sizeof(th->off_ns));
	th->start_exec_ns = task->se.sum_exec_runtime;
	th->is_start_exact = 0;
	th->nvcsw = task->nvcsw;
	th->nivcsw = task->nivcsw;
	th->maj_flt = task->maj_flt;
	th->nr_sites = 0;
	th->nr_sleeps = 0;
	th->nr_samples = 0;
	th->nr_switches = 0;
	th->nr_callbacks = 0;
	th->site = MAX_SITES;
	th->gc_start_ns = th->import_start_ns = 0;
	th->gc_on_cpu_ns = th->import_on_cpu_ns = th->import_asleep_ns = 0;
	th->tick_on_cpu_ns = 0;
	th->import_name_id = 0;
	th->nr_gcs = th->nr_imports = 0;
	th->gil_stack_id = 0;
	barrier();
	th->start_ns = now_ns;
}

/*
 * Whether the slot has changed.  What cannot be read has not: the page may be on its way elsewhere, and a loop that
 * was given up for that would be in no number.  True of a loop without a slot.
 */
static __always_inline bool slot_has_changed(struct loop_thread *th)
{
	u64 value;

	if (!th->slot_addr)
		return true;
	return !read_user(&value, sizeof(value), th->slot_addr) && value != th->slot_value;
}

/* Finds the thread's loop anew (loop.bpf.c).  Walks the stack where that is what tells. */
extern int loop_is_still(struct loop_thread *th, struct scratch *s);

/* After the walk: the function that runs the loop is where it was on the stack. */
static __always_inline bool loop_is_in_run(struct loop_thread *th, struct scratch *s)
{
	u32 depth = th->base_depth;

	if (!th->run_code || !depth || depth > s->nr)
		return false;
	return s->frames[frame_index(s->nr - depth)].code_addr == th->run_code;
}

/*
 * How many frames are above that one, after the walk.  -1: not known, for it is not there: it is too deep, the
 * stack is a greenlet's, or not read whole.
 */
static __always_inline s32 loop_nr_above(struct loop_thread *th, struct scratch *s)
{
	return loop_is_in_run(th, s) ? (s32)(s->nr - th->base_depth) : -1;
}

/* Whether the thread still runs its loop: the slot is unchanged, or a loop is found anew. */
static __always_inline int loop_is_running(struct loop_thread *th, struct scratch *s)
{
	return !slot_has_changed(th) || loop_is_still(th, s);
}

/* The thread was seen outside its loop: the iteration is over, whatever comes next is not the loop's. */
static __always_inline void loop_left(struct loop_thread *th, u64 now_ns)
{
	u32 id = th->loop_id;
	struct loop_counters *c = bpf_map_lookup_elem(&loop_counters, &id);

	th->left_ns = now_ns;
	if (c) {
		c->since_ns = now_ns;
		c->in_wait = 2;
	}
}

/*
 * Makes sure that the record of the stack that was walked last has been sent. Its id, never 0.  Of a loop's
 * thread (th; else NULL) a new one wakes the daemon: its names must be read soon.
 */
extern u64 stack_send(struct scratch *s, struct loop_thread *th, u32 target_id, u64 now_ns);

static __always_inline u64 loop_send_stack(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	return stack_send(s, th, th->target_id, now_ns);
}

/*
 * Walks the current thread's Python stack and makes sure that its record has been sent.
 * Returns its id, never 0; s->nr, s->frame_addrs hold the walk.  0 if there is no target (any more).
 */
extern u64 loop_take_stack(struct loop_thread *th, struct scratch *s, u64 now_ns);

/* After it: finds the function that runs asyncio's loop anew, if the same loop was run before from another depth. */
extern int loop_find_run(struct loop_thread *th, struct scratch *s);

/* A free entry of th->sites; if there is none, the one with the least time is sent and reused. */
extern int loop_make_room(struct loop_thread *th);
/* The current thread goes to sleep for the GIL: where, and who holds it (gil.bpf.c). */
extern int gil_begin(struct loop_thread *th, struct scratch *s, u64 now_ns);
extern int gil_waits_musl(u64 gil_addr, u64 word_addr);

/*
 * Ends the iteration under way (if any) at now_ns: counts it, and reports it if it is past a limit.
 * Everything is booked, and nvcsw, nivcsw, maj_flt are those of the iteration: see loop_finish().
 */
extern int loop_end_iteration(struct loop_thread *th, u32 end, u64 now_ns);

/* Lets the daemon see an iteration that lasts: fills its struct loop_live. */
extern int loop_publish(struct loop_thread *th);

#define TAKEN_MIN_NS 100000 /* less of an iteration is what switches themselves take */

/*
 * Time that was neither seen off the CPU nor, by the scheduler's own sum, spent on it: a sleep that went
 * unseen, or a CPU that interrupts or the hypervisor had.  Nobody's code is to blame for it.
 */
static __always_inline void loop_take_off(struct loop_thread *th, u64 on_cpu, u64 taken)
{
	u64 share;

	th->off_total_ns += taken;
	th->off_ns[OFF_OTHER] += taken;
	if (th->nvcsw + th->nivcsw > th->nr_switches) {
		count(STAT_EVENTS_MISSED);
		return;
	}
	/* It was taken of whatever ran. */
	share = (taken << 10) / on_cpu;
	th->gc_on_cpu_ns -= (th->gc_on_cpu_ns * share) >> 10;
	th->import_on_cpu_ns -= (th->import_on_cpu_ns * share) >> 10;
}

/* is_exact: the thread leaves the CPU, so that the scheduler has just brought its sum up to date. */
static __always_inline void loop_finish(struct loop_thread *th, struct task_struct *task, u32 end,
					u64 now_ns, bool is_exact)
{
	u64 on_cpu; /* what is left of the iteration after all time off the CPU that was seen */
	s64 excess;

	if (!th->start_ns)
		return;
	loop_settle(th, task, now_ns);
	th->nvcsw = task->nvcsw - th->nvcsw;
	th->nivcsw = task->nivcsw - th->nivcsw;
	th->maj_flt = task->maj_flt - th->maj_flt;
	on_cpu = now_ns - th->start_ns - th->off_total_ns;
	excess = (s64)(on_cpu - (task->se.sum_exec_runtime - th->start_exec_ns));
	if (is_exact && th->is_start_exact) {
		if (excess > TAKEN_MIN_NS && !th->left_ns)
			loop_take_off(th, on_cpu, excess);
	} else if (excess > (s64)(cfg_tick_ns + cfg_tick_ns / 4) && !th->left_ns) {
		/* The sum is up to a tick behind, half of one on average. */
		loop_take_off(th, on_cpu, excess - cfg_tick_ns / 2);
	}
	loop_end_iteration(th, end, now_ns);
}

/* The thread is at its loop's own wait: the iteration is over, the wait begins. */
static __always_inline void loop_begin_wait(struct loop_thread *th, struct task_struct *task,
					    u64 now_ns, bool is_exact)
{
	struct loop_counters *c;
	u32 id = th->loop_id;

	loop_finish(th, task, ITERATION_WAIT, now_ns, is_exact);
	th->in_wait = 1;
	th->wait_start_ns = now_ns;
	th->wait_run_delay = task->sched_info.run_delay;
	c = bpf_map_lookup_elem(&loop_counters, &id);
	if (c) {
		c->since_ns = now_ns;
		c->in_wait = 1;
	}
}

/* Threads of io_uring have their creator's memory and FS base, so they seem to be where it is. */
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

/*
 * Is the current thread, of a target, in a loop's wait on fd (or, is_in_wait == 0, below its _run_once)?  The
 * kind; what was found is in s.  th: what is known of it, or NULL.
 */
extern int loop_look(struct loop_thread *th, struct target_entry *target, struct scratch *s, u32 is_in_wait, s32 fd);

/* Takes over what loop_look() found. */
static __always_inline void loop_adopt(struct loop_thread *th, struct scratch *s, u32 kind, s32 fd)
{
	th->kind = kind;
	th->wait_fd = fd;
	th->base_depth = s->nr;
	th->tstate_addr = s->tstate_addr;
	th->interp_shift = pyinterp_shift(&s->layout, s->tstate_addr);
	th->slot_addr = s->slot_addr;
	th->slot_value = s->slot_value;
	th->run_code = s->run_code;
}

/* The wait is over: idle time ends, an iteration begins. */
static __always_inline void loop_end_wait(struct loop_thread *th, struct task_struct *task,
					  u64 now_ns, u8 flags)
{
	struct loop_counters *c;
	u32 id = th->loop_id;

	c = bpf_map_lookup_elem(&loop_counters, &id);
	if (c) {
		c->idle_ns += now_ns - th->wait_start_ns;
		c->since_ns = now_ns;
		c->in_wait = 0;
	}
	th->wake_delay_ns =
		th->is_misqueued ? 0 : task->sched_info.run_delay - th->wait_run_delay;
	loop_start_iteration(th, task, now_ns, flags);
}

/* Sends the record of a loop that was just found in the current thread (wait.bpf.c). */
extern int loop_announce(struct loop_thread *th, s32 syscall, u64 now_ns);

#define SYS_EPOLL_WAIT	 232 /* x86-64 */
#define SYS_EPOLL_PWAIT	 281
#define SYS_EPOLL_PWAIT2 441

static __always_inline int is_wait_syscall(long nr)
{
	return nr == SYS_EPOLL_WAIT || nr == SYS_EPOLL_PWAIT || nr == SYS_EPOLL_PWAIT2;
}

#define SYS_POLL     7 /* x86-64 */
#define SYS_SELECT   23
#define SYS_PSELECT6 270
#define SYS_PPOLL    271

static __always_inline int is_poll_syscall(long nr)
{
	return nr == SYS_POLL || nr == SYS_SELECT || nr == SYS_PSELECT6 || nr == SYS_PPOLL;
}

#endif
