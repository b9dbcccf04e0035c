/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records in, finished iterations out: joins loops, stacks, names, sleeps and samples.
 *
 * Pure: no kernel, no clock, no globals.  Time enters only as ts_ns of records, so a recording gives
 * what the live stream gave.  Every table is bounded (struct model_bounds) and counts what it refuses;
 * hostile or lost records can leave an iteration without its stack, never without itself.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "events.h"

/* How long an iteration waits for the names of its frames, in the stream's time. */
#define MODEL_NAME_WAIT_NS (500 * 1000000ULL)

struct model_bounds {
	uint32_t targets, loops, codes, stacks;	 /* of all */
	uint32_t sleeps;			 /* of one iteration; further ones are counted, not kept */
	uint32_t samples;			 /* of one iteration; of more, one of 2, 4, ... is kept */
	uint32_t tasks;				 /* names of tasks; the least used is forgotten */
	uint32_t waiting;			 /* iterations that wait for names */
	uint32_t threads;			 /* whose names are kept */
	uint64_t name_bytes;			 /* of all names and line tables together */
	uint64_t stack_bytes;			 /* of all stacks together; the longest unused is forgotten */
	uint32_t connections;			 /* destinations; the longest silent one is forgotten */
	uint64_t keep_ended_ns; /* targets, loops, destinations that are over; 0: while there is room */
};
extern const struct model_bounds model_default_bounds;

#define MODEL_HOSTS 8 /* kept of one target */

/* Numbers of tasks are of the last time that the reader was asked; nobody may have done so since. */
#define MODEL_TASKS_KEEP_NS (60 * 1000000000ULL)

struct loop_tasks {
	uint64_t ns; /* when they were counted; 0: they were not, or it could not be done */
	uint32_t nr[TASK_STATE_MAX];
};

/* A process image.  Lives as long as anything refers to it; ended is set when it is gone. */
struct target {
	struct ev_target info; /* latest answer; status TARGET_PENDING until there is one */
	bool ended;
	uint64_t tasks_ns;	    /* as loop_tasks.ns: that its tables of tasks could be read */
	uint32_t tasks_uncounted;   /* of them in no loop's numbers */
	const struct ev_host *hosts; /* the latest, in no order; NULL: none was needed */
	uint32_t nr_hosts;
};

struct loop {
	const struct target *target;
	struct ev_loop info;
	uint32_t number; /* 0, 1, ... within the target, in order of appearance */
	struct loop_counters counters;	/* latest */
	struct loop_counters previous;	/* of the ev_loop_stats before: for rates of the last second */
	uint64_t counters_ns, previous_ns; /* when; 0: none yet */
	uint64_t nr_long;   /* iterations reported by the kernel */
	struct loop_tasks tasks;
	bool ended;
};

/* Whether numbers of tasks are known, and of late. */
static inline bool model_has_tasks(uint64_t tasks_ns, uint64_t now_ns)
{
	return tasks_ns && now_ns < tasks_ns + MODEL_TASKS_KEEP_NS;
}

enum frame_naming {
	FRAME_NAMED = 0,
	FRAME_PENDING = 1,    /* the answer has not come (in time) */
	FRAME_GONE = 2,	      /* the code object was freed before it could be read */
	FRAME_UNREADABLE = 3, /* unreadable, invalid, or the reader was stuck */
	FRAME_REFUSED = 4,    /* a bound of the model was reached */
};

/* Strings are valid UTF-8 as the target has them: not yet safe for a terminal. Never NULL. */
struct frame {
	const char *function; /* qualified name where the version has it; "?" if not named */
	const char *name;     /* co_name */
	const char *file;     /* "?" if not named */
	int32_t line;	      /* 0: not known */
	uint32_t co_flags;
	bool is_coroutine; /* coroutine or async generator */
	enum frame_naming naming;
};

/* Innermost first. Frames that have not started to run are left out. */
struct stack {
	uint64_t id;
	enum stack_status status;
	bool is_truncated;
	uint32_t nr;
	struct frame frames[EV_MAX_FRAMES];
};

