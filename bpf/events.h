/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The contract between the stages: every record of the stream, whether the kernel half put it in the
 * ring buffer, the reader process answered with it, or the daemon added it (ticks, counters).  A
 * recording is these records, byte for byte, behind a header (user/stream/recording.h).
 *
 * Fixed-width types only, explicit padding, every size asserted; values are append-only.  Times are
 * nanoseconds of CLOCK_MONOTONIC.  Addresses of the target are __u64 and end in _addr: never followed
 * without a bounded read.  The producer zeroes a record before it fills it.
 */
#ifndef EVENTS_H
#define EVENTS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#include "pylayout.h"

#define EV_MAX_FRAMES	128	/* frames of one stack, innermost first; deeper ones are cut and flagged */
#define EV_COMM_LEN	16
#define EV_PATH_LEN	256
#define EV_NAME_MAX	1024	/* bytes of one name (function, file) in an ev_code */
#define EV_TABLE_MAX	(96 * 1024)	/* bytes of one line table in an ev_code */
#define EV_RECORD_MAX	(128 * 1024)	/* no record is longer */
#define EV_NO_LOOP	0xffffffffu

#include "evobject.h"

/* The one list of record types: enum, names and the decoder's size table derive from it. */
/* clang-format off */
#define EVENT_LIST(X)			/* producer: what it says */		\
	X(1,  LOOP,       loop)		/* kernel: a loop thread was found */	\
	X(2,  LOOP_EXIT,  loop_exit)	/* kernel: a loop thread ended */	\
	X(3,  STACK,      stack)	/* kernel: a Python stack seen first */	\
	X(4,  SLEEP,      sleep)	/* kernel: sleeps of one stack in one iteration */ \
	X(5,  SAMPLE,     sample)	/* kernel: a long iteration is on CPU here */ \
	X(6,  ITERATION,  iteration)	/* kernel: an iteration past a limit ended */ \
	X(7,  FORK,       fork)		/* kernel: a target forked a process */	\
	X(8,  EXEC,       exec)		/* kernel: a target replaced its image */ \
	X(9,  EXIT,       exit)		/* kernel: a target ended */		\
	X(16, TARGET,     target)	/* reader: what a process is */		\
	X(17, CODE,       code)		/* reader, kernel: names and line table of a code object */ \
	X(18, LOOP_STATS, loop_stats)	/* daemon: counters of one loop, cumulative */ \
	X(19, LOSS,       loss)		/* daemon: what was seen, sent and lost, cumulative */ \
	X(20, TICK,       tick)		/* daemon: time passes */		\
	X(21, END,        end)		/* daemon: the watch is over */ \
	X(22, ONGOING,    ongoing)	/* daemon: an iteration past its limits, still under way */ \
	X(23, GC,         gc)		/* kernel: a long run of the collector */ \
	X(24, IMPORT,     import)	/* kernel: a long import */		\
	X(25, TASK,       task)		/* kernel: name of a task seen first */ \
	X(26, THREAD,     thread)	/* reader: name of a thread that held the GIL */ \
	X(27, HOST,       host)		/* daemon: what kept a target's processes from running */ \
	X(28, PROBES,     probes)	/* reader: where a target's build has USDT probes */ \
	X(29, LATENT,     latent)	/* kernel: calls that can block and did not, of one stack */ \
	X(40, SPAWN,      spawn)	/* kernel: a process began that may be a Python */ \
	X(46, LOOPS,      loops)	/* reader: loops that run in a process; not a part of a watch */ \
	X(47, TASKS,      tasks)	/* reader: how many tasks a process has */ \
	X(50, CONNECTION, connection)	/* daemon: counters of one destination, cumulative */ \
	X(51, CONNECT,    connect)	/* kernel: who begins connections, sampled */
/* clang-format on */

enum ev_type {
#define X(nr, upper, lower) EV_##upper = nr,
	EVENT_LIST(X)
#undef X
};

/* First member of every record. */
struct ev_head {
	__u32 type;	 /* enum ev_type */
	__u32 size;	 /* bytes of the whole record, head included */
	__u64 ts_ns;	 /* when the producer made it */
	__u32 target_id; /* one life of one process image; never reused within a session; 0: none */
	__u32 loop_id;	 /* slot of a loop thread; EV_NO_LOOP: none; reused after its LOOP_EXIT */
};
_Static_assert(sizeof(struct ev_head) == 24, "stream ABI");

