/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the files of the model share and nobody else includes: its tables and who owns what.
 *
 *   target_entry -> loop_entry -> draft (the iteration under way) -> stack_entry -> code
 *
 * Whatever is referred to is not freed: counts below say by whom.  What nothing refers to waits in
 * an "idle" or "dead" list, oldest first, and goes when its table is full; stacks and code objects of a
 * process that has ended at once, since nothing new can come to refer to them.
 */
#ifndef TABLES_H
#define TABLES_H

#include <stddef.h>
#include <sys/queue.h>

/* A hash table that cannot grow refuses the element (its hh.tbl is NULL) instead of exiting. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "linetable.h"
#include "model.h"
#include "util.h"

#define MAX_ANCESTORS 8 /* forks between who was asked and who runs the code */

/* glibc's sys/queue.h lacks it. */
#define TAILQ_POP(head, link)                                             \
	({                                                                \
		__typeof__((head)->tqh_first) first_ = TAILQ_FIRST(head); \
		if (first_)                                               \
			TAILQ_REMOVE(head, first_, link);                 \
		first_;                                                   \
	})

struct code_key {
	uint64_t code_addr;
	uint32_t target_id;
	uint32_t fingerprint;
};
_Static_assert(sizeof(struct code_key) == 16, "hashed as bytes: no padding");

enum code_state {
	CODE_STATE_ALONE = 0,  /* nobody to ask: its target is not known */
	CODE_STATE_QUEUED = 1, /* in its target's list until that is identified */
	CODE_STATE_WANTED = 2, /* in the model's list until model_next_want() */
	CODE_STATE_ASKED = 3,
	CODE_STATE_ANSWERED = 4,
};

/* A code object and, once answered, its names. */
struct code {
	struct code_key key;
	enum code_state state;
	enum frame_naming naming;
	uint32_t co_flags;
	struct linetable table; /* its bytes are in data */
	char *data;		/* marks, file NUL name NUL function NUL table */
	size_t data_bytes;
	const char *file, *name, *function;
	struct target_entry *target; /* of key.target_id; NULL: not known then, or forgotten since */
	bool is_pinned;		     /* must not become idle now */
	LIST_HEAD(, frame_use) users;
	LIST_ENTRY(code) of_target;
	TAILQ_ENTRY(code) ask;	/* QUEUED, WANTED */
	TAILQ_ENTRY(code) idle; /* while it has no users */
	UT_hash_handle hh;
};
TAILQ_HEAD(code_list, code);

/* That a frame of a stack runs a code object. */
struct frame_use {
	struct code *code; /* NULL: refused */
	struct stack_entry *owner;
	LIST_ENTRY(frame_use) link;
	int32_t offset_bytes;
	uint32_t index; /* in owner->stack.frames */
};

struct stack_entry {
	UT_hash_handle hh;
	struct target_entry *target; /* that it was taken of; NULL: as of a code object */
	LIST_ENTRY(stack_entry) of_target;
	TAILQ_ENTRY(stack_entry) idle; /* while refs is 0 */
	uint32_t refs;		       /* by sleeps and samples of drafts */
	uint32_t nr_pending;	       /* frames that may still be named */
	uint32_t nr_unnamed;	       /* frames without a name, for whatever reason */
	struct frame_use *uses;	       /* stack.nr of them */
	struct stack stack;	       /* last: frames[] is allocated only as far as it is used */
};
TAILQ_HEAD(stack_list, stack_entry);

