/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state of the watched processes, shared by the files that are targets.h: follow, spawn, answer. */
#ifndef TARGETS_STATE_H
#define TARGETS_STATE_H

#include <uthash.h>

#include "find.h"
#include "targets.h"

#define TARGETS_FIRST_RETRY_NS (2 * NSEC_PER_MSEC)

struct entry {
	UT_hash_handle hh;
	uint32_t target_id;
	pid_t pid;
	bool is_required;
	bool was_required; /* before an exec: named by the user, and Python then */
	bool is_searched; /* found under /proc: it had had its time to become a Python */
	bool is_known; /* info is the reader's final answer */
	bool is_untold; /* its answer is held back until its probes are attached */
	bool was_asked_probes;
	bool is_asked; /* what it is, and the answer is on its way */
	unsigned retries;
	uint32_t loop_kind; /* of its last loop that was found */
	unsigned looks_again; /* for what a module was to be imported for */
	bool is_looked_at_again; /* the next answer is about that */
	unsigned missed; /* times in a row that the kernel half did not know it */
	uint64_t retry_ns; /* when to ask again; 0: not */
	uint64_t start_ticks; /* as the kernel has it; 0: not known */
	bool has_exe; /* the rest is what the kernel half said at its exec */
	struct exe_key exe;
	unsigned nr_waits; /* times that it was told to wait for events; 0: it was told at its exec */
	bool is_descendant;
	bool is_replaced; /* by an exec of another that was watched, whose number it has until it is told of */
	bool is_inherited; /* number is that of whom it descends from */
	int number; /* of the selector that it is watched by, or SELECTION_* */
	uint64_t names; /* of selection_names(), when they were last known */
	bool is_counting; /* its tasks, and the answer is on its way */
	uint32_t tasks_took_ns; /* the last time; 0: there was none */
	uint32_t tasks_sum;	/* of the numbers that there were then */
	uint32_t tasks_nr_same; /* times in a row that they were as the time before */
	uint64_t tasks_ns; /* when its tasks were to be counted last; 0: never; UINT64_MAX: not again */
	uint64_t select_ns; /* when to look at its selection again; 0: not */
	struct ev_target info;
};

/* One that was watched and is no more: until it ends there may be records of it. */
struct let_go {
	UT_hash_handle hh;
	uint32_t target_id;
	pid_t pid;
	uint64_t start_ticks;
};

struct targets {
	struct probes *probes;
	struct reader *reader;
	struct entry *entries; /* by target_id */
	uint32_t next_id;      /* below the kernel half's own numbers */
	const struct find_filter *search; /* NULL: nobody is watched but who was named, and what descends from them */
	const struct selection *selection; /* of these, who is watched; NULL: all */
	struct policies *policies;	   /* what holds for them is said there; NULL: nowhere */
	targets_gone_fn *on_let_go;
	void *ctx;
	struct let_go *let_go; /* by target_id */
	uint64_t last_ns;      /* time of the last tick */
	uint64_t due_ns;       /* no entry has a retry_ns or select_ns before; UINT64_MAX: none has any */
	unsigned nr_counting;	/* entries whose tasks are being counted */
	uint64_t counting_every_ns; /* those of one target */
	uint64_t counting_due_ns; /* nobody's are to be counted before; UINT64_MAX: nobody's */
	int64_t counting_credit_ns; /* of the reader's time, for that */
	bool has_host_clock; /* start times of the kernel half and of /proc can be compared */
	struct ev_target failed;
	bool has_failed;
};

struct entry *targets_entry(const struct targets *targets, uint32_t target_id);
struct entry *targets_new_entry(struct targets *targets, uint32_t target_id, pid_t pid);
void targets_drop(struct targets *targets, struct entry *entry);
/* What the kernel half says of a start, as /proc has it; 0: cannot be compared. */
uint64_t targets_start_ticks(const struct targets *targets, uint64_t start_ns);
/* Asks the reader what it is; later, if there is no room now. 0 or a negative errno. */
int targets_ask(struct targets *targets, struct entry *entry, uint64_t now_ns);
/* Its tasks were counted, or it is gone: no answer about it comes. */
void targets_end_counting(struct targets *targets, struct entry *entry);
/* When an entry is to be looked at again, of which retry_ns or select_ns says so: *of. */
void targets_look_at(struct targets *targets, uint64_t *of, uint64_t at_ns);
/* Asks again about one that is known, for what was not imported yet. */
void targets_look_again(struct targets *targets, struct entry *entry, uint64_t now_ns);
/*
 * The selector that a process is watched by, or SELECTION_*.  entry: its own, if there is one; names as of
 * selection_names().  *is_inherited: no selector is about itself.
 */
int targets_number(const struct targets *targets, const struct entry *entry, pid_t pid, uint64_t names,
		   bool is_descendant, bool *is_inherited);
void targets_assign(struct targets *targets, struct entry *entry, int number, uint64_t names);
/* Looks at what it is watched by again; it may be let go of, and its entry be gone. */
void targets_select_again(struct targets *targets, struct entry *entry, uint64_t now_ns);
/* Watches it no more, though it lives. */
void targets_let_go(struct targets *targets, struct entry *entry, uint64_t now_ns);
/* To who has the stream it is as if it had ended. */
void targets_tell_end(struct targets *targets, const struct entry *entry, uint64_t now_ns);
/* Those that ended meanwhile are no matter any more. */
void targets_forget_let_go(struct targets *targets);
/* The kernel half learns from what became of a process what its executable is. */
void targets_learn(struct targets *targets, const struct entry *entry, enum target_status status);

#endif