enum loop_kind {
	LOOP_KIND_UNKNOWN = 0,
	LOOP_KIND_ASYNCIO = 1, /* a wait called by BaseEventLoop._run_once */
	LOOP_KIND_UVLOOP = 2,  /* a wait called by libuv, the running loop's type is uvloop's */
	LOOP_KIND_TRIO = 3,    /* this and what follows: known by frames, pyloops.h */
	LOOP_KIND_TWISTED = 4,
	LOOP_KIND_GEVENT = 5,
	LOOP_KIND_ASYNCIO_POLL = 6, /* asyncio whose wait is a poll or a select: not supported, only named */
	LOOP_KIND_MAX
};
#define LOOP_KIND_IS_BY_FRAMES(kind) ((kind) >= LOOP_KIND_TRIO && (kind) <= LOOP_KIND_GEVENT)

struct ev_loop {
	struct ev_head head;
	__u32 pid, tid;	     /* in loophound's own PID namespace, as all numbers but ns_* */
	__u32 ns_tid;	     /* as the target sees it */
	__u32 kind;	     /* enum loop_kind */
	__s32 wait_syscall;  /* number of the system call the loop waits in */
	__s32 wait_fd;	     /* its epoll descriptor */
	__u32 base_depth;    /* Python frames below (and including) the one that runs an iteration */
	__u32 pad;
	char comm[EV_COMM_LEN]; /* name of the thread */
};
_Static_assert(sizeof(struct ev_loop) == 72, "stream ABI");

struct ev_loop_exit {
	struct ev_head head;
	__u32 pid, tid;
};
_Static_assert(sizeof(struct ev_loop_exit) == 32, "stream ABI");

/* Why a stack could not be read (whole); the frames before the failure are kept. */
enum stack_status {
	STACK_OK = 0,
	STACK_NO_THREAD_STATE = 1,  /* the thread's slot holds no PyThreadState */
	STACK_BAD_THREAD_STATE = 2, /* the PyThreadState could not be read */
	STACK_BAD_FRAME = 3,	    /* a frame could not be read, or is no frame */
	STACK_BAD_CODE = 4,	    /* a code object could not be read */
	STACK_STATUS_MAX
};
#define STACK_TRUNCATED 1u /* flag: more than EV_MAX_FRAMES frames */

/* One Python frame.  offset_bytes is into the code object's bytecode, as co_lines() counts; -1: not started. */
struct ev_frame {
	__u64 code_addr;
	__s32 offset_bytes;
	__u32 fingerprint; /* py_code_fingerprint() when the frame was read */
};
_Static_assert(sizeof(struct ev_frame) == 16, "stream ABI");

struct ev_stack {
	struct ev_head head;
	__u64 stack_id;	 /* hash of target and frames */
	__u16 nr_frames; /* frames[] follow, innermost first */
	__u8 status;	 /* enum stack_status */
	__u8 flags;	 /* STACK_TRUNCATED */
	/*
	 * The last nr_awaiting frames are on no stack: coroutines of tasks that wait for the one that runs, whose own
	 * frames are the first awaiting_at.
	 */
	__u16 nr_awaiting, awaiting_at;
	struct ev_frame frames[];
};
_Static_assert(sizeof(struct ev_stack) == 40, "stream ABI");

/* Why the thread was off the CPU. The classes of an iteration's time. */
enum off_class {
	OFF_RUNNABLE = 0, /* preempted or waiting for a CPU */
	OFF_SYSCALL = 1,  /* asleep in a system call */
	OFF_GIL = 2,	  /* asleep in a futex wait for the GIL */
	OFF_FAULT = 3,	  /* asleep in a page fault */
	OFF_STOPPED = 4,  /* stopped or traced */
	OFF_OTHER = 5,
	OFF_CLASS_MAX
};
/* In off_ns[], where nothing is asleep: how much of [OFF_GIL] its holder was runnable and had no CPU, if known. */
#define OFF_HOLDER_QUEUED OFF_RUNNABLE

/* What was going on when a sleep began or a sample was taken. */
#define IN_GC	     1u /* the collector ran */
#define IN_IMPORT    2u /* an import was under way */
#define IN_COLLECT   8u /* with IN_GC: because the program called gc.collect() */
#define IN_ESTIMATED 4u /* so memory and stack say: the build has no probes for it */