struct target_entry {
	struct target target;
	uint32_t id;
	uint32_t nr_loops;				 /* ever */
	struct ev_host *hosts;				 /* MODEL_HOSTS of them, or NULL */
	uint32_t next_host;
	uint32_t ancestors[MAX_ANCESTORS], nr_ancestors; /* ids, the parent first */
	bool is_heir;	   /* one of its ancestors' nr_heirs */
	uint32_t nr_heirs; /* descendants that live: what they run may have its names */
	TAILQ_HEAD(, loop_entry) loops;
	struct code_list queued;
	LIST_HEAD(, code) codes;
	LIST_HEAD(, stack_entry) stacks;
	uint64_t ended_ns;
	TAILQ_ENTRY(target_entry) dead; /* while target.ended */
	uint32_t nr_connections; /* destinations that are known */
	uint64_t burst_ns;	 /* time of the latest record of one, and the largest window_burst then */
	uint32_t burst;
	UT_hash_handle hh;
};

struct loop_entry {
	struct loop loop;
	struct target_entry *target;
	uint32_t loop_id;
	bool has_slot;	     /* the latest of this loop_id */
	uint32_t refs;	     /* by drafts that wait or are handed out */
	struct draft *draft; /* the iteration under way; NULL: no record of it yet */
	TAILQ_ENTRY(loop_entry) of_target;
	uint64_t ended_ns;
	TAILQ_ENTRY(loop_entry) dead; /* while loop.ended */
	UT_hash_handle hh;	      /* while has_slot */
};

struct sleep_key {
	uint64_t stack_id, holder_ident;
	int32_t syscall, fd;
	uint8_t off_class;
};

/* An iteration in the making, then waiting, handed out, and kept for reuse with its arrays. */
struct draft {
	struct iteration iteration;
	struct loop_entry *loop; /* holds a reference once the iteration ended */
	uint64_t number;
	uint64_t deadline_ns;
	uint32_t seen_sleeps, seen_samples; /* records, merged, dropped and refused ones included */
	uint64_t next_sample;		    /* how many samples came before it */
	unsigned nr_halvings;		    /* of samples: one of 2^nr_halvings is kept */
	uint32_t nr_gil; /* of sleeps: those for the GIL */
	uint32_t room_sleeps, room_samples;
	struct sleep *sleeps;
	struct sleep_key *keys; /* of sleeps, packed for the search */
	struct sample *samples;
	struct gc_run *gcs;
	struct import_run *imports;
	uint32_t room_gcs, room_imports;
	TAILQ_ENTRY(draft) link;
};
TAILQ_HEAD(draft_list, draft);

/* Idents are used again by later threads, so the number belongs to the key. */
struct thread_key {
	uint64_t ident;
	uint32_t target_id, tid;
};
_Static_assert(sizeof(struct thread_key) == 16, "hashed as bytes: no padding");

struct thread {
	struct thread_key key;
	bool is_asked, is_answered;
	char comm[EV_COMM_LEN], name[64];
	TAILQ_ENTRY(thread) age;
	UT_hash_handle hh;
};

struct connection_entry {
	struct connection connection;
	struct loop loop; /* of connection.about */
	struct target_entry *target;
	uint32_t serial;
	uint64_t deadline_ns; /* names are waited for until then */
	enum { CONNECTION_IDLE = 0, CONNECTION_DUE, CONNECTION_READY } state;
	TAILQ_ENTRY(connection_entry) used; /* of those that are over, or are not: the longest silent first */
	TAILQ_ENTRY(connection_entry) due;
	UT_hash_handle hh;
};
TAILQ_HEAD(connection_list, connection_entry);

struct model {
	struct model_bounds bounds;
	uint64_t now_ns;
	bool ended;
	bool names_changed; /* since the waiting ones were looked through */
	struct ev_loss loss;
	uint64_t names_asked, names_failed, names_refused, breaches_incomplete;
	uint64_t loops_refused, targets_refused;

	struct target_entry *targets; /* by id */
	struct target_entry **target_order;
	uint32_t nr_targets;
	TAILQ_HEAD(, target_entry) dead_targets;
	struct target_entry nobody; /* of what names no target, or none that has room */

	struct loop_entry *slots; /* by loop_id */
	struct loop_entry **loop_order;
	uint32_t nr_loops;
	TAILQ_HEAD(, loop_entry) dead_loops;
	struct loop_entry nowhere; /* of an iteration for whose loop there is no room */

