/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every map, knob and counter of the kernel half, declared once.  maps.bpf.c defines them; the other
 * objects see them as extern, the linker makes them one.
 *
 * Nothing is pinned: all of it goes with the daemon's last file descriptor.
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "entry.h"
#include "live.h"
#include "pyhash.h"
#include "scratch.h"

#define MAX_TARGETS 4096 /* processes; the daemon sets it, with room for the candidates, before load */
#define MAX_LOOPS   1024 /* loop threads alive at once; likewise */
#define MAX_SITES   8	 /* distinct (stack, call, descriptor) of one iteration kept before one is sent early */

/* What the scheduler has of who holds the GIL; all 0: not known. */
struct holder_account {
	u64 ran_ns; /* up to a tick old while it runs */
	u64 queue_ns; /* it was runnable and had no CPU, until now; and 1 */
	u64 is_asleep; /* not 0: it is, and a signal would wake it: in no page fault */
};

/* A loop thread.  Lives in task storage: gone with the thread, so a reused tid starts clean. */
struct loop_thread {
	u32 target_id, loop_id;
	u64 tstate_addr;
	/*
	 * Where the running loop is noted, and what was there: unchanged means still running.  slot_addr 0: it
	 * is known by its frames, slot_value is the code object of the function that waits.
	 */
	u64 slot_addr, slot_value;
	u64 interp_shift; /* of its interpreter: pyinterp.h */
	u64 run_code; /* the code object of the frame at base_depth; 0: not known, or gevent, which has none */
	s32 wait_fd;		   /* epoll descriptor of the loop's own wait; -1: not known yet */
	u32 base_depth;		   /* Python frames from _run_once (or uvloop's caller) outward */
	u8 kind;		   /* enum loop_kind */
	u8 in_wait;
	u8 flags;      /* ITERATION_PARTIAL for the iteration under way */
	u8 out_class;  /* enum off_class of the time off the CPU that is under way */
	u8 settle_class; /* of the one that ended last and is not booked yet */
	u8 is_sleep;   /* the time off the CPU under way belongs to sites[site] */
	u8 is_misqueued; /* run_delay has the time off the CPU that is under way as queued: migrate.bpf.c */
	u8 is_start_exact; /* start_exec_ns is: the thread had just got the CPU, or was leaving it */
	u32 site;      /* index of the sleep that is under way or not booked yet */
	u32 nr_sites;
	u64 iteration;
	u64 start_ns;  /* of the iteration under way; 0: none */
	u64 left_ns;   /* when the thread was first seen outside its loop; 0: it is inside */
	u64 wait_start_ns;
	u64 wait_run_delay; /* sched_info.run_delay when the wait began */
	u64 wake_delay_ns;
	u64 run_delay; /* sched_info.run_delay that is booked */
	u64 out_ns;    /* since when off the CPU; 0: on it */
	u64 out_exec_ns; /* se.sum_exec_runtime at out_ns */
	u64 settle_ns; /* length of the last time off the CPU, not booked yet */
	u64 off_total_ns, run_queue_ns;
	u64 off_ns[OFF_CLASS_MAX];
	u64 start_exec_ns; /* se.sum_exec_runtime at start_ns, up to a tick old unless is_start_exact */
	u64 nvcsw, nivcsw, maj_flt; /* at start_ns */
	u64 last_sample_ns, last_wakeup_ns;
	u32 nr_sleeps, nr_samples; /* records of this iteration */
	u64 gil_addr; /* of the GIL that it waits for */
	/* What the last look at the GIL's holder found, and how sure each site is of its own: gil.bpf.c. */
	u64 gil_tstate_addr, gil_ident, gil_stack_id, gil_walk_ns;
	u64 gil_is_still, gil_piece_ns, gil_ended_ns;
	u64 gil_is_asked, gil_asked_ns; /* the holder was asked to let go; for how long, not counted yet */
	u64 gil_ran_ns, gil_pid; /* what it had run then; its number on the host */
	struct holder_account gil_holder; /* when the piece began; and when it ended */
	u64 gil_queued_ns; /* what it waited for a CPU within the piece that ended last; more than that: all the time */
	u64 gil_votes_ns[MAX_SITES];
	u64 queue_of, queue_addr; /* the loop's ready callbacks; of which slot_value; 0: not found */
	u64 nr_switches; /* times that it was seen to leave the CPU within the iteration */
	u32 nr_callbacks; /* ready when it began, if a sample could read it */
	u32 nr_connects;  /* begun in the iteration connect_iteration */
	u64 connect_iteration;
	/* The collector and imports: pyprobe.bpf.c; of this iteration, but for has_gc_probes. */
	u64 gc_start_ns, import_start_ns; /* under way since; 0: not */
	u64 gc_on_cpu_ns, import_on_cpu_ns, import_asleep_ns; /* of those that ended */
	u64 gc_began_on_cpu_ns; /* what the iteration had used when it began */
	u64 import_began_on_cpu_ns, import_began_asleep_ns, import_began_gc_ns;
	u64 import_began_ns, import_sp; /* of the outermost */
	u64 import_name_id; /* that was sent last in this iteration; 0: none */
	u64 tick_on_cpu_ns; /* at the last tick */
	u32 nr_gcs, nr_imports;
	u32 gc_generation;
	u8 gc_is_explicit;
	u8 has_gc_probes; /* one was hit: nothing needs to be estimated */
	u8 is_collecting; /* gc_estimate(): the collection that runs is this thread's */
	u8 within_pad;
	struct ev_sleep sites[MAX_SITES];
	struct ev_task tasks[MAX_SITES]; /* that slept first at each; task_id 0: none */
};