/* All sleeps of one loop iteration that share stack, system call and descriptor; those for the GIL: holder. */
struct ev_sleep {
	struct ev_head head;
	__u64 iteration;
	__u64 stack_id; /* 0: not taken */
	__u64 first_ns; /* start of the first of them */
	__u64 last_ns;	/* end of the last of them */
	__u64 total_ns; /* off the CPU */
	__u64 asleep_ns; /* of which truly asleep: total without the wait for a CPU afterwards */
	__u64 max_ns;	/* the longest */
	union {
		__u64 args[3]; /* of the first call */
		__u64 holder_queued_ns; /* OFF_GIL: of asleep_ns, as [OFF_HOLDER_QUEUED] of the iteration */
	};
	__u32 count;
	__s32 syscall; /* number */
	__s32 fd;      /* that it waited for; -1: none */
	__u8 off_class; /* enum off_class: OFF_SYSCALL, OFF_GIL, or OFF_OTHER: another thread stopped all (pyworld.h) */
	__u8 within;	/* IN_* */
	__u16 pad;
	__u64 task_id; /* of ev_task; 0: no task ran, or not known */
	/* Of the thread that held the GIL; 0: off_class is another, or it could not be read. */
	__u64 holder_stack_id;
	__u64 holder_ident; /* threading.get_ident() */
	__u32 holder_tid;   /* as the target sees it */
	__u32 holder_still_us; /* of total: it stood where the look before had found it, in C code then */
	struct ev_object object;
};
_Static_assert(sizeof(struct ev_sleep) == 24 + 128 + 296, "stream ABI");

struct ev_sample {
	struct ev_head head;
	__u64 iteration;
	__u64 stack_id;
	__u64 step; /* tells callbacks and task steps of one iteration apart; 0: unknown */
	__u64 task_id; /* of ev_task; 0: no task ran, or not known */
	__u32 within; /* IN_* */
	__u32 pad;
};
_Static_assert(sizeof(struct ev_sample) == 64, "stream ABI");

enum iteration_end {
	ITERATION_WAIT = 0, /* the loop went back to its wait */
	ITERATION_LEFT = 1, /* the thread was seen outside its loop: the end is when that was noticed */
	ITERATION_EXIT = 2, /* the thread ended */
	ITERATION_UNDER_WAY = 3, /* in an ev_ongoing: not ended, end_ns is now */
	ITERATION_UNSEEN = 4,	 /* in an ev_ongoing: the watch ends before it does */
};
#define ITERATION_PARTIAL 1u /* flag: already under way when watching began; start_ns is that moment */
#define ITERATION_TRACED  2u /* flag: stopped by a tracer, and not (only) by a signal */
#define ITERATION_FROZEN  4u /* flag: stopped as its cgroup was frozen */
#define ITERATION_GC_ESTIMATED	   0x10u /* flag: gc_on_cpu_ns is counted in timer ticks, not seen by probes */
#define ITERATION_IMPORT_ESTIMATED 0x20u /* flag: so are, at least in part, import_*: from stacks */

/*
 * An iteration runs from the return of the loop's wait to the next wait.  Its parts add up:
 * end_ns - start_ns == on_cpu_ns + run_queue_ns + sum(off_ns[1..]).
 */
struct ev_iteration {
	struct ev_head head;
	__u64 iteration;
	__u64 start_ns, end_ns;
	__u64 on_cpu_ns;
	__u64 run_queue_ns;		/* runnable, waiting for a CPU, within the iteration */
	__u64 wake_delay_ns;		/* the same between the wake-up in the loop's wait and start_ns */
	__u64 off_ns[OFF_CLASS_MAX];	/* asleep, by enum off_class; [0]: see OFF_HOLDER_QUEUED */
	__u32 nr_voluntary, nr_involuntary; /* context switches */
	__u32 nr_major_faults;
	__u32 nr_sleeps, nr_samples;	/* what the kernel saw; fewer records mean loss */
	__u8 end;			/* enum iteration_end */
	__u8 flags;			/* ITERATION_PARTIAL, ... */
	__u16 pad;
	/* Seen by probes; parts of the above. What the collector does within an import is the collector's. */
	__u64 gc_on_cpu_ns;
	__u64 import_on_cpu_ns, import_asleep_ns; /* the latter a part of off_ns[OFF_SYSCALL] */
	__u32 nr_gcs, nr_imports;
	__u32 nr_callbacks; /* that the loop had ready when the iteration began; 0: not known */
	__u32 nr_waiting; /* that it has ready when it ends, plus one; 0: not known */
};
_Static_assert(sizeof(struct ev_iteration) == 24 + 48 + 48 + 24 + 40, "stream ABI");