	struct code *codes;
	uint32_t nr_codes;
	uint64_t name_bytes;
	struct code_list wants, idle_codes;
	bool wants_held; /* one was put back; nothing came since that may have made room */
	uint64_t wants_put_back;

	struct stack_entry *stacks; /* by stack.id */
	uint32_t nr_stacks;
	uint64_t stack_bytes;
	struct stack_list idle_stacks;

	struct task *tasks; /* by id */
	uint32_t nr_tasks;
	TAILQ_HEAD(, task) tasks_used;
	struct thread *threads;
	uint32_t nr_threads, nr_threads_unasked;
	TAILQ_HEAD(, thread) threads_by_age;

	struct connection_entry *connections; /* by serial, in order of appearance */
	uint32_t nr_connections;
	TAILQ_HEAD(connection_order, connection_entry) connections_used, connections_over;
	struct connection_list connections_due, connections_ready;
	bool connections_finished;

	struct draft_list waiting, ready, spare;
	uint32_t nr_waiting, nr_ready, nr_spare;
	struct draft *handed_out;
};

/* Targets and loops (processes.c).  NULL where there is no room. */
int processes_new(struct model *model);
void processes_free(struct model *model);
struct target_entry *processes_target(struct model *model, uint32_t id);
struct target_entry *processes_find(const struct model *model, uint32_t id);
struct loop_entry *processes_loop(struct model *model, const struct ev_head *head);
void processes_add_target(struct model *model, const struct ev_target *ev);
void processes_add_fork(struct model *model, const struct ev_fork *ev);
void processes_add_exec(struct model *model, const struct ev_exec *ev);
void processes_end_target(struct model *model, uint32_t id);
void processes_add_loop(struct model *model, const struct ev_loop *ev);
void processes_end_loop(struct model *model, const struct ev_loop_exit *ev);
void processes_add_tasks(struct model *model, const struct ev_tasks *ev);
/* 0 or -ENOMEM. */
int processes_add_host(struct model *model, const struct ev_host *ev);
void processes_add_stats(struct model *model, const struct ev_loop_stats *ev);
/* Forgets what ended before then_ns and nothing refers to. */
void processes_expire(struct model *model, uint64_t then_ns);

/* Code objects (names.c). */
void names_free(struct model *model);
/* Lets use refer to the code object (NULL: refused), whose names are asked for if not known. */
void names_use(struct model *model, struct frame_use *use, uint32_t target_id,
	       const struct ev_frame *frame);
void names_unuse(struct model *model, struct frame_use *use);
int names_add(struct model *model, const struct ev_code *ev);
/* The target is identified: its code objects can be asked for. */
void names_ask(struct model *model, struct target_entry *target);
/* The target has ended: forgets what nothing uses and no descendant that lives may use, now and from here on. */
void names_release(struct model *model, struct target_entry *target);
/* The target is about to be forgotten, and what nothing uses with it. */
void names_abandon(struct model *model, struct target_entry *target);
/* What is known of the frame by now. */
void names_fill(struct frame *frame, const struct frame_use *use);

/* Stacks (stacks.c). */
void stacks_free(struct model *model);
int stacks_add(struct model *model, const struct ev_stack *ev);
/* Takes a reference; NULL: not known. */
struct stack_entry *stacks_get(struct model *model, uint64_t id);
void stacks_put(struct model *model, struct stack_entry *entry);
/* Forgets the stack that was unused for longest; false: all are in use. */
bool stacks_forget_idle(struct model *model);
/* The target has ended: as names_release(), but a stack is of one target only. */
void stacks_release(struct model *model, struct target_entry *target);
/* As names_abandon(). */
void stacks_abandon(struct model *model, struct target_entry *target);
struct stack_entry *stacks_entry(const struct stack *stack);
/* An answer came: the frames that use it are filled again. */
void stacks_refresh(struct code *code);

