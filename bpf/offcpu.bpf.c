/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a loop thread sleeps.  When it leaves the CPU outside its loop's own wait, it is still the
 * current task: its Python stack, its system call and the call's arguments are taken there and then, and
 * what its descriptor is, while the call runs.  When it comes back, the length is known.
 *
 * Sleeps of one stack, call and descriptor within one iteration add up in th->sites; most iterations
 * end healthy and all of it is forgotten.
 */
#include "import.bpf.h"
#include "loop.bpf.h"
#include "object.bpf.h"
#include "pytask.bpf.h"
#include "syscalls.bpf.h"
#include "within.bpf.h"

#define TASK_UNINTERRUPTIBLE 2
#define TASK_STOPPED	     4
#define TASK_TRACED	     8
#define TASK_FROZEN	     0x8000 /* cgroup version 1, Linux 6.1 and later; before, it looks like a page fault */
#define JOBCTL_TRAP_FREEZE   (1 << 23) /* version 2 */

__noinline int loop_make_room(struct loop_thread *th)
{
	u64 least = ~0ULL;
	u32 i, victim = 0;

	if (!th)
		return 0;
	if (th->nr_sites < MAX_SITES)
		return th->nr_sites++;
	for (i = 0; i < MAX_SITES; i++) {
		if (th->sites[i].total_ns < least) {
			least = th->sites[i].total_ns;
			victim = i;
		}
	}
	victim &= MAX_SITES - 1;
	th->nr_sleeps++;
	count(STAT_SITES_EVICTED);
	task_send(&th->tasks[victim]);
	emit(&th->sites[victim], sizeof(th->sites[victim]), BPF_RB_NO_WAKEUP);
	return victim;
}

static __always_inline u32 find_site(struct loop_thread *th, u64 stack_id, s32 syscall, s32 fd, u8 within)
{
	u32 i;

	for (i = 0; i < MAX_SITES; i++) {
		if (i >= th->nr_sites)
			break;
		if (th->sites[i].stack_id == stack_id && th->sites[i].syscall == syscall &&
		    th->sites[i].fd == fd && th->sites[i].off_class == th->out_class &&
		    (th->out_class == OFF_SYSCALL || th->sites[i].within == within))
			return i;
	}
	return MAX_SITES;
}

/* The descriptor that the current thread's system call works on; -1: none.  A function of its own, so
 * that the verifier forgets which of 64 values it is. */
__noinline int sleep_fd(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	/* What it reads keeps it: from a disk one sleeps uninterruptibly (or until killed), mostly. */
	if (regs->orig_ax == __NR_sendfile &&
	    (task->__state & TASK_UNINTERRUPTIBLE || socket_has_room((s32)regs->di)))
		return (s32)regs->si;
	return syscall_fd((s32)regs->orig_ax, regs);
}

/* Of the target that s was filled for: some thread runs the collector. */
static __always_inline bool is_collecting(struct scratch *s)
{
	s32 collecting = 0;

	return s->layout.collecting_addr &&
	       !read_user(&collecting, sizeof(collecting), s->layout.collecting_addr) && collecting == 1;
}

/*
 * The current thread goes to sleep in a system call: takes its stack, finds or makes the entry.  A
 * function of its own for the verifier: inlined, its paths multiply with those of its caller.
 */
__noinline int sleep_begin(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct ev_sleep *e;
	s32 syscall, fd;
	u64 stack_id;
	u32 site;
	u8 within;

	if (!th || !s)
		return 0;
	stack_id = loop_take_stack(th, s, now_ns);
	loop_find_run(th, s);
	syscall = (s32)regs->orig_ax;
	fd = sleep_fd();
	within = loop_within(th);
	if (th->out_class == OFF_OTHER && is_collecting(s))
		within |= IN_GC;
	site = find_site(th, stack_id, syscall, fd, within);
	th->is_sleep = 1;
	if (site < MAX_SITES) {
		th->site = site;
		return 0;
	}
	site = loop_make_room(th) & (MAX_SITES - 1);
	th->site = site;
	e = &th->sites[site];
	__builtin_memset(e, 0, sizeof(*e));
	head_init(&e->head, EV_SLEEP, sizeof(*e), now_ns, th->target_id, th->loop_id);
	e->iteration = th->iteration + 1;
	e->stack_id = stack_id;
	e->first_ns = now_ns;
	e->syscall = syscall;
	e->fd = fd;
	e->off_class = th->out_class;
	e->within = within;
	e->args[0] = regs->di;
	e->args[1] = regs->si;
	e->args[2] = regs->dx;
	object_as_given(&e->object, syscall, regs);
	if (fd >= 0)
		object_read(&e->object, fd);
	task_note(th, s, site, now_ns);
	import_note(th, s, now_ns);
	return 0;
}

static __always_inline bool is_word_of_gil(const struct py_layout *layout, u64 gil_addr, u64 word_addr)
{
	if (word_addr - gil_addr < layout->gil_bytes)
		return true;
	return layout->tstate_slot >= PY_SLOT_MUSL && gil_waits_musl(gil_addr, word_addr);
}

/* An interpreter that is not the main one has a GIL of its own, or shares the main one's. */
static __always_inline bool is_for_gil(struct loop_thread *th, const struct py_layout *layout, u64 word_addr)
{
	if (!layout->gil_addr)
		return false;
	th->gil_addr = layout->gil_addr;
	if (is_word_of_gil(layout, th->gil_addr, word_addr))
		return true;
	th->gil_addr += th->interp_shift;
	return th->interp_shift && is_word_of_gil(layout, th->gil_addr, word_addr);
}

