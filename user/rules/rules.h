/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finished iterations in, findings out: where a program breaks a guideline, why, and what to do.
 * Pure: no kernel, no clock, no globals.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum rule_id {
	RULE_BLOCKING_CALL = 0,
	RULE_CPU_BOUND = 1,
	RULE_GIL_WAIT = 2,
	RULE_GC_PAUSE = 3,
	RULE_IMPORT_ON_LOOP = 4,
	RULE_LOOP_OVERLOAD = 5,
	RULE_HOST_STARVED = 6,
	RULE_UNBOUNDED_CONCURRENCY = 7,
	RULE_CONNECTION_CHURN = 8,
	RULE_CONNECTION_LEAK = 9,
	RULE_MAX
};

/* What a limit counts. */
enum rule_unit {
	RULE_UNIT_NS = 0,
	RULE_UNIT_CONNECTIONS,
	RULE_UNIT_CONNECTIONS_PER_SECOND,
};

/* What a rule is, for `loophound rules`, for reports and for documentation. */
struct rule {
	const char *id;	       /* "blocking-call": the one word that leads everywhere */
	const char *guideline; /* in a sentence */
	uint64_t default_limit_ns; /* or a number of what unit says */
	enum rule_unit unit;
	const char *limit;    /* what the limit is compared with */
	const char *evidence; /* how it is known */
	const char *advice;   /* what to do in general */
	const char *lint; /* codes of ruff / flake8-async that catch it statically, comma separated,
			     or NULL */
};
extern const struct rule rules[RULE_MAX];

/* Causes of blocking-call, in the order and spelling of the JSON schema. */
enum cause {
	CAUSE_SLEEP,
	CAUSE_NETWORK,
	CAUSE_DNS,
	CAUSE_FILE,
	CAUSE_SUBPROCESS,
	CAUSE_LOCK,
	CAUSE_PIPE,
	CAUSE_TERMINAL,
	CAUSE_OTHER,
	/* of cpu-bound */
	CAUSE_PYTHON, /* bytecode moved between samples */
	CAUSE_NATIVE, /* it stood on one instruction: C code held the CPU */
	/* of host-starved */
	CAUSE_RUN_QUEUE,
	CAUSE_THROTTLED,
	CAUSE_PAGE_FAULT,
	CAUSE_STOPPED,
	/* of gil-wait */
	CAUSE_GIL,
	/* of gc-pause */
	CAUSE_AUTOMATIC, /* the collector's own thresholds */
	CAUSE_EXPLICIT,	 /* the program called gc.collect() */
	CAUSE_OTHER_THREAD, /* free-threaded: it ran in another thread, which stopped all others */
	/* of import-on-loop */
	CAUSE_IMPORT,
	/* of loop-overload */
	CAUSE_CALLBACKS,
	/* of unbounded-concurrency */
	CAUSE_CONCURRENT, /* open at the same time */
	CAUSE_ITERATION,  /* begun in one iteration of the loop */
	/* of connection-churn */
	CAUSE_SHORT_LIVED,
	/* of connection-leak */
	CAUSE_CLOSE_WAIT, /* the peer has closed, this end does not */
	CAUSE_GROWTH,	  /* opened and never closed */
	CAUSE_AT_EXIT,	  /* closed by the end of the process */
	CAUSE_COLLECTOR,  /* closed by the garbage collector */
	CAUSE_MAX
};
extern const char *const cause_names[CAUSE_MAX]; /* "sleep", ..., "run-queue" */

#define RULES_MAX_ALLOW	  64
#define RULES_MAX_LIBRARY 16
#define RULES_MAX_DESTINATIONS 64

struct rules_config {
	uint64_t limit_ns[RULE_MAX]; /* or in the rule's unit */
	/* Limits of single destinations, of rules that have such. */
	struct {
		enum rule_id rule;
		struct connection_peer peer; /* its kind does not matter */
		uint64_t limit;
	} destinations[RULES_MAX_DESTINATIONS];
	unsigned nr_destinations;
	bool is_enabled[RULE_MAX];
	/* Silenced sites: file ends with .file (at a path component) and function or name equals
	 * .function. */
	struct {
		char file[EV_PATH_LEN];
		char function[EV_PATH_LEN];
	} allow[RULES_MAX_ALLOW];
	unsigned nr_allow;
	/* Path parts that mark a file as library code, besides the built-in ones (standard library,
	 * site-packages). */
	char library[RULES_MAX_LIBRARY][EV_PATH_LEN];
	unsigned nr_library;
};
/* Default limits, every rule on, nothing allowed. */
void rules_config_init(struct rules_config *config);
/* Finds a rule by its id; -ENOENT. */
int rules_find(const char *id, enum rule_id *out);

/* Who held the GIL for most of a loop's wait for it. */
struct finding_holder {
	uint64_t ident; /* threading.get_ident(); 0: nobody is known to */
	uint32_t tid;	/* as the target sees it; 0: not known */
	char comm[EV_COMM_LEN], name[64]; /* as the target has them; empty: not known */
	const struct stack *stack;	  /* where it mostly was; NULL: not taken or lost */
	int site;	     /* in stack->frames, where the reader of the report can act; -1: none */
	uint64_t waited_ns;  /* that the loop waited for it */
	uint64_t run_queue_ns; /* of which it had no CPU itself: no part of the finding's duration */
	uint32_t nr_others;  /* further holders in this iteration */
	bool is_native;	     /* it stood in one call of C code */
};