/* What is known of an iteration that lasts. Its samples are in the stream already. */
struct ev_ongoing {
	struct ev_head head;
	struct ev_iteration so_far; /* adds up as an ended one does; head, iteration and nr_* are 0 */
	struct ev_sleep sleep;	    /* the sleep that is under way, until now; count 0: none */
};
_Static_assert(sizeof(struct ev_ongoing) == 24 + 184 + 448, "stream ABI");

#include "evwithin.h"

#define EV_TASK_NAME_BYTES 128

/*
 * A task's name as it is in memory: characters of `kind` bytes each.  Or, where the loop called a function
 * in C, which has no frame, that function's.
 */
struct ev_task {
	struct ev_head head;
	__u64 task_id; /* hash of target, address and name; never 0 */
	__u64 number;  /* kind is 0: the name is "Task-number", not made yet (3.12+) */
	__u16 name_bytes;
	__u8 kind; /* bytes of a character: 1 (Latin-1), 2, 4; 0: see number */
	__u8 is_cut;
	__u32 is_callback; /* 1: a function in C, no task */
	__u8 name[EV_TASK_NAME_BYTES];
};
_Static_assert(sizeof(struct ev_task) == 24 + 24 + 128, "stream ABI");

struct ev_thread {
	struct ev_head head;
	__u64 ident; /* threading.get_ident() */
	__u32 tid;   /* as the target sees it; 0: not known */
	__u32 pad;
	char comm[EV_COMM_LEN];
	char name[64]; /* threading.Thread.name, UTF-8; empty: not known */
};
_Static_assert(sizeof(struct ev_thread) == 24 + 32 + 64, "stream ABI");

/* What the host did to a target in the time that ends with the record; made for an iteration that waited for a CPU. */
struct ev_host {
	struct ev_head head;
	__u64 since_ns;	    /* start of that time: the counters are what they grew by since */
	__u64 throttled_ns; /* cgroup cpu.stat: time throttled, of all CPUs */
	__u64 nr_throttled, nr_periods;
	__u64 quota_ns, period_ns; /* cpu.max; quota_ns 0: none */
	__u64 steal_ns; /* of all CPUs: taken by the hypervisor */
	__u32 nr_running; /* threads that want a CPU, of the host, at its end */
	__u32 nr_cpus;
	char cgroup[EV_PATH_LEN]; /* that was throttled most, or the target's own; empty: not known; ended by NUL */
};
_Static_assert(sizeof(struct ev_host) == 24 + 64 + 256, "stream ABI");

#include "evconnection.h"
#include "evlatent.h"
#include "evprobe.h"
#include "evspawn.h"

struct ev_fork {
	struct ev_head head; /* target_id: the child's, already watched */
	__u32 parent_pid, child_pid;
	__u32 parent_target_id;
	__u32 is_readable; /* 1: the parent's layout was known, and with it the child's */
	__u64 start_ns; /* of the child, as in ev_spawn; older recordings end before it */
};
_Static_assert(sizeof(struct ev_fork) == 48, "stream ABI");
#define EV_FORK_BYTES_BEFORE_START 40

struct ev_exec {
	struct ev_head head; /* target_id: the image that is gone */
	__u32 pid;
	__u32 new_target_id; /* what the process is from now on, not identified yet; 0: no Python, let go */
};
_Static_assert(sizeof(struct ev_exec) == 32, "stream ABI");

struct ev_exit {
	struct ev_head head;
	__u32 pid;
	__s32 exit_code; /* as wait(2) reports it */
};
_Static_assert(sizeof(struct ev_exit) == 32, "stream ABI");

#include "evtarget.h"
#include "evtasks.h"

enum code_status {
	CODE_OK = 0,
	CODE_GONE = 1,	     /* the object at that address is another one by now */
	CODE_UNREADABLE = 2, /* its memory could not be read: the target ended, or the pointer is wild */
	CODE_INVALID = 3,    /* it is no code object: a length or a type contradicts itself */
	CODE_STUCK = 4,	     /* the reader did not answer in time and was replaced */
	CODE_STATUS_MAX
};
#define CODE_NAME_CUT  1u /* flag: a name is longer than EV_NAME_MAX */
#define CODE_TABLE_CUT 2u /* flag: the line table is longer than EV_TABLE_MAX: later lines unknown */