/* Names of tasks (tasks.c). */
void tasks_free(struct model *model);
int tasks_add(struct model *model, const struct ev_task *ev);
/* Its name, until the next tasks_add(); NULL: none, or not known, or a callback in C, which *builtin names. */
const char *tasks_name(struct model *model, uint64_t id, const char **builtin);
/* Names the tasks of a draft that is about to be handed out. */
void tasks_fill(struct model *model, struct draft *draft);

/* Iterations (iteration.c, draft.c). */
int iteration_add_sleep(struct model *model, const struct ev_sleep *ev);
int iteration_add_sample(struct model *model, const struct ev_sample *ev);
int iteration_add_ongoing(struct model *model, const struct ev_ongoing *ev);
/* From here on only names can change: waits for them, or comes out. */
void iteration_submit(struct model *model, struct draft *draft, struct loop_entry *loop);
int iteration_add_end(struct model *model, const struct ev_iteration *ev);
/* Moves on what is complete or has waited long enough. */
void iteration_settle(struct model *model);
/* What was handed out is not looked at any more. */
void iteration_recycle(struct model *model);
void iteration_free(struct model *model);

/*
 * Names of threads (threads.c).  The oldest go when there are too many; whoever shows one has copied it.
 * One that is used is asked for once.
 */
void threads_use(struct model *model, const struct ev_sleep *ev);
void threads_add(struct model *model, const struct ev_thread *ev);
/* Copies what is known into the sleep; false: the answer may still come. */
bool threads_fill(const struct model *model, struct sleep *sleep);
void threads_free(struct model *model);
int iteration_add_gc(struct model *model, const struct ev_gc *ev);
int iteration_add_import(struct model *model, const struct ev_import *ev);

/* The collector and imports (within.c). */
int within_add_gc(struct model *model, struct draft *draft, const struct ev_gc *ev);
int within_add_import(struct model *model, struct draft *draft, const struct ev_import *ev);
int within_copy(struct model *model, const struct draft *from, struct draft *to, uint64_t start_ns);
void within_drop(struct model *model, struct draft *draft);
bool within_is_pending(const struct draft *draft);
/* Names are there as far as they will be: marks what runs below importlib, and adds it up. */
void within_estimate(struct draft *draft);
/* Connections (connections.c). */
void connections_new(struct model *model);
int connections_add(struct model *model, const struct ev_connection *ev);
int connections_add_connect(struct model *model, const struct ev_connect *ev);
/* Moves on what is named or has waited long enough. */
void connections_settle(struct model *model);
void connections_end(struct model *model);
/* Forgets those that were over before then_ns and have come out. */
void connections_expire(struct model *model, uint64_t then_ns);
void connections_free(struct model *model);
/* Quick calls (latent.c). */
int latent_add(struct model *model, const struct ev_latent *ev);
/* The iteration of a draft was healthy, or its end was lost: lets its quick calls come out, if any. NULL is fine. */
void latent_release(struct model *model, struct loop_entry *loop, struct draft *draft);
/* A loop's counters tell which of its iterations are over. */
void latent_settle(struct model *model, const struct ev_loop_stats *ev);
/* The watch is over. */
void latent_end(struct model *model);

struct draft *draft_new(struct model *model, uint64_t number);
/* Gives its stacks and its loop back, keeps its memory for the next. NULL is fine. */
void draft_drop(struct model *model, struct draft *draft);
void draft_free(struct draft *draft);
int draft_add_sleep(struct model *model, struct draft *draft, const struct ev_sleep *ev);
int draft_add_sample(struct model *model, struct draft *draft, const struct ev_sample *ev);
/* Sorts, and looks again for stacks that were not there yet. */
void draft_finish(struct model *model, struct draft *draft, const struct ev_iteration *ev);
bool draft_is_pending(const struct model *model, struct draft *draft);
bool draft_is_incomplete(const struct draft *draft);

#endif
