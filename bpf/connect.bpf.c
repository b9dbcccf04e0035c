/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who begins connections.  A stack costs some microseconds, so not each has its own taken: the first few
 * to a destination, some of each second, and of a burst one of eight, or one a millisecond, later four.  What a
 * sample stands for, the connections since the one before, goes along.
 */
#include "connect.bpf.h"
#include "numbers.bpf.h"
#include "pytask.bpf.h"

#define SAMPLE_FIRST   8
#define SAMPLE_GAP_NS  50000000
#define SAMPLE_OPEN    32 /* from so many open ones on it may become a burst */
#define SAMPLE_OF      8
#define SAMPLE_BURST_GAP_NS 1000000 /* a stack takes 4 to 14 us, who awaits its task 2 to 10 more: docs/OVERHEAD.md */
#define SAMPLE_LONG_BURST   256	    /* from so many in one iteration on a quarter of that will do */
#define SAMPLE_LONGER_BURST 1024    /* and from so many on a quarter again */

/* Notes one more of the iteration that the thread is in. How many the iteration has begun to this destination. */
static __always_inline u32 note_burst(struct connection_slot *slot, struct loop_thread *th)
{
	struct connection_slot *process;
	u64 iteration;

	if (!th || !th->start_ns || th->in_wait || th->left_ns)
		return 0;
	if (th->connect_iteration != th->iteration + 1) {
		th->connect_iteration = th->iteration + 1;
		th->nr_connects = 0;
	}
	th->nr_connects++;
	iteration = (u64)th->loop_id << 48 | ((th->iteration + 1) & 0xffffffffffff);
	if (slot->burst_iteration != iteration) {
		slot->burst_iteration = iteration;
		slot->nr_in_burst = 0;
	}
	slot->nr_in_burst++;
	window_raise(slot->window_burst, slot->nr_in_burst);
	process = slot_get(slot->process_slot);
	if (process && process != slot)
		window_raise(process->window_burst, th->nr_connects);
	return th->nr_connects;
}

static __always_inline bool is_due(struct connection_slot *slot, u64 begun, u32 burst, u64 now_ns)
{
	u64 gap_ns = SAMPLE_BURST_GAP_NS;

	if (begun <= SAMPLE_FIRST || now_ns - slot->sampled_ns >= SAMPLE_GAP_NS)
		return true;
	if (connection_open(&slot->counts) < SAMPLE_OPEN && burst < SAMPLE_OPEN / 2)
		return false;
	if (burst >= SAMPLE_LONG_BURST)
		gap_ns *= burst >= SAMPLE_LONGER_BURST ? 16 : 4;
	return slot->nr_to_sample >= SAMPLE_OF && now_ns - slot->sampled_ns >= gap_ns;
}

/* The stack of the current thread; what was walked is in s. 0: it has none, or is not readable. */
static __always_inline u64 take_stack(struct scratch *s, struct loop_thread *th, u64 now_ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = task->tgid;
	struct target_entry *target = bpf_map_lookup_elem(&targets, &tgid);

	if (!target || !target->layout.valid || (task->flags & (PF_KTHREAD | PF_IO_WORKER)))
		return 0;
	s->layout = target->layout;
	if (pyframe_thread(s, task->thread.fsbase))
		return 0;
	py_walk(s, target->target_id);
	if (s->status == STACK_OK && !s->nr)
		return 0;
	if (th && th->start_ns)
		await_walk(th, s);
	return stack_send(s, th, target->target_id, now_ns);
}

__noinline int connect_begun(u32 slot_id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop_thread *th = bpf_task_storage_get(&loop_threads, task, 0, 0);
	struct connection_slot *slot = slot_get(slot_id);
	struct scratch *s = scratch_get(SCRATCH_CONNECT);
	u64 now_ns = bpf_ktime_get_ns(), begun, taken, task_id = 0;
	struct connection_slot *process;
	struct ev_connect *ev;
	u32 burst, weight;

	if (!slot || !s)
		return 0;
	begun = __sync_fetch_and_add(&slot->counts.begun, 1) + 1;
	__sync_fetch_and_add(&slot->nr_to_sample, 1);
	burst = note_burst(slot, th);
	if (!is_due(slot, begun, burst, now_ns))
		return 0;
	slot->sampled_ns = now_ns;
	weight = __sync_lock_test_and_set(&slot->nr_to_sample, 0);
	taken = take_stack(s, th, now_ns);
	if (taken && th && th->start_ns && task_find(th, s, now_ns)) {
		task_id = pytask_record(s)->task_id;
		task_send(pytask_record(s));
	}
	ev = emit_begin(sizeof(*ev));
	if (!ev)
		return 0;
	head_init(&ev->head, EV_CONNECT, sizeof(*ev), now_ns, slot->target_id, th ? th->loop_id : EV_NO_LOOP);
	ev->stack_id = taken;
	ev->task_id = task_id;
	ev->serial = slot->serial;
	ev->weight = weight;
	ev->open = connection_open(&slot->counts);
	ev->burst = burst;
	ev->pid = process_number_of(task);
	ev->tid = number_of(task);
	process = slot_get(slot->process_slot);
	ev->process_serial = process ? process->serial : slot->serial;
	ev->pad = 0;
	emit_end(ev, BPF_RB_NO_WAKEUP);
	return 0;
}

__noinline int connect_collected(struct connection_slot *slot)
{
	struct connection_slot *process;

	if (!slot)
		return 0;
	__sync_fetch_and_add(&slot->counts.closed_by_gc, 1);
	process = slot_get(slot->process_slot);
	if (process)
		__sync_fetch_and_add(&process->gc_closed_connections, 1);
	return 0;
}
