/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Findings in, bytes out.  A reporter is a row of functions over a buffered stream; both forms
 * (report_text.c, report_jsonl.c) show the same facts.  Pure: bytes depend on the arguments only.
 *
 * Everything a target can name (functions, files, processes, paths) is made safe here: terminal
 * escapes and controls, bad UTF-8 and, for JSON, quoting.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics.h"
#include "model.h"
#include "policies.h"
#include "rules.h"
#include "stream.h"

/* A finding with those of the same site that were folded into it (report/fold.c). */
struct breach {
	const struct finding *finding;
	uint64_t count, total_ns, max_ns; /* count 0: takes back what was said while it lasted (report/told.c) */
	const uint64_t *asleep_by_cause; /* [CAUSE_MAX], of the finding's iteration */
};

struct site_total { /* one row of the closing ranking */
	char function[160], file[EV_PATH_LEN];
	int32_t line;
	enum rule_id rule;
	enum cause cause;
	bool is_latent; /* count is that of calls, and the times are 0 */
	uint64_t count, total_ns, max_ns;
};

struct report_summary {
	uint64_t watched_ns;
	uint64_t nr_breaches, nr_lines; /* happened; printed */
	uint64_t nr_latent;		/* quick calls that can block */
	const struct site_total *sites; /* costliest first, then those of quick calls, most calls first */
	unsigned nr_sites, nr_latent_sites; /* all, and how many of them are of quick calls */
	uint64_t nr_sites_refused; /* breaches of sites past the table's bound */
	struct ev_loss loss;
	const struct model *model; /* loops and targets */
};

struct report_opts {
	FILE *out;
	bool use_color;	  /* text only */
	unsigned columns; /* text only: 80 to 120 */
	bool is_verbose;  /* text: whole stacks */
	struct session session;
	const struct rules_config *rules;
	const struct policies *policies; /* rules and labels by target; NULL: rules hold for all */
	struct metrics *metrics; /* what happens is added up there as well; NULL: nowhere */
	void *sink;		 /* a reporter's own, if it does not write to out */
	/* What has ended is kept for so long; 0: for the summary, as long as there is room. */
	uint64_t keep_ended_ns;
};

struct reporter {
	const char *name; /* "text", "jsonl" */
	void (*session)(const struct report_opts *opts);
	void (*target)(const struct report_opts *opts, const struct target *target, uint64_t ts_ns);
	/* A loop was found whose stalls cannot be reported; may be NULL. */
	void (*unsupported)(const struct report_opts *opts, const struct loop *loop, uint64_t ts_ns);
	void (*breach)(const struct report_opts *opts, const struct breach *breach);
	/* Once a second for each loop; may be NULL. */
	void (*loop)(const struct report_opts *opts, const struct loop *loop, uint64_t ts_ns);
	/* Once a second for each destination whose counters have changed; may be NULL. */
	void (*connections)(const struct report_opts *opts, const struct connection *connection);
	void (*summary)(const struct report_opts *opts, const struct report_summary *summary);
};
extern const struct reporter report_text, report_jsonl;
const struct reporter *reporter_find(const char *name); /* NULL: none */

/*
 * The whole way from records to bytes, shared by `watch` and `report` (report/pipeline.c):
 * decode, model, rules, folding, ranking, reporter, in this order.
 */
struct pipeline;
int pipeline_new(struct pipeline **out, const struct reporter *reporter,
		 const struct report_opts *opts);
void pipeline_free(struct pipeline *pipeline);
/* Takes one raw record. 0; -EBADMSG: refused and counted; -ENOMEM; or the negative errno of a
 * failed write. */
int pipeline_add(struct pipeline *pipeline, const void *record, size_t size);
struct model *pipeline_model(struct pipeline *pipeline);
/* Writes out what is buffered; a tick does it too. 0 or the negative errno of a failed write. */
int pipeline_flush(struct pipeline *pipeline);
/* Records so far that the decoder refused. */
uint64_t pipeline_invalid(const struct pipeline *pipeline);
/* Breaches so far of each rule, for --fail-on. */
uint64_t pipeline_breaches(const struct pipeline *pipeline, enum rule_id rule);
/* Quick calls that can block, so far. */
uint64_t pipeline_latent(const struct pipeline *pipeline);
/* Writes the summary; call it once, after an EV_END was added. */
int pipeline_finish(struct pipeline *pipeline);

#endif
