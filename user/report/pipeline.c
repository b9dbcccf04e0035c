/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The order of the stages: decode, model, rules, ranking, folding, reporter.  The only file that
 * knows it; `watch` and `report` differ in where the records come from and in nothing else.
 */
#include "report.h"

#include <errno.h>
#include <string.h>

#include "facts.h"
#include "fold.h"
#include "ranking.h"
#include "told.h"
#include "util.h"

struct pipeline {
	const struct reporter *reporter;
	struct report_opts opts;
	struct rules_config rules;
	struct model *model;
	struct fold *fold;
	struct ranking *ranking;
	struct told *told;
	uint64_t nr_breaches[RULE_MAX];
	uint64_t nr_latent;
	uint64_t nr_lines;
	uint64_t nr_invalid; /* records that the decoder refused here */
	int write_err;	     /* the first one */
};

/* What holds for a target. */
static const struct rules_config *rules_of(const struct pipeline *pipeline,
					   uint32_t target_id)
{
	const struct policies *policies = pipeline->opts.policies;

	return policies ? &policies_of(policies, target_id)->rules
			: &pipeline->rules;
}

static const struct reporter *const reporters[] = { &report_text, &report_jsonl };

const struct reporter *reporter_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reporters); i++) {
		if (!strcmp(reporters[i]->name, name))
			return reporters[i];
	}
	return NULL;
}

static void on_breach(void *context, const struct breach *breach)
{
	struct pipeline *pipeline = context;

	pipeline->nr_lines++;
	pipeline->reporter->breach(&pipeline->opts, breach);
}

/* An end that is not a finding of its own: see told.h. */
static void on_told_end(void *context, const struct breach *breach)
{
	struct pipeline *pipeline = context;

	if (breach->count) {
		pipeline->nr_breaches[breach->finding->rule]++;
		ranking_add(pipeline->ranking, breach->finding);
	}
	on_breach(pipeline, breach);
}

static void pipeline_freep(struct pipeline **pipeline)
{
	pipeline_free(*pipeline);
}

/* Takes note of a failed write; errno is that of the first one if it was cleared before. */
static int check_output(struct pipeline *pipeline)
{
	if (!pipeline->write_err && ferror(pipeline->opts.out))
		pipeline->write_err = errno ? -errno : -EIO;
	return pipeline->write_err;
}

int pipeline_flush(struct pipeline *pipeline)
{
	errno = 0;
	if (fflush(pipeline->opts.out) && !pipeline->write_err)
		pipeline->write_err = errno ? -errno : -EIO;
	return check_output(pipeline);
}

int pipeline_new(struct pipeline **out, const struct reporter *reporter,
		 const struct report_opts *opts)
{
	cleanup(pipeline_freep) struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	struct model_bounds bounds = model_default_bounds;
	int err;

	if (!pipeline)
		return -ENOMEM;
	pipeline->reporter = reporter;
	pipeline->opts = *opts;
	pipeline->rules = *opts->rules;
	pipeline->opts.rules = &pipeline->rules;
	bounds.keep_ended_ns = opts->keep_ended_ns;
	err = model_new(&pipeline->model, &bounds);
	if (!err)
		err = fold_new(&pipeline->fold, on_breach, pipeline);
	if (!err)
		err = ranking_new(&pipeline->ranking);
	if (!err)
		err = told_new(&pipeline->told, on_told_end, pipeline);
	if (err)
		return err;
	reporter->session(&pipeline->opts);
	err = pipeline_flush(pipeline);
	if (err)
		return err;
	*out = take(pipeline);
	return 0;
}

void pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	told_free(pipeline->told);
	ranking_free(pipeline->ranking);
	fold_free(pipeline->fold);
	model_free(pipeline->model);
	free(pipeline);
}

static void report_loop(struct pipeline *pipeline, const struct ev_head *ev,
			void (*say)(const struct report_opts *, const struct loop *, uint64_t))
{
	const struct loop *loop = say ? model_find_loop(pipeline->model, ev->target_id, ev->loop_id) : NULL;

	if (loop)
		say(&pipeline->opts, loop, ev->ts_ns);
}

static void report_target(struct pipeline *pipeline, const struct ev_head *ev)
{
	const struct target *target = model_find_target(pipeline->model, ev->target_id);

	if (target)
		pipeline->reporter->target(&pipeline->opts, target, ev->ts_ns);
}

/* Of an iteration that lasts: its end will count it. */
static int show_ongoing(struct pipeline *pipeline, struct finding *finding)
{
	int is_remembered = told_add(pipeline->told, finding);

	if (is_remembered > 0)
		fold_show(pipeline->fold, finding);
	return min(is_remembered, 0);
}

static int count_finding(struct pipeline *pipeline, const struct finding *finding)
{
	if (finding->is_latent)
		pipeline->nr_latent += finding->calls;
	else
		pipeline->nr_breaches[finding->rule]++;
	ranking_add(pipeline->ranking, finding);
	if (!pipeline->opts.metrics || finding->is_latent)
		return 0;
	return metrics_add_finding(pipeline->opts.metrics, finding);
}

/* Of an iteration that is over, or whose end nobody will see. */
static int report_finding(struct pipeline *pipeline, struct finding *finding, uint64_t now_ns)
{
	bool is_said;
	int err;

	if (finding->is_latent && ranking_knows(pipeline->ranking, finding))
		return 0;
	err = count_finding(pipeline, finding);
	if (err)
		return err;
	is_said = told_is_said(pipeline->told, finding);
	if (!told_end(pipeline->told, finding))
		return fold_add(pipeline->fold, finding, now_ns);
	if (!is_said)
		fold_show(pipeline->fold, finding);
	return 0;
}