/* A stack with a quick call that can block: what was sent last, and how many came since. */
struct latent_key {
	u64 stack_id;
	u32 loop_id;
	s32 syscall;
	u32 object_kind; /* with its family */
	u32 audit;
};
struct latent_site {
	u64 sent_ns;
	u64 nr_unsent;
	u64 is_taken; /* of the scratch that is filled where a program can be preempted */
	struct ev_latent ev;
};
enum { LATENT_SCRATCH_SYSCALL = 0, LATENT_SCRATCH_AUDIT = 1, LATENT_SCRATCH_MAX = 2 };
#define MAX_LATENT_SITES 1024

/* One struct scratch for each context that can nest. */
enum {
	SCRATCH_SYSCALL = 0,
	SCRATCH_SWITCH = 1,
	SCRATCH_TICK = 2,
	SCRATCH_PROBE = 3, /* several: these contexts preempt each other */
	NR_SCRATCH_PROBE = 3,
	SCRATCH_CONNECT = 6,
	SCRATCH_MAX = 7,
};

struct targets_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__type(key, u32); /* tgid */
	__type(value, struct target_entry);
};

struct numbers_map { /* tgid by the number in the daemon's PID namespace; made only if that is not the initial one */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__type(key, u32);
	__type(value, u32);
};

struct exes_map { /* executables that were met; the daemon says what they are */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct exe_key);
	__type(value, struct exe_state);
};

struct loop_threads_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct loop_thread);
};

struct free_loop_ids_map { /* loop_id that were used and are not any more; the daemon gives them back */
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MAX_LOOPS);
	__uint(value_size, sizeof(u32));
};

struct loop_counters_map { /* loop_id -> counters; the daemon reads it by mmap */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_LOOPS);
	__type(key, u32);
	__type(value, struct loop_counters);
};

struct loop_lives_map { /* loop_id -> how far its iteration is; the daemon reads it by mmap */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_LOOPS);
	__type(key, u32);
	__type(value, struct loop_live);
};

struct seen_stacks_map { /* stack_id whose record was sent; an evicted one is sent again */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u8);
};

struct seen_codes_map { /* code objects whose names the kernel half sent */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u8);
};

struct seen_tasks_map { /* task_id whose record was sent, likewise; the daemon keeps more */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u8);
};

struct scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_MAX);
	__type(key, u32);
	__type(value, struct scratch);
};

struct latent_sites_map { /* made only with --latent; past its size each call is a record */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LATENT_SITES);
	__type(key, struct latent_key);
	__type(value, struct latent_site);
};

struct latent_scratch_map { /* likewise */
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LATENT_SCRATCH_MAX);
	__type(key, u32);
	__type(value, struct latent_site);
};

struct stats_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STAT_MAX);
	__type(key, u32);
	__type(value, u64);
};

struct events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* the daemon may change it before load */
};

