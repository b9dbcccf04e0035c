/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Quick calls that can block: kept with the sleeps of their iteration, as sleeps of no length.  Its end is
 * waited for, since it may turn out that the iteration was long and the call a part of what made it so.  A
 * healthy one has no end in the stream: then the loop's next records or its counters tell that it is over.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

static void to_sleep(const struct ev_latent *ev, struct ev_sleep *sleep)
{
	*sleep = (struct ev_sleep){
		.head = ev->head,
		.iteration = ev->iteration,
		.stack_id = ev->stack_id,
		.first_ns = ev->first_ns,
		.last_ns = ev->last_ns,
		.count = ev->count,
		.syscall = ev->syscall,
		.fd = ev->fd,
		.off_class = SLEEP_LATENT,
		.task_id = ev->task_id,
		.object = ev->object,
	};
	memcpy(sleep->args, ev->args, sizeof(sleep->args));
	if (ev->audit) {
		sleep->syscall = -1;
		sleep->fd = -1 - (int32_t)ev->audit; /* so that two events of one line are two */
		sleep->args[0] = ev->audit;
	}
}

/* Leaves nothing but the quick calls: the rest is of an iteration whose end was lost. */
static void drop_rest(struct model *model, struct draft *draft)
{
	struct iteration *iteration = &draft->iteration;
	uint32_t nr = 0;

	within_drop(model, draft);
	iteration->nr_gcs = iteration->nr_imports = 0;
	for (uint32_t i = 0; i < iteration->nr_samples; i++)
		stacks_put(model, stacks_entry(draft->samples[i].stack));
	iteration->nr_samples = draft->seen_samples = 0;
	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		if (sleep_is_latent(&draft->sleeps[i])) {
			draft->sleeps[nr++] = draft->sleeps[i];
			continue;
		}
		stacks_put(model, stacks_entry(draft->sleeps[i].stack));
		stacks_put(model, stacks_entry(draft->sleeps[i].holder_stack));
	}
	iteration->nr_sleeps = nr;
	iteration->nr_refused = draft->seen_sleeps = 0;
}

void latent_release(struct model *model, struct loop_entry *loop, struct draft *draft)
{
	struct ev_iteration ev = { .iteration = draft ? draft->number : 0 };
	bool is_any = false;

	for (uint32_t i = 0; draft && i < draft->iteration.nr_sleeps; i++)
		is_any |= sleep_is_latent(&draft->sleeps[i]);
	if (!is_any) {
		draft_drop(model, draft);
		return;
	}
	drop_rest(model, draft);
	ev.head = draft->sleeps[0].ev.head;
	ev.start_ns = ev.end_ns = draft->sleeps[0].ev.first_ns;
	draft_finish(model, draft, &ev);
	iteration_submit(model, draft, loop);
}

/* Of an iteration that is over, or has no room: comes out by itself. */
static int add_alone(struct model *model, struct loop_entry *loop, const struct ev_latent *ev,
		     const struct ev_sleep *sleep)
{
	struct draft *draft = draft_new(model, ev->iteration);
	int err = draft ? draft_add_sleep(model, draft, sleep) : -ENOMEM;

	if (err) {
		draft_drop(model, draft);
		return err;
	}
	latent_release(model, loop, draft);
	return 0;
}

int latent_add(struct model *model, const struct ev_latent *ev)
{
	struct loop_entry *loop = processes_loop(model, &ev->head);
	struct ev_sleep sleep;

	to_sleep(ev, &sleep);
	if (!loop)
		return add_alone(model, &model->nowhere, ev, &sleep);
	if (loop->draft && loop->draft->number < ev->iteration)
		latent_release(model, loop, take(loop->draft));
	if (!loop->draft)
		loop->draft = draft_new(model, ev->iteration);
	if (!loop->draft)
		return -ENOMEM;
	/* Half of the room is for what was not quick. */
	if (loop->draft->number != ev->iteration ||
	    loop->draft->iteration.nr_sleeps >= model->bounds.sleeps / 2)
		return add_alone(model, loop, ev, &sleep);
	return draft_add_sleep(model, loop->draft, &sleep);
}

void latent_settle(struct model *model, const struct ev_loop_stats *ev)
{
	struct loop_entry *loop = processes_loop(model, &ev->head);

	/* A long iteration that is over has taken its draft along, or will: its records come in order. */
	if (loop && loop->draft && loop->draft->number <= ev->counters.iterations &&
	    !loop->draft->seen_sleeps && !loop->draft->seen_samples)
		latent_release(model, loop, take(loop->draft));
}

void latent_end(struct model *model)
{
	for (uint32_t i = 0; i < model->nr_loops; i++)
		if (model->loop_order[i]->draft)
			latent_release(model, model->loop_order[i], take(model->loop_order[i]->draft));
}
