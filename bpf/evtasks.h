/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How many tasks of asyncio a process has, as its memory said: a part of events.h, which alone includes it. */
#ifndef EVTASKS_H
#define EVTASKS_H

enum tasks_status {
	TASKS_OK = 0,
	TASKS_CUT = 1,	      /* more than a read may take: nr_uncounted has the rest, or a part of it */
	TASKS_ABSENT = 2,     /* asyncio keeps none where we look: not imported, or not the one in C */
	TASKS_UNREADABLE = 3, /* its tables could not be read, or changed too fast to be */
	TASKS_STUCK = 4,      /* the reader did not answer in time and was replaced */
	TASKS_STATUS_MAX
};

/* Of a task that is not done. */
enum task_state {
	TASK_STATE_RUNNING = 0, /* the loop is in its step */
	TASK_STATE_READY = 1, /* nothing to wait for (any more): the loop has yet to get to it */
	TASK_STATE_WAITING = 2, /* for a future that is pending */
	TASK_STATE_MAX
};

/* nr_loops is 0 unless status is TASKS_OK or TASKS_CUT. */
struct ev_tasks {
	struct ev_head head;
	__u64 took_ns; /* that the reader took for it */
	__u32 pid;
	__u32 status;	    /* enum tasks_status */
	__u32 nr_uncounted; /* in no loop's numbers: of loops that run in no thread now, past a bound, unreadable */
	__u32 nr_loops;
	struct {
		__u32 ns_tid; /* its thread, as the target sees it; 0: not known */
		__u32 nr[TASK_STATE_MAX];
	} loops[EV_MAX_LOOPS]; /* that run: each is in some thread's slot */
};
_Static_assert(sizeof(struct ev_tasks) == 24 + 24 + 16 * EV_MAX_LOOPS, "stream ABI");

#endif