struct sleep {
	struct ev_sleep ev;
	const struct stack *stack; /* NULL: not taken, or its record was lost */
	const char *task; /* name, UTF-8, not yet safe for a terminal; NULL: none ran, or not known */
	const struct stack *holder_stack; /* of the thread that held the GIL; NULL likewise */
	/* That thread's, as the target has them; empty: not known. */
	char holder_comm[EV_COMM_LEN], holder_name[64];
	const char *builtin; /* function in C that the loop itself called; likewise */
};

/* Off_class of a quick call that can block (EV_LATENT): it has a count, and no length. No record has it. */
#define SLEEP_LATENT 0xff
static inline bool sleep_is_latent(const struct sleep *sleep)
{
	return sleep->ev.off_class == SLEEP_LATENT;
}

struct sample {
	uint64_t ts_ns;
	uint64_t step;
	const struct stack *stack;
	bool is_stack_lost; /* there was one, but not its record */
	uint64_t task_id;
	const char *task, *builtin; /* as of a sleep */
	uint32_t within;    /* IN_* */
};

/* A run of the collector, an import, by probes. */
struct gc_run {
	struct ev_gc ev;
	const struct stack *stack; /* NULL: not taken, or its record was lost */
	const char *task, *builtin; /* as of a sleep */
};

/* ev.within has IN_ESTIMATED: no run, but the name of what is imported from ev.start_ns on; no stack. */
struct import_run {
	struct ev_import ev; /* module is UTF-8, ended by NUL */
	const struct stack *stack; /* likewise */
	const char *task, *builtin;
};

/* A finished iteration with everything known of it.  Valid until the next call on the model. */
struct iteration {
	struct ev_iteration ev;
	const struct loop *loop; /* ->target is never NULL */
	const struct sleep *sleeps; /* one per stack, system call, descriptor, holder; by first_ns */
	uint32_t nr_sleeps;
	const struct sample *samples; /* in order of time, evenly spread over the iteration */
	uint32_t nr_samples;
	const struct gc_run *gcs; /* the long ones, up to a bound; ev has the sums of all */
	uint32_t nr_gcs;
	const struct import_run *imports; /* likewise */
	uint32_t nr_imports;
	/* Of ev.import_on_cpu_ns what samples say and no probe; ev.flags has *_ESTIMATED. */
	uint64_t import_guess_ns;
	uint32_t nr_refused;  /* sleeps past the bound */
	bool is_incomplete; /* a stack or a name is missing that should be there */
};

/* Not ended: ev is what is known so far, and of its sleeps only the one under way. */
static inline bool iteration_is_ongoing(const struct iteration *iteration)
{
	return iteration->ev.end == ITERATION_UNDER_WAY || iteration->ev.end == ITERATION_UNSEEN;
}

#define MODEL_CONNECTION_SITES 8
#define MODEL_CONNECTION_RULES 3 /* that may have a finding about one record */

/* Where connections to a destination are begun, from samples. */
struct connection_site {
	const struct stack *stack; /* never NULL */
	uint64_t task_id;	   /* of the latest sample */
	const char *task;	   /* its name; NULL: none ran, or not known. As of a sleep */
	uint32_t pid, tid, loop_id;
	uint64_t nr;	 /* connections that its samples stand for */
	uint64_t recent; /* the same, halved with each record */
};

/* What rules keep of a destination from record to record; zero at first, and no matter of the model. */
struct connection_memory {
	struct connection_episode {
		bool is_active, is_told;
		uint32_t cause;
		uint32_t peak, burst;
		uint64_t since_ns;		/* the record before the first that was past the limit */
		struct connection_counts since; /* counters then */
	} concurrency, churn, leak;
	struct connection_counts churn_base, grow_base;
	uint64_t churn_base_ns, grow_base_ns;
	uint32_t churn_peak; /* of open, since churn_base_ns */
	uint64_t first_ns;	/* of the first record */
	uint64_t close_wait_ns; /* since when more than the limit are in CLOSE_WAIT; 0: not */
};

