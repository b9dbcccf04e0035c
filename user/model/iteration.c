/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Joins sleeps and samples to their iterations, and lets an ended one wait for the names of its
 * frames: until they are there, its time is up, or too many wait.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

/* The draft that a sleep or a sample belongs to; NULL: none, or -ENOMEM in *err. */
static struct draft *draft_of(struct model *model, const struct ev_head *head, uint64_t number,
			      int *err)
{
	struct loop_entry *loop = processes_loop(model, head);

	*err = 0;
	if (!loop)
		return NULL;
	if (loop->draft && loop->draft->number > number)
		return NULL; /* a newer iteration is under way */
	if (loop->draft && loop->draft->number < number)
		latent_release(model, loop, take(loop->draft)); /* its end was lost, or it was healthy */
	if (!loop->draft)
		loop->draft = draft_new(model, number);
	if (!loop->draft)
		*err = -ENOMEM;
	return loop->draft;
}

int iteration_add_sleep(struct model *model, const struct ev_sleep *ev)
{
	int err;
	struct draft *draft = draft_of(model, &ev->head, ev->iteration, &err);

	if (!draft)
		return err;
	err = draft_add_sleep(model, draft, ev);
	draft->seen_sleeps += !err;
	return err;
}

int iteration_add_sample(struct model *model, const struct ev_sample *ev)
{
	int err;
	struct draft *draft = draft_of(model, &ev->head, ev->iteration, &err);

	if (!draft)
		return err;
	err = draft_add_sample(model, draft, ev);
	draft->seen_samples += !err;
	return err;
}

int iteration_add_gc(struct model *model, const struct ev_gc *ev)
{
	int err;
	struct draft *draft = draft_of(model, &ev->head, ev->iteration, &err);

	return draft ? within_add_gc(model, draft, ev) : err;
}

int iteration_add_import(struct model *model, const struct ev_import *ev)
{
	int err;
	struct draft *draft = draft_of(model, &ev->head, ev->iteration, &err);

	return draft ? within_add_import(model, draft, ev) : err;
}

/* Nothing changes any more but names: what is missing now is reported as missing. */
static void make_ready(struct model *model, struct draft *draft)
{
	within_estimate(draft);
	draft->iteration.is_incomplete = draft_is_incomplete(draft);
	/* An iteration that lasts is counted when it ends; with nothing but quick calls it is no breach. */
	if (draft->iteration.ev.end != ITERATION_UNDER_WAY &&
	    draft->iteration.ev.head.type != EV_LATENT)
		model->breaches_incomplete += draft->iteration.is_incomplete;
	TAILQ_INSERT_TAIL(&model->ready, draft, link);
	model->nr_ready++;
	/* Only who never takes them gets here. */
	if (model->nr_ready > max(model->bounds.waiting, 1u)) {
		model->nr_ready--;
		draft_drop(model, TAILQ_POP(&model->ready, link));
	}
}

static void release_oldest(struct model *model)
{
	model->nr_waiting--;
	make_ready(model, TAILQ_POP(&model->waiting, link));
}

static void wait_for_names(struct model *model, struct draft *draft)
{
	if (__builtin_add_overflow(model->now_ns, MODEL_NAME_WAIT_NS, &draft->deadline_ns))
		draft->deadline_ns = UINT64_MAX;
	TAILQ_INSERT_TAIL(&model->waiting, draft, link);
	model->nr_waiting++;
	if (model->nr_waiting > model->bounds.waiting)
		release_oldest(model);
}

void iteration_submit(struct model *model, struct draft *draft, struct loop_entry *loop)
{
	draft->loop = loop;
	draft->iteration.loop = &loop->loop;
	loop->refs++;
	if (!model->ended && draft_is_pending(model, draft))
		wait_for_names(model, draft);
	else
		make_ready(model, draft);
}

