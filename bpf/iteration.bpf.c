/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The end of an iteration: adds it to its loop's counters, and sends its sleeps and its split if it
 * went past a limit.  A healthy iteration leaves no record.  And, while it lasts, how far it is.
 */
#include "callbacks.bpf.h"
#include "loop.bpf.h"
#include "pytask.bpf.h"

static __always_inline u32 log2_u64(u64 value)
{
	u32 log = 0;

	if (value >> 32) { value >>= 32; log += 32; }
	if (value >> 16) { value >>= 16; log += 16; }
	if (value >> 8) { value >>= 8; log += 8; }
	if (value >> 4) { value >>= 4; log += 4; }
	if (value >> 2) { value >>= 2; log += 2; }
	return log + (value >> 1);
}

/* The same function as hist_bucket() of the daemon: a test compares them.  Its 64 ways are the verifier's once. */
__noinline int hist_bucket(u64 length_ns)
{
	u64 units = length_ns >> HIST_SHIFT;
	u32 log, bucket;

	if (units < HIST_SUB)
		return units;
	log = log2_u64(units);
	bucket = (log - 1) * HIST_SUB + (u32)((units >> (log - 2)) & (HIST_SUB - 1));
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

static __always_inline void count_iteration(struct loop_thread *th, u64 length_ns, u64 now_ns)
{
	u32 id = th->loop_id, bucket = hist_bucket(length_ns);
	struct loop_counters *c = bpf_map_lookup_elem(&loop_counters, &id);

	if (!c)
		return;
	c->iterations++;
	c->busy_ns += length_ns;
	if (length_ns > c->max_ns)
		c->max_ns = length_ns;
	c->since_ns = now_ns;
	if (bucket < HIST_BUCKETS)
		c->hist[bucket]++;
}

__noinline int send_sleep(struct loop_thread *th, u32 site)
{
	if (!th)
		return 0;
	site &= MAX_SITES - 1;
	th->nr_sleeps++;
	task_send(&th->tasks[site]);
	emit(&th->sites[site], sizeof(th->sites[site]), BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline void send_sleeps(struct loop_thread *th)
{
	u32 i;

	for (i = 0; i < MAX_SITES && i < th->nr_sites; i++)
		send_sleep(th, i);
}

/* Parts of on_cpu_ns and off_ns[OFF_SYSCALL], which may have lost what went unseen: never more than these. */
static __always_inline void fill_within(struct loop_thread *th, struct ev_iteration *ev)
{
	u64 left = ev->on_cpu_ns;

	ev->gc_on_cpu_ns = th->gc_on_cpu_ns < left ? th->gc_on_cpu_ns : left;
	left -= ev->gc_on_cpu_ns;
	ev->import_on_cpu_ns = th->import_on_cpu_ns < left ? th->import_on_cpu_ns : left;
	left = th->off_ns[OFF_SYSCALL];
	ev->import_asleep_ns = th->import_asleep_ns < left ? th->import_asleep_ns : left;
	ev->nr_gcs = th->nr_gcs;
	ev->nr_imports = th->nr_imports;
}

__noinline int loop_end_iteration(struct loop_thread *th, u32 end, u64 now_ns)
{
	u64 start_ns, off, on_cpu_ns, nr_waiting = 0;
	struct ev_iteration *ev;
	u32 i;

	if (!th || !th->start_ns)
		return 0;
	/*
	 * The timer may interrupt from here on: with no iteration under way it takes no sample, which
	 * would bear the number of the next one and be in the stream before the records of this one.
	 */
	start_ns = th->start_ns;
	th->start_ns = 0;
	barrier();
	if (th->left_ns) {
		/* It ended when the thread was first seen outside the loop, not when it came back. */
		end = ITERATION_LEFT;
		now_ns = th->left_ns;
	}
	th->iteration++;
	off = th->off_total_ns;
	if (now_ns < start_ns + off)
		now_ns = start_ns + off;
	count_iteration(th, now_ns - start_ns, now_ns);
	on_cpu_ns = now_ns - start_ns - off;
	if (!th->nr_sleeps && !th->nr_samples && th->off_ns[OFF_SYSCALL] < cfg_report_asleep_ns &&
	    on_cpu_ns < cfg_report_on_cpu_ns && th->off_ns[OFF_GIL] < cfg_report_gil_ns &&
	    th->gc_on_cpu_ns < cfg_report_gc_ns &&
	    th->import_on_cpu_ns + th->import_asleep_ns < cfg_report_import_ns &&
	    th->run_queue_ns + th->wake_delay_ns + th->off_ns[OFF_HOLDER_QUEUED] < cfg_report_starved_ns &&
	    th->off_ns[OFF_FAULT] < cfg_report_starved_ns &&
	    th->off_ns[OFF_STOPPED] < cfg_report_starved_ns && th->off_ns[OFF_OTHER] < cfg_report_gc_ns)
		return 0;
	send_sleeps(th);
	if (end == ITERATION_WAIT && th->nr_samples)
		nr_waiting = callbacks_waiting(th);
	ev = emit_begin(sizeof(*ev));
	if (!ev)
		return 1;
	head_init(&ev->head, EV_ITERATION, sizeof(*ev), now_ns, th->target_id, th->loop_id);
	ev->iteration = th->iteration;
	ev->start_ns = start_ns;
	ev->end_ns = now_ns;
	ev->on_cpu_ns = on_cpu_ns;
	ev->run_queue_ns = th->run_queue_ns;
	ev->wake_delay_ns = th->wake_delay_ns;
	for (i = 0; i < OFF_CLASS_MAX; i++)
		ev->off_ns[i] = th->off_ns[i];
	/* The counters of context switches and faults were set to differences by the caller. */
	ev->nr_voluntary = th->nvcsw;
	ev->nr_involuntary = th->nivcsw;
	ev->nr_major_faults = th->maj_flt;
	ev->nr_sleeps = th->nr_sleeps;
	ev->nr_samples = th->nr_samples;
	ev->end = end;
	ev->flags = th->flags;
	ev->pad = 0;
	fill_within(th, ev);
	ev->nr_callbacks = th->nr_callbacks;
	ev->nr_waiting = nr_waiting;
	emit_end(ev, wakeup_flags(th, now_ns));
	return 1;
}

__noinline int loop_publish(struct loop_thread *th)
{
	struct loop_live *live;
	u32 id, site;

	if (!th)
		return 0;
	id = th->loop_id;
	site = th->site;
	live = bpf_map_lookup_elem(&loop_lives, &id);
	if (!live)
		return 0;
	live->sequence++;
	barrier();
	live->start_ns = th->start_ns;
	live->out_ns = th->out_ns;
	live->out_exec_ns = th->out_exec_ns;
	live->wake_delay_ns = th->wake_delay_ns;
	live->off_total_ns = th->off_total_ns;
	live->run_queue_ns = th->run_queue_ns;
	__builtin_memcpy(live->off_ns, th->off_ns, sizeof(live->off_ns));
	live->gil_queued_ns = th->gil_queued_ns;
	live->gc_on_cpu_ns = th->gc_on_cpu_ns;
	live->import_on_cpu_ns = th->import_on_cpu_ns;
	live->import_asleep_ns = th->import_asleep_ns;
	live->out_class = th->out_class;
	live->has_sleep = th->out_ns && th->is_sleep && site < MAX_SITES;
	if (live->has_sleep && site < MAX_SITES) {
		__builtin_memcpy(&live->sleep, &th->sites[site], sizeof(live->sleep));
		__builtin_memcpy(&live->task, &th->tasks[site], sizeof(live->task));
	}
	barrier();
	live->sequence++;
	return 0;
}