/* What a rule about connections has seen, since start_ns of its finding. */
struct finding_connection {
	bool is_set;
	struct connection_peer peer;
	char service[20]; /* well-known name of the port; empty: none */
	uint64_t limit;	  /* that holds for this destination */
	uint32_t peak;	  /* open at the same time */
	uint32_t before;  /* open at the start */
	uint32_t burst;	  /* most begun in one iteration of a loop */
	uint32_t close_wait; /* now */
	uint64_t begun, closed, nr_short;
	uint64_t failed[FAILURE_MAX];
	uint64_t lifetime_ns, bytes_out, bytes_in, segments_out; /* sums over the closed ones */
	uint64_t closed_at_exit, closed_by_gc;
	double share; /* of the recently begun ones, that the finding's stack did */
};

#define FINDING_OBJECT_LEN 320
#define FINDING_MAX_HOT	   3
struct finding {
	enum rule_id rule;
	enum cause cause;
	bool is_latent; /* a call that can block and was quick: no breach, no duration; calls is their number */
	const struct iteration *iteration;
	uint64_t start_ns;
	uint64_t duration_ns; /* lost to this site, for this cause, in this iteration */
	uint32_t calls;	      /* sleeps or samples behind it */
	/* The site's heaviest stack; NULL: not taken or lost; without frames: see its status. */
	const struct stack *stack;
	/* Indices in stack->frames; -1: none. */
	int site;	/* where the reader of the report can act */
	int coroutine;	/* innermost coroutine or async generator */
	int callback;	/* the plain callback that the loop ran, if there is no coroutine */
	int nr_library; /* frames [0, nr_library) are the libraries that the site called */
	const char *task; /* name of the task that the site is in; NULL: none, or not known */
	const char *builtin; /* the plain callback, if it is in C: no frame is its; else NULL */
	const struct sleep *sleep; /* the heaviest one; NULL: none */
	/* Of host-starved: what the host did meanwhile; since_ns 0: not known. */
	struct ev_host host;
	/* Of loop-overload: callbacks that ran, or (not exact) at least; where most of the time went. */
	uint32_t callbacks;
	bool callbacks_exact;
	int64_t ready_at_end; /* that wait when it ends; -1: not known */
	unsigned nr_hot;
	struct {
		struct frame frame;
		double share; /* of the iteration's samples */
	} hot[FINDING_MAX_HOT];
	/* Of the heaviest sleep; -1: none. */
	int32_t syscall, fd;
	struct finding_holder holder; /* of gil-wait */
	/* Of gc-pause and import-on-loop. */
	bool is_estimated; /* from samples; no probe saw it, or not all of it */
	struct {
		uint32_t generation; /* the oldest that was collected */
		uint64_t collected;  /* objects; .calls is the number of runs */
	} gc;
	uint64_t asleep_ns;	    /* of an import; the rest it was on CPU */
	char module[EV_MODULE_LEN]; /* of an import; empty: not known */
	struct finding_connection connection;
	/* What follows is filled by rules_describe(). What the descriptor is: "127.0.0.1:5432",
	 * "/srv/x", "pipe:[123]"; or empty. */
	char object[FINDING_OBJECT_LEN];
	const char *advice;
	const char *lint[4]; /* codes, NULL-ended */
};

/* Of one iteration, the costliest first; further ones are added to the last of their rule. */
#define RULES_MAX_FINDINGS 32

/* Writes up to cap findings, costliest first; returns how many. */
unsigned rules_eval(const struct rules_config *config, const struct iteration *iteration,
		    struct finding *findings, unsigned cap);

/*
 * The same of a destination whose record came.  What rules must remember until its next one is kept in
 * connection->memory.  A finding of a burst that goes on has an iteration that is under way.
 */
unsigned rules_eval_connection(const struct rules_config *config, struct connection *connection,
			       struct finding *findings, unsigned cap);
/* The rule is about connections: its iteration has no length, and its duration is no time lost. */
bool rules_is_about_connections(enum rule_id rule);
/* "ns", "connections", "connections/s" */
const char *rules_unit_name(enum rule_unit unit);
/* "10.0.0.5:5432", "[::1]:80", "/run/x.sock", "@name"; empty of a CONNECTION_PROCESS. Not yet safe. */
void rules_format_peer(const struct connection_peer *peer, char *out, size_t size);

/* What rules_format_peer() writes, and "[::ffff:10.0.0.5]:80" for an IPv4 one. False: it is no destination. */
bool rules_parse_peer(const char *text, struct connection_peer *out);

/*
 * Fills the words of a finding: object, advice, lint.  Apart from rules_eval(), because of
 * thousands of findings a second few are shown.  The iteration must still be valid.
 */
void rules_describe(struct finding *finding);

/* The time an iteration's thread was asleep in system calls, by cause; sums to
 * ev.off_ns[OFF_SYSCALL] or less. */
void rules_asleep_by_cause(const struct iteration *iteration, uint64_t by_cause[CAUSE_MAX]);

/* "clock_nanosleep" for its number on this architecture; NULL if unknown (rules/syscall_name.c). */
const char *syscall_name(int nr);

#endif