/* Names of a code object (UTF-8, as in the source), then its raw line table, in this order, in data[]. */
struct ev_code {
	struct ev_head head;
	__u64 code_addr;
	__u32 fingerprint;
	__u32 co_flags;
	__s32 firstlineno;
	__u32 first_traceable_bytes; /* frames before it have not started; 0 before 3.11 */
	__u16 minor;		     /* decides how the line table reads */
	__u8 status;		     /* enum code_status */
	__u8 flags;		     /* CODE_*_CUT */
	__u16 filename_bytes, name_bytes, qualname_bytes, pad;
	__u32 table_bytes;
	char data[];
};
_Static_assert(sizeof(struct ev_code) == 24 + 40, "stream ABI");

/*
 * Iterations by length: HIST_SUB linear parts per power of two, above 2^HIST_SHIFT ns (16 us).
 * Bucket i < HIST_SUB holds [i, i+1) units of 2^HIST_SHIFT ns; see hist_bucket().
 */
#define HIST_SHIFT   14
#define HIST_SUB     4
#define HIST_BUCKETS 88 /* the last one holds everything from 7 * 2^34 ns (120 s) on */

struct loop_counters {
	__u64 iterations;
	__u64 busy_ns;	 /* in iterations that ended */
	__u64 idle_ns;	 /* in waits that ended */
	__u64 max_ns;	 /* longest iteration */
	__u64 since_ns;	 /* start of the iteration or wait that is under way */
	__u64 in_wait;	 /* 1: it is a wait; 2: the thread was seen outside its loop */
	__u64 hist[HIST_BUCKETS];
};

struct ev_loop_stats {
	struct ev_head head;
	struct loop_counters counters;
};
_Static_assert(sizeof(struct ev_loop_stats) == 24 + 48 + 88 * 8, "stream ABI");

/* Counters of the kernel half and of the daemon; names derive, so that none is forgotten in a report. */
/* clang-format off */
#define STAT_LIST(X)							\
	X(RECORDS_MADE,       records_made)	  /* kernel: a record was due */ \
	X(RECORDS_SUBMITTED,  records_submitted)  /* kernel: it went into the ring */ \
	X(RING_FULL,          ring_full)	  /* kernel: the ring had no room for it */ \
	X(RECORDS_CONSUMED,   records_consumed)	  /* daemon: taken out of the ring */ \
	X(RECORDS_INVALID,    records_invalid)	  /* daemon: refused by the decoder */ \
	X(LOOPS_REFUSED,      loops_refused)	  /* kernel: more loops than slots */ \
	X(TARGETS_REFUSED,    targets_refused)	  /* kernel: more processes than slots */ \
	X(STACKS_TAKEN,       stacks_taken)	  /* kernel: stacks walked */ \
	X(STACKS_UNREADABLE,  stacks_unreadable)  /* kernel: of which not readable (whole) */ \
	X(STACKS_TRUNCATED,   stacks_truncated)	  /* kernel: of which deeper than EV_MAX_FRAMES */ \
	X(EVENTS_MISSED,      events_missed)	  /* kernel: an event was not delivered; found out and made good */ \
	X(SITES_EVICTED,      sites_evicted)	  /* kernel: sent early, more sites than slots; no loss */ \
	X(LATENT_CALLS,       latent_calls)	  /* kernel: quick calls that can block; all are in records */ \
	X(NAMES_ASKED,        names_asked)	  /* daemon: code objects asked of the reader */ \
	X(NAMES_FAILED,       names_failed)	  /* daemon: of which not named */ \
	X(NAMES_REFUSED,      names_refused)	  /* daemon: not asked, a bound was reached */ \
	X(READER_RESTARTS,    reader_restarts)	  /* daemon: readers killed or died */ \
	X(BREACHES_INCOMPLETE, breaches_incomplete) /* daemon: reported without all their names */ \
	X(DESTINATIONS_REFUSED, destinations_refused) /* kernel: connections counted with their process only */ \
	X(CONNECTIONS_MISSED, connections_missed) /* kernel: a change of state was not delivered; made good */
/* clang-format on */
enum stat_id {
#define X(upper, lower) STAT_##upper,
	STAT_LIST(X)
#undef X
	STAT_MAX
};

struct ev_loss {
	struct ev_head head;
	__u64 stats[STAT_MAX];
};

struct ev_tick {
	struct ev_head head;
};

struct ev_end {
	struct ev_head head;
};

#endif