/* Each rule itself sees to it that what it said to go on is said to end. */
static int report_connection(struct pipeline *pipeline, struct connection *connection)
{
	struct finding findings[RULES_MAX_FINDINGS];
	unsigned int nr, i;
	int err;

	if (connection->has_changed && pipeline->reporter->connections)
		pipeline->reporter->connections(&pipeline->opts, connection);
	nr = rules_eval_connection(rules_of(pipeline, connection->ev.head.target_id), connection,
				   findings, ARRAY_SIZE(findings));
	for (i = 0; i < nr; i++) {
		if (check_output(pipeline))
			return pipeline->write_err;
		if (iteration_is_ongoing(findings[i].iteration)) {
			fold_show(pipeline->fold, &findings[i]);
			continue;
		}
		err = count_finding(pipeline, &findings[i]);
		if (!err)
			err = fold_add(pipeline->fold, &findings[i], model_now_ns(pipeline->model));
		if (err)
			return err;
	}
	return 0;
}

/* What a scrape shows: each iteration and finding once, when it has ended. */
static int count_iteration(struct pipeline *pipeline, const struct iteration *iteration)
{
	uint64_t asleep_by_cause[CAUSE_MAX];

	if (!pipeline->opts.metrics || iteration_is_ongoing(iteration))
		return 0;
	rules_asleep_by_cause(iteration, asleep_by_cause);
	return metrics_add_iteration(pipeline->opts.metrics, iteration, asleep_by_cause);
}

static int report_findings(struct pipeline *pipeline)
{
	struct finding findings[RULES_MAX_FINDINGS];
	uint64_t now_ns = model_now_ns(pipeline->model);
	const struct rules_config *config;
	const struct iteration *iteration;
	struct connection *connection;
	unsigned int nr, i;
	int err = 0;

	while ((iteration = model_next_iteration(pipeline->model))) {
		err = count_iteration(pipeline, iteration);
		if (err)
			return err;
		config = rules_of(pipeline, iteration->loop->target->info.head.target_id);
		nr = rules_eval(config, iteration, findings, ARRAY_SIZE(findings));
		for (i = 0; i < nr; i++) {
			/* After a write that nobody took, the next one would block again. */
			if (check_output(pipeline))
				return pipeline->write_err;
			err = iteration->ev.end == ITERATION_UNDER_WAY ?
				      show_ongoing(pipeline, &findings[i]) :
				      report_finding(pipeline, &findings[i], now_ns);
			if (err)
				return err;
		}
		if (iteration->ev.end != ITERATION_UNDER_WAY && iteration->ev.head.type != EV_LATENT)
			told_close(pipeline->told, config, iteration);
	}
	while (!err && (connection = model_next_connection(pipeline->model)))
		err = report_connection(pipeline, connection);
	return err;
}

int pipeline_add(struct pipeline *pipeline, const void *record, size_t size)
{
	const struct ev_head *ev;
	int err;

	errno = 0;
	err = decode(record, size, &ev);
	if (err) {
		pipeline->nr_invalid++;
		return err;
	}
	err = model_add(pipeline->model, ev);
	if (!err && pipeline->opts.metrics)
		err = metrics_add_record(pipeline->opts.metrics, pipeline->model, ev);
	if (err)
		return err;
	fold_flush(pipeline->fold, model_now_ns(pipeline->model));
	told_look(pipeline->told, ev);
	if (ev->type == EV_TARGET)
		report_target(pipeline, ev);
	err = report_findings(pipeline);
	if (err)
		return err;
	if (ev->type == EV_LOOP_STATS)
		report_loop(pipeline, ev, pipeline->reporter->loop);
	if (ev->type == EV_LOOP && facts_loop_unsupported(((const struct ev_loop *)ev)->kind))
		report_loop(pipeline, ev, pipeline->reporter->unsupported);
	return ev->type == EV_TICK ? pipeline_flush(pipeline) : check_output(pipeline);
}

struct model *pipeline_model(struct pipeline *pipeline)
{
	return pipeline->model;
}

uint64_t pipeline_invalid(const struct pipeline *pipeline)
{
	return pipeline->nr_invalid;
}

uint64_t pipeline_breaches(const struct pipeline *pipeline, enum rule_id rule)
{
	return pipeline->nr_breaches[rule];
}

uint64_t pipeline_latent(const struct pipeline *pipeline)
{
	return pipeline->nr_latent;
}

int pipeline_finish(struct pipeline *pipeline)
{
	struct report_summary summary = { .model = pipeline->model };
	uint64_t now_ns = model_now_ns(pipeline->model), start_ns = pipeline->opts.session.start_ns;
	int rule, err;

	err = report_findings(pipeline);
	if (err)
		return err;
	told_finish(pipeline->told);
	fold_finish(pipeline->fold);
	for (rule = 0; rule < RULE_MAX; rule++)
		summary.nr_breaches += pipeline->nr_breaches[rule];
	summary.nr_lines = pipeline->nr_lines;
	summary.watched_ns = now_ns > start_ns ? now_ns - start_ns : 0;
	summary.nr_sites = ranking_sort(pipeline->ranking, &summary.sites);
	for (unsigned int i = 0; i < summary.nr_sites; i++)
		summary.nr_latent_sites += summary.sites[i].is_latent;
	summary.nr_latent = pipeline->nr_latent;
	summary.nr_sites_refused = ranking_refused(pipeline->ranking);
	model_loss(pipeline->model, &summary.loss);
	/* The watch counted those that it refused; some of them are in its recording: each counts once. */
	summary.loss.stats[STAT_RECORDS_INVALID] =
		max((uint64_t)summary.loss.stats[STAT_RECORDS_INVALID], pipeline->nr_invalid);
	pipeline->reporter->summary(&pipeline->opts, &summary);
	return pipeline_flush(pipeline);
}