/* A destination of a process, as its latest record has it.  Valid until the next call on the model. */
struct connection {
	struct ev_connection ev, previous; /* previous: all zero but for head.ts_ns: there was none */
	bool is_over;	  /* nothing more will come of it */
	bool has_changed; /* its counters are not those of the record before */
	uint32_t other_burst; /* CONNECTION_PROCESS: the largest window_burst of its destinations then */
	struct connection_site sites[MODEL_CONNECTION_SITES]; /* most recent ones first */
	uint32_t nr_sites;
	/*
	 * What findings about it, one of each rule, call their iteration: of no length, of the loop that began
	 * most of the connections, or of one that stands for none; ->loop->target is never NULL.
	 */
	struct iteration about[MODEL_CONNECTION_RULES];
	struct connection_memory memory;
};

/* How many of the frames run inside the iteration; the rest runs the loop. */
int stack_nr_inside(const struct loop *loop, const struct stack *stack);
/*
 * Of a stack that is within an import, by its frames of importlib: the one that has the (outermost)
 * import statement; -1: it is not.  stack may be NULL.
 */
int stack_import_frame(const struct loop *loop, const struct stack *stack);
/* The same of a stack taken where the import began. */
int stack_importer_frame(const struct loop *loop, const struct stack *stack);

/* A code object whose names should be asked for. */
struct model_want {
	const struct ev_target *target;
	uint64_t code_addr;
	uint32_t fingerprint;
};

/* A thread whose name should be asked for. */
struct model_thread_want {
	const struct ev_target *target;
	uint64_t ident;
	uint32_t tid; /* as the target sees it; 0: not known */
};

struct model;

int model_new(struct model **out, const struct model_bounds *bounds);
void model_free(struct model *model);

/* Takes one record that decode() has passed. Returns 0 or -ENOMEM; nothing else is an error. */
int model_add(struct model *model, const struct ev_head *ev);
/* The next code object to ask for, each once; false: none now.  A replay ignores them. */
bool model_next_want(struct model *model, struct model_want *want);
/* The next thread likewise. One that could not be asked for stays without a name. */
bool model_next_thread(struct model *model, struct model_thread_want *want);
/* It could not be asked for: it is the next again, once an EV_TICK or an answer has been added. */
void model_unwant(struct model *model, const struct model_want *want);
/* How often that happened. */
uint64_t model_nr_unwanted(const struct model *model);
/*
 * The next iteration that is complete or has waited long enough; NULL: none.  To be drained after each
 * record: of those not taken only model_bounds.waiting are kept.
 */
const struct iteration *model_next_iteration(struct model *model);
/* The next destination with a record that rules have not seen; NULL: none. To be drained likewise. */
struct connection *model_next_connection(struct model *model);
/* The n-th destination that is known, in order of appearance; NULL: no more. */
const struct connection *model_connection(const struct model *model, uint32_t n);
/* After EV_END: nothing waits any more, so model_next_iteration() gives out all that is left. */

/* The n-th loop, dead ones included (up to the bound; the oldest dead are forgotten first); NULL: no more. */
const struct loop *model_loop(const struct model *model, uint32_t n);
/* The n-th target likewise. */
const struct target *model_target(const struct model *model, uint32_t n);
/* The loop that lives and has this number, of that target; NULL: none. */
const struct loop *model_find_loop(const struct model *model, uint32_t target_id, uint32_t loop_id);
/* The target of that number, which may have ended; NULL: none. */
const struct target *model_find_target(const struct model *model, uint32_t target_id);
/* Latest counters of ev_loss, with names_* and breaches_incomplete as this model saw them if larger.
 * What the model's own tables of loops and targets refused is added to what the kernel half's did. */
void model_loss(const struct model *model, struct ev_loss *loss);
/* How full a table is. */
#define MODEL_TABLES 6
struct model_size {
	const char *table; /* lives for ever */
	uint64_t entries, max_entries;
	uint64_t bytes, max_bytes; /* max_bytes 0: entries alone are bounded */
};
void model_sizes(const struct model *model, struct model_size sizes[MODEL_TABLES]);
/* Time of the newest record. */
uint64_t model_now_ns(const struct model *model);

/* Lower bound, in ns, of a histogram bucket, and the bucket of a length (model/hist.c). */
uint64_t hist_bucket_low_ns(unsigned bucket);
unsigned hist_bucket(uint64_t length_ns);
/* The length below which a share (0..1) of the counted lengths lies, interpolated in its bucket. */
uint64_t hist_quantile_ns(const uint64_t hist[HIST_BUCKETS], double share);

#endif