static __always_inline void switch_out(struct loop_thread *th, struct task_struct *prev,
				       bool preempt, u64 now_ns)
{
	struct target_entry *target;
	u32 tgid = prev->tgid;
	struct pt_regs *regs;
	struct scratch *s;
	u32 state;
	s64 nr;

	loop_settle(th, prev, now_ns);
	th->out_ns = now_ns;
	th->out_exec_ns = prev->se.sum_exec_runtime;
	th->is_sleep = 0;
	th->site = MAX_SITES;
	th->out_class = OFF_RUNNABLE;
	state = prev->__state;
	if (preempt || !state)
		return;
	if (state & (TASK_STOPPED | TASK_TRACED | TASK_FROZEN) || prev->jobctl & JOBCTL_TRAP_FREEZE) {
		th->out_class = OFF_STOPPED;
		if (state & TASK_TRACED)
			th->flags |= ITERATION_TRACED;
		else if (!(state & TASK_STOPPED))
			th->flags |= ITERATION_FROZEN;
		return;
	}
	regs = (struct pt_regs *)bpf_task_pt_regs(prev);
	nr = (s64)regs->orig_ax;
	if (nr < 0) { /* in an exception: orig_ax is -1 */
		th->out_class = OFF_FAULT;
		return;
	}
	th->out_class = OFF_SYSCALL;
	s = scratch_get(SCRATCH_SWITCH);
	if (!s)
		return;
	if (!loop_is_running(th, s)) {
		loop_left(th, now_ns);
		th->out_ns = 0;
		return;
	}
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (nr == FUTEX_SYSCALL && target && is_for_gil(th, &target->layout, regs->di)) {
		th->out_class = OFF_GIL;
		gil_begin(th, s, now_ns);
		return;
	}
	/* Another thread has stopped them all: no lock of the code's. */
	if (nr == FUTEX_SYSCALL && target && pyworld_is_stopped_for(&target->layout, th->tstate_addr, regs->di))
		th->out_class = OFF_OTHER;
	sleep_begin(th, s, now_ns);
}

/* The thread goes to sleep in a wait that is not known as its loop's: a loop's first, or a blocking one? */
static __always_inline bool is_new_wait(struct loop_thread *th, struct task_struct *prev, s32 fd)
{
	struct target_entry *target;
	u32 tgid = prev->tgid, kind;
	struct scratch *s;

	target = bpf_map_lookup_elem(&targets, &tgid);
	s = scratch_get(SCRATCH_SWITCH);
	if (!target || !s || target->target_id != th->target_id)
		return false;
	kind = loop_look(th, target, s, 1, fd);
	if (kind == LOOP_KIND_UNKNOWN)
		return false;
	loop_adopt(th, s, kind, fd);
	return true;
}

/*
 * asyncio on a PollSelector or a SelectSelector.  Returns of polls are not hooked, which would cost those of
 * the whole host: what the timer has seen of its iteration ends here, and nothing more is looked at.
 */
static __always_inline void loop_polls(struct loop_thread *th, struct task_struct *prev, s32 syscall,
				       u64 now_ns)
{
	struct loop_counters *c;
	u32 id = th->loop_id;

	loop_finish(th, prev, ITERATION_WAIT, now_ns, true);
	th->kind = LOOP_KIND_ASYNCIO_POLL;
	c = bpf_map_lookup_elem(&loop_counters, &id);
	if (c)
		c->in_wait = 2;
	loop_announce(th, syscall, now_ns);
}

/* The thread leaves the CPU: does a wait begin, or has one ended without being seen to? */
static __always_inline void check_wait(struct loop_thread *th, struct task_struct *prev,
				       bool preempt, u64 now_ns)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(prev);
	bool is_waiting = is_wait_syscall((long)regs->orig_ax), is_polling;
	s32 fd = (s32)regs->di;

	if (th->in_wait) {
		if (is_waiting && fd == th->wait_fd)
			return;
		count(STAT_EVENTS_MISSED); /* see loop_settle() */
		loop_end_wait(th, prev, now_ns, ITERATION_PARTIAL);
		th->is_start_exact = 1;
		return;
	}
	/* Only of a loop that the timer has found and whose wait was not seen yet. */
	is_polling = th->wait_fd < 0 && is_poll_syscall((long)regs->orig_ax);
	if ((!is_waiting && !is_polling) || preempt || !prev->__state)
		return;
	if (is_polling)
		fd = -1;
	else if (fd == th->wait_fd) {
		loop_begin_wait(th, prev, now_ns, true);
		return;
	}
	if (!is_new_wait(th, prev, fd))
		return;
	if (is_polling)
		loop_polls(th, prev, (s32)regs->orig_ax, now_ns);
	else
		loop_begin_wait(th, prev, now_ns, true);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct loop_thread *th;
	u64 now_ns, off_ns;

	th = loop_thread_of(prev);
	if (th && (th->start_ns || th->in_wait)) {
		now_ns = bpf_ktime_get_ns();
		th->nr_switches++;
		check_wait(th, prev, preempt, now_ns);
		if (th->start_ns && !th->in_wait && !th->left_ns) {
			switch_out(th, prev, preempt, now_ns);
			loop_publish(th);
		}
	}
	th = loop_thread_of(next);
	if (th && th->out_ns) {
		now_ns = bpf_ktime_get_ns();
		off_ns = now_ns - th->out_ns;
		th->out_ns = 0;
		loop_back_on_cpu(th, off_ns, now_ns);
		loop_publish(th);
	}
	return 0;
}
