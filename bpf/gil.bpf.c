/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who keeps the loop from the GIL.  CPython waits for it in pieces, timed futex waits of the switch
 * interval (5 ms): each is a time off the CPU of its own, so looking at the holder where each piece begins
 * samples it.  The holder runs meanwhile, in the same memory: its frames are walked as ours are, and a
 * walk that it tears ends with a status that says so.
 *
 * Time is booked by own stack and holder.  Where the holder stands is no part of the key: a Python loop
 * that moves on would fill all sites with one thread.  The site keeps that stack of the holder which a vote
 * by time leaves (Boyer and Moore): of a call that takes most of the wait it is the call, of a loop some
 * line of it.  A piece votes for the look at its end and half as much for the one at its start: the first
 * look of a wait finds the holder where it just took the GIL, which is not what it kept it for.
 *
 * Who gives the GIL away because another thread asked for it waits until that one has taken it.  It was woken up
 * for that and needs nothing but a CPU.
 *
 * A loop beside busy threads waits for the GIL in every iteration.  Nothing is looked at before the
 * iteration's waits could reach half the limit with the piece that begins: that is how long those
 * iterations are that nobody will hear of.
 */
#include "loop.bpf.h"
#include "pygil.h"
#include "pytask.bpf.h"

#define WALK_GAP_NS  1000000 /* the pieces may be short and many: one holder is not walked more often */
#define OBEY_NS	     1000000 /* so long after it was asked for it, nobody who runs Python has the GIL */
#define GIL_INTERVAL 8	     /* before last_holder: microseconds; a piece is not longer */
#define TASK_INTERRUPTIBLE 1

/*
 * Who holds it goes to th->gil_tstate_addr.  True: that is worth a look.  Not if we gave it away and nobody has
 * taken it, which is noted in th->gil_queued_ns.
 */
__noinline int gil_read(struct loop_thread *th, u64 locked_addr, u64 last_holder_addr)
{
	u64 holder, interval_ns;
	u32 locked = 0;

	if (!th)
		return 0;
	th->gil_tstate_addr = 0;
	if (read_user(&locked, sizeof(locked), locked_addr))
		return 0;
	holder = read_user_u64(last_holder_addr);
	if (!locked && holder == th->tstate_addr) {
		th->gil_queued_ns = ~0ULL;
		return 0;
	}
	if (locked == 1 && holder != th->tstate_addr)
		th->gil_tstate_addr = holder;
	interval_ns = read_user_u64(last_holder_addr - GIL_INTERVAL) * 1000;
	return th->off_ns[OFF_GIL] + interval_ns >= cfg_report_gil_ns / 2;
}