extern struct targets_map targets SEC(".maps");
extern struct numbers_map numbers SEC(".maps");
extern struct exes_map exes SEC(".maps");
extern struct loop_threads_map loop_threads SEC(".maps");
extern struct free_loop_ids_map free_loop_ids SEC(".maps");
extern struct loop_counters_map loop_counters SEC(".maps");
extern struct loop_lives_map loop_lives SEC(".maps");
extern struct seen_stacks_map seen_stacks SEC(".maps");
extern struct seen_codes_map seen_codes SEC(".maps");
extern struct seen_tasks_map seen_tasks SEC(".maps");
extern struct scratch_map scratches SEC(".maps");
extern struct latent_sites_map latent_sites SEC(".maps");
extern struct latent_scratch_map latent_scratch SEC(".maps");
extern struct stats_map stats SEC(".maps");
extern struct events_map events SEC(".maps");

/* Knobs, set before load; those that are not const also later. */
extern volatile __u64 cfg_sample_after_ns;	/* an iteration is sampled once it is this old */
extern const volatile __u64 cfg_sample_gap_ns;	/* and at most this often */
extern volatile __u64 cfg_report_asleep_ns; /* an iteration is reported if asleep in system calls this long */
extern volatile __u64 cfg_report_on_cpu_ns; /* or on CPU this long */
extern volatile __u64 cfg_report_starved_ns; /* or kept from its CPU this long */
extern volatile __u64 cfg_report_gil_ns; /* or waiting for the GIL this long */

extern volatile __u64 cfg_report_gc_ns; /* or in the collector this long */
extern volatile __u64 cfg_report_import_ns; /* or in imports this long */

extern const volatile __u32 cfg_pidns; /* inode of the daemon's PID namespace; 0: the initial one */
extern const volatile __u8 cfg_finds_new; /* whoever execs is looked at, not only what descends from a target */
extern const volatile __u32 cfg_max_candidates; /* ENTRY_CANDIDATE and ENTRY_LINEAGE at a time */
extern const volatile __u32 cfg_max_loops;
extern const volatile __u64 cfg_tick_ns; /* length of the scheduler's tick: 1 / CONFIG_HZ */

/*
 * Most of the host is nobody's business of ours, and has to learn so at next to no cost: whether a process
 * may be a target is one byte, by its tgid.  Set by whoever adds to targets, before; cleared by the daemon alone, some
 * seconds after nobody in targets has such a number (hints.c).  What is set for nothing costs a look-up in
 * targets, which alone decides.
 */
#define TARGET_HINTS 16384 /* a power of 2 */

extern __u8 target_hints[TARGET_HINTS];

/* loop_id that are taken: a queue cannot be asked how much is in it. */
extern __s32 nr_loop_ids_taken;

static __always_inline void target_hint(u32 tgid)
{
	target_hints[tgid & (TARGET_HINTS - 1)] = HINT_SET;
}

/* Likewise: whether the process may have a stream of AF_UNIX that is counted. A forked one may where its parent may. */
extern __u8 unix_hints[TARGET_HINTS];

static __always_inline u8 *unix_hint(u32 tgid)
{
	return &unix_hints[tgid & (TARGET_HINTS - 1)];
}

/* For where any process may come by. NULL: no target. */
static __always_inline struct target_entry *target_of(u32 tgid)
{
	if (!target_hints[tgid & (TARGET_HINTS - 1)])
		return NULL;
	return bpf_map_lookup_elem(&targets, &tgid);
}

/* NULL: the task is no loop's thread. Likewise: nearly no task has a storage at all. */
static __always_inline struct loop_thread *loop_thread_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->bpf_storage) && !task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&loop_threads, task, 0, 0);
}

/*
 * The same where only targets come by, or few: a check less.  It is one for the verifier as well, to which a load of a
 * pointer takes a millisecond (it looks through all of BTF for whether that is trusted).
 */
static __always_inline struct loop_thread *loop_thread_of_target(struct task_struct *task)
{
	return bpf_task_storage_get(&loop_threads, task, 0, 0);
}

extern int count(u32 stat);

/*
 * A number below max that nobody has: first those that were never given out (so the daemon has not to hand in
 * thousands before it can begin), then, as late as can be, those that were given back. 0: *id is one.
 */
static __always_inline int id_take(u32 *never_used, u32 max, void *given_back, u32 *id)
{
	if (*(volatile u32 *)never_used < max) {
		*id = __sync_fetch_and_add(never_used, 1);
		if (*id < max)
			return 0;
	}
	return bpf_map_pop_elem(given_back, id) ? -1 : 0;
}

/* The kernel numbers processes that it sees first from here up, the daemon from 1 (see target_id). */
#define KERNEL_TARGET_IDS 0x80000000u

#endif