/* What the stream has of the iteration that began at start_ns. */
static int copy_so_far(struct model *model, const struct draft *from, struct draft *to,
		       uint64_t start_ns)
{
	struct ev_sample ev = { 0 };
	int err = 0;

	for (uint32_t i = 0; !err && i < from->iteration.nr_samples; i++) {
		const struct sample *sample = &from->samples[i];

		if (sample->ts_ns < start_ns)
			continue;
		ev.head.ts_ns = sample->ts_ns;
		ev.step = sample->step;
		ev.task_id = sample->task_id;
		ev.within = sample->within;
		ev.stack_id = sample->stack ? sample->stack->id : 0;
		err = draft_add_sample(model, to, &ev);
	}
	for (uint32_t i = 0; !err && i < from->iteration.nr_sleeps; i++)
		if (from->sleeps[i].ev.first_ns >= start_ns && !sleep_is_latent(&from->sleeps[i]))
			err = draft_add_sleep(model, to, &from->sleeps[i].ev);
	return err ? err : within_copy(model, from, to, start_ns);
}

int iteration_add_ongoing(struct model *model, const struct ev_ongoing *ev)
{
	struct loop_entry *loop = processes_loop(model, &ev->head);
	struct draft *draft = draft_new(model, 0);
	int err = 0;

	if (!draft)
		return -ENOMEM;
	if (!loop)
		loop = &model->nowhere;
	if (loop->draft)
		err = copy_so_far(model, loop->draft, draft, ev->so_far.start_ns);
	if (!err && ev->sleep.count)
		err = draft_add_sleep(model, draft, &ev->sleep);
	if (err) {
		draft_drop(model, draft);
		return err;
	}
	draft_finish(model, draft, &ev->so_far);
	iteration_submit(model, draft, loop);
	return 0;
}

int iteration_add_end(struct model *model, const struct ev_iteration *ev)
{
	struct loop_entry *loop = processes_loop(model, &ev->head);
	struct draft *draft;

	if (!loop)
		loop = &model->nowhere;
	/* Of another number: this one's were lost, and a later one's cannot be here yet. */
	if (loop->draft && loop->draft->number != ev->iteration)
		latent_release(model, loop, take(loop->draft));
	draft = loop->draft ? take(loop->draft) : draft_new(model, ev->iteration);
	if (!draft)
		return -ENOMEM;
	draft_finish(model, draft, ev);
	loop->loop.nr_long++;
	iteration_submit(model, draft, loop);
	return 0;
}

void iteration_settle(struct model *model)
{
	struct draft *draft, *next;

	if (model->names_changed) {
		model->names_changed = false;
		for (draft = TAILQ_FIRST(&model->waiting); draft; draft = next) {
			next = TAILQ_NEXT(draft, link);
			if (draft_is_pending(model, draft))
				continue;
			TAILQ_REMOVE(&model->waiting, draft, link);
			model->nr_waiting--;
			make_ready(model, draft);
		}
	}
	while ((draft = TAILQ_FIRST(&model->waiting)) &&
	       (model->ended || draft->deadline_ns <= model->now_ns))
		release_oldest(model);
}

void iteration_recycle(struct model *model)
{
	draft_drop(model, take(model->handed_out));
}

const struct iteration *model_next_iteration(struct model *model)
{
	iteration_recycle(model);
	model->handed_out = TAILQ_POP(&model->ready, link);
	if (!model->handed_out)
		return NULL;
	model->nr_ready--;
	tasks_fill(model, model->handed_out);
	return &model->handed_out->iteration;
}

static void free_list(struct model *model, struct draft_list *list)
{
	struct draft *draft;

	while ((draft = TAILQ_POP(list, link)))
		draft_drop(model, draft);
}

void iteration_free(struct model *model)
{
	struct draft *draft;

	iteration_recycle(model);
	free_list(model, &model->ready);
	free_list(model, &model->waiting);
	for (uint32_t i = 0; i < model->nr_loops; i++)
		draft_drop(model, take(model->loop_order[i]->draft));
	while ((draft = TAILQ_POP(&model->spare, link)))
		draft_free(draft);
}