/* Since 6.2 and 6.13; the second looks in the PID namespace of the current thread. */
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
extern struct task_struct *bpf_task_from_vpid(s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

/* How long it has been waiting for a CPU by now. */
static __always_inline u64 task_queued_ns(struct task_struct *task)
{
	u64 since_ns = task->sched_info.last_queued, now_ns;

	/* Who sleeps may be accounted for as queued, see migrate.bpf.c. */
	if (!since_ns || task->__state || !bpf_core_field_exists(task->se.cfs_rq) ||
	    !bpf_core_field_exists(((struct cfs_rq *)0)->rq))
		return 0;
	/*
	 * The scheduler's own clock, of this CPU, which is at a switch: it is up to date.  It is rare, so helpers
	 * read it: a load of a pointer takes the verifier long (see loop_thread_of_target()), in each of five programs.
	 */
	now_ns = BPF_CORE_READ(bpf_get_current_task_btf(), se.cfs_rq, rq, clock);
	return now_ns > since_ns ? now_ns - since_ns : 0;
}

/* The scheduler's account of the holder goes to th->gil_holder; all 0: not known. */
__noinline int gil_read_holder(struct loop_thread *th)
{
	struct task_struct *task = NULL;
	struct holder_account *account;

	if (!th)
		return 0;
	account = &th->gil_holder;
	account->ran_ns = account->queue_ns = account->is_asleep = 0;
	if (th->gil_pid && bpf_task_from_pid)
		task = bpf_task_from_pid((s32)th->gil_pid);
	if (!task)
		return 0;
	account->ran_ns = task->se.sum_exec_runtime;
	account->queue_ns = task->sched_info.run_delay + task_queued_ns(task) + 1;
	account->is_asleep = task->__state & TASK_INTERRUPTIBLE;
	bpf_task_release(task);
	return 0;
}

/* Its number on the host, by the one that it has for the current thread, which is of its process. */
static __always_inline void find_holder(struct loop_thread *th, u32 tid)
{
	struct task_struct *task = NULL;

	th->gil_pid = 0;
	if (!tid)
		return;
	if (bpf_task_from_vpid)
		task = bpf_task_from_vpid((s32)tid);
	else if (bpf_task_from_pid)
		task = bpf_task_from_pid((s32)tid);
	if (!task)
		return;
	if ((u32)task->tgid == bpf_get_current_pid_tgid() >> 32)
		th->gil_pid = task->pid;
	bpf_task_release(task);
}

static __always_inline u32 native_id(struct scratch *s, u64 holder, u64 ident)
{
	u32 tid = 0;

	if (s->layout.tstate_native_id)
		return (u32)read_user_u64(holder + s->layout.tstate_native_id);
	if (!s->layout.pthread_tid || read_user(&tid, sizeof(tid), ident + s->layout.pthread_tid))
		return 0;
	return tid;
}

/*
 * Is the holder in one call of C?  Who sleeps and has the GIL is.  Whoever waited a piece in vain has asked for it,
 * and the interpreter gives it away between two instructions, a few microseconds later: who has run for longer
 * since, and has it still, is in C.  Where the kernel does not say how long it ran: who stands where the look before
 * found it.  To stand still is not enough: so does a holder that has no CPU.
 */
static __always_inline void note_asked(struct loop_thread *th, bool goes_on)
{
	if (!goes_on) {
		th->gil_is_asked = 0;
		return;
	}
	if (th->gil_is_asked)
		return;
	th->gil_is_asked = 1;
	th->gil_asked_ns = 0;
	th->gil_ran_ns = th->gil_holder.ran_ns;
}

/* Where the holder is goes to th->gil_stack_id. */
static __always_inline void look_at_holder(struct loop_thread *th, struct scratch *s, u64 holder,
					   u64 ident, u64 now_ns)
{
	u64 before = th->gil_ident == ident ? th->gil_stack_id : 0;
	bool goes_on = before && now_ns - th->gil_ended_ns < WALK_GAP_NS;

	if (!goes_on)
		find_holder(th, native_id(s, holder, ident));
	gil_read_holder(th);
	note_asked(th, goes_on);
	th->gil_ident = ident;
	th->gil_is_still = 0;
	if (before && now_ns - th->gil_walk_ns < WALK_GAP_NS)
		return;
	th->gil_walk_ns = now_ns;
	s->tstate_addr = holder;
	py_walk(s, th->target_id);
	if (s->status != STACK_OK) /* it moved while it was read: once more */
		py_walk(s, th->target_id);
	th->gil_stack_id = loop_send_stack(th, s, now_ns);
	th->gil_is_still = goes_on && th->gil_stack_id == before;
}

/* Nobody has it.  Who had it until now may not be done with giving it away: we wait for the lock around that. */
static __always_inline void look_at_last_holder(struct loop_thread *th, u64 now_ns)
{
	if (now_ns - th->gil_ended_ns >= WALK_GAP_NS)
		th->gil_pid = 0;
	gil_read_holder(th);
	th->gil_ident = th->gil_stack_id = th->gil_is_still = th->gil_is_asked = 0;
}

static __always_inline u32 find_gil_site(struct loop_thread *th, u64 stack_id, u64 ident)
{
	u32 i;

	for (i = 0; i < MAX_SITES; i++) {
		if (i >= th->nr_sites)
			break;
		if (th->sites[i].stack_id == stack_id && th->sites[i].holder_ident == ident &&
		    th->sites[i].off_class == OFF_GIL)
			return i;
	}
	return MAX_SITES;
}

static __always_inline void vote(struct loop_thread *th, u32 site, u64 for_ns)
{
	struct ev_sleep *e = &th->sites[site & (MAX_SITES - 1)];
	u64 votes_ns = th->gil_votes_ns[site & (MAX_SITES - 1)];

	if (e->holder_stack_id == th->gil_stack_id) {
		votes_ns += for_ns;
	} else if (votes_ns >= for_ns) {
		votes_ns -= for_ns;
	} else {
		votes_ns = for_ns - votes_ns;
		e->holder_stack_id = th->gil_stack_id;
	}
	th->gil_votes_ns[site & (MAX_SITES - 1)] = votes_ns;
}

__noinline int gil_waits_musl(u64 gil_addr, u64 word_addr)
{
	return py_musl_waits_for_gil(gil_addr, word_addr);
}

__noinline int gil_begin(struct loop_thread *th, struct scratch *s, u64 now_ns)
{
	u64 stack_id, holder, frame, at, ident = 0;
	struct target_entry *target;
	struct ev_sleep *e;
	u32 tgid = bpf_get_current_pid_tgid() >> 32, site, nr, step;
	s32 above;

	if (!th || !s)
		return 0;
	th->gil_queued_ns = 0;
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (!target || !target->layout.gil_locked)
		return 0;
	at = th->gil_addr;
	if (!gil_read(th, at + target->layout.gil_locked, at + target->layout.gil_last_holder))
		return 0;
	stack_id = loop_take_stack(th, s, now_ns);
	if (!stack_id)
		return 0;
	/* To the task lead our stack's depth, the loop's frame and the one above; the holder's come in their place. */
	above = loop_nr_above(th, s);
	nr = above < 0 ? 0 : s->nr;
	step = frame_index(above - 1);
	frame = s->frame_addrs[step];
	holder = th->gil_tstate_addr;
	if (holder)
		ident = read_user_u64(holder + s->layout.tstate_thread_id);
	if (ident)
		look_at_holder(th, s, holder, ident, now_ns);
	else
		look_at_last_holder(th, now_ns);
	site = find_gil_site(th, stack_id, ident);
	th->is_sleep = 1;
	if (site < MAX_SITES) {
		th->site = site;
		/* The wait goes on: this look is the end of the piece before. */
		if (now_ns == th->gil_walk_ns && now_ns - th->sites[site].last_ns < WALK_GAP_NS)
			vote(th, site, th->gil_piece_ns);
		return 0;
	}
	site = loop_make_room(th) & (MAX_SITES - 1);
	th->site = site;
	th->gil_votes_ns[site] = 0;
	e = &th->sites[site];
	__builtin_memset(e, 0, sizeof(*e));
	head_init(&e->head, EV_SLEEP, sizeof(*e), now_ns, th->target_id, th->loop_id);
	e->iteration = th->iteration + 1;
	e->stack_id = stack_id;
	e->first_ns = now_ns;
	e->syscall = FUTEX_SYSCALL;
	e->fd = -1;
	e->off_class = OFF_GIL;
	e->holder_ident = ident;
	e->holder_stack_id = th->gil_stack_id;
	e->holder_tid = ident ? native_id(s, holder, ident) : 0;
	s->nr = nr;
	s->frame_addrs[step] = frame;
	s->frames[frame_index(above)].code_addr = th->run_code;
	task_note(th, s, site, now_ns);
	return 0;
}

__noinline int gil_back(struct loop_thread *th, u64 off_ns)
{
	struct ev_sleep *e;
	u64 queue_ns, was_asleep;
	u32 site;

	if (!th)
		return 0;
	site = th->site;
	if (site >= MAX_SITES)
		return 0;
	e = &th->sites[site];
	queue_ns = th->gil_holder.queue_ns;
	was_asleep = th->gil_holder.is_asleep;
	gil_read_holder(th);
	th->gil_queued_ns = queue_ns && th->gil_holder.queue_ns > queue_ns ? th->gil_holder.queue_ns - queue_ns : 0;
	if (was_asleep) {
		e->holder_still_us += (u32)(off_ns / 1000);
	} else if (th->gil_is_asked && th->gil_ran_ns) {
		th->gil_asked_ns += off_ns;
		if (th->gil_holder.ran_ns > th->gil_ran_ns + cfg_tick_ns + OBEY_NS) {
			e->holder_still_us += (u32)(th->gil_asked_ns / 1000);
			th->gil_asked_ns = 0;
		}
	} else if (th->gil_is_still) {
		e->holder_still_us += (u32)(off_ns / 1000);
	}
	th->gil_piece_ns = off_ns;
	th->gil_ended_ns = e->last_ns;
	vote(th, site, off_ns / 2);
	return 0;
}

__noinline int gil_settle(struct loop_thread *th, u64 asleep_ns)
{
	u64 queued_ns;
	u32 site;

	if (!th)
		return 0;
	site = th->site;
	/* While the loop waited for one as well, that is its run_queue_ns. */
	queued_ns = th->gil_queued_ns < asleep_ns ? th->gil_queued_ns : asleep_ns;
	th->off_ns[OFF_HOLDER_QUEUED] += queued_ns;
	if (site < MAX_SITES)
		th->sites[site].holder_queued_ns += queued_ns;
	return 0;
}
