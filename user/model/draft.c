/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One iteration in the making: its sleeps merged by stack, system call, descriptor and, for the GIL, its
 * holder, its samples in a row, thinned out where there are too many.  Its arrays grow to their bounds and are used
 * again: a steady state allocates nothing.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

#define MAX_SPARE  64 /* drafts kept for reuse */
#define FIRST_ROOM 8u

struct draft *draft_new(struct model *model, uint64_t number)
{
	struct draft *draft = TAILQ_POP(&model->spare, link);

	if (draft)
		model->nr_spare--;
	else
		draft = calloc(1, sizeof(*draft));
	if (draft)
		draft->number = number;
	return draft;
}

void draft_free(struct draft *draft)
{
	free(draft->sleeps);
	free(draft->keys);
	free(draft->samples);
	free(draft->gcs);
	free(draft->imports);
	free(draft);
}

/* Empties it, but for the arrays. */
static void reset(struct draft *draft)
{
	struct draft kept = *draft;

	memset(draft, 0, sizeof(*draft));
	draft->sleeps = kept.sleeps;
	draft->keys = kept.keys;
	draft->samples = kept.samples;
	draft->room_sleeps = kept.room_sleeps;
	draft->room_samples = kept.room_samples;
	draft->gcs = kept.gcs;
	draft->imports = kept.imports;
	draft->room_gcs = kept.room_gcs;
	draft->room_imports = kept.room_imports;
}

void draft_drop(struct model *model, struct draft *draft)
{
	if (!draft)
		return;
	for (uint32_t i = 0; i < draft->iteration.nr_sleeps; i++) {
		stacks_put(model, stacks_entry(draft->sleeps[i].stack));
		stacks_put(model, stacks_entry(draft->sleeps[i].holder_stack));
	}
	for (uint32_t i = 0; i < draft->iteration.nr_samples; i++)
		stacks_put(model, stacks_entry(draft->samples[i].stack));
	within_drop(model, draft);
	if (draft->loop)
		draft->loop->refs--;
	if (model->nr_spare >= MAX_SPARE) {
		draft_free(draft);
		return;
	}
	reset(draft);
	model->nr_spare++;
	TAILQ_INSERT_HEAD(&model->spare, draft, link); /* the one whose memory is warm */
}

static const struct stack *get_stack(struct model *model, uint64_t id)
{
	const struct stack_entry *entry = stacks_get(model, id);

	return entry ? &entry->stack : NULL;
}

/* How large an array becomes that is full: twice as large, up to its bound. */
static uint32_t next_room(uint32_t room, uint32_t bound)
{
	return min(room ? room * 2 : FIRST_ROOM, bound);
}

static int grow(void *array, uint32_t room, size_t element_bytes)
{
	void **p = array, *grown = realloc(*p, room * element_bytes);

	if (!grown)
		return -ENOMEM;
	*p = grown;
	return 0;
}

static void merge(struct model *model, struct sleep *sleep, const struct ev_sleep *ev)
{
	struct ev_sleep *to = &sleep->ev;

	/* Where the holder was for longer. */
	if (ev->total_ns > to->total_ns && ev->holder_stack_id != to->holder_stack_id) {
		stacks_put(model, stacks_entry(sleep->holder_stack));
		sleep->holder_stack = get_stack(model, ev->holder_stack_id);
		to->holder_stack_id = ev->holder_stack_id;
	}
	to->holder_still_us += ev->holder_still_us;
	if (ev->off_class == OFF_GIL)
		to->holder_queued_ns += ev->holder_queued_ns;
	if (ev->first_ns < to->first_ns) {
		to->first_ns = ev->first_ns;
		if (ev->off_class != OFF_GIL)
			memcpy(to->args, ev->args, sizeof(to->args));
		to->task_id = ev->task_id;
	}
	to->last_ns = max(to->last_ns, ev->last_ns);
	/* Sums of sane records stay below the uptime; hostile ones may wrap, harmlessly. */
	to->total_ns += ev->total_ns;
	to->asleep_ns += ev->asleep_ns;
	to->max_ns = max(to->max_ns, ev->max_ns);
	to->count += ev->count;
	to->within |= ev->within;
	if (to->object.kind == OBJECT_NONE)
		to->object = ev->object;
}

/*
 * The sleep that one is merged with; nr_sleeps: none.  A loop that computes beside other threads loses the
 * GIL at ever another instruction: those waits get half of the room, then the holder alone tells them apart.
 */
static uint32_t find_sleep(const struct model *model, const struct draft *draft,
			   const struct ev_sleep *ev)
{
	bool is_crowded = ev->off_class == OFF_GIL && draft->nr_gil >= model->bounds.sleeps / 2;
	uint32_t nr = draft->iteration.nr_sleeps, of_holder = nr;

	for (uint32_t i = 0; i < nr; i++) {
		const struct sleep_key *key = &draft->keys[i];

		if (key->off_class != ev->off_class || key->holder_ident != ev->holder_ident)
			continue;
		if (key->stack_id == ev->stack_id && key->fd == ev->fd &&
		    key->syscall == ev->syscall)
			return i;
		if (is_crowded && of_holder == nr)
			of_holder = i;
	}
	return of_holder;
}

int draft_add_sleep(struct model *model, struct draft *draft, const struct ev_sleep *ev)
{
	uint32_t nr = draft->iteration.nr_sleeps, i = find_sleep(model, draft, ev);

	if (i < nr) {
		merge(model, &draft->sleeps[i], ev);
		return 0;
	}
	if (nr >= model->bounds.sleeps) {
		draft->iteration.nr_refused++;
		return 0;
	}
	if (nr >= draft->room_sleeps) {
		uint32_t room = next_room(nr, model->bounds.sleeps);

		if (grow(&draft->sleeps, room, sizeof(draft->sleeps[0])) ||
		    grow(&draft->keys, room, sizeof(draft->keys[0])))
			return -ENOMEM;
		draft->room_sleeps = room;
	}
	draft->keys[nr] = (struct sleep_key){ ev->stack_id, ev->holder_ident, ev->syscall, ev->fd,
					      ev->off_class };
	draft->sleeps[nr] = (struct sleep){
		.ev = *ev,
		.stack = get_stack(model, ev->stack_id),
		.holder_stack = get_stack(model, ev->holder_stack_id),
	};
	threads_use(model, ev);
	draft->nr_gil += ev->off_class == OFF_GIL;
	draft->iteration.nr_sleeps++;
	return 0;
}

/* Drops every second sample: those left are as far apart as those that are kept from now on. */
static void thin_out(struct model *model, struct draft *draft)
{
	struct sample *samples = draft->samples;
	uint32_t i, nr = 0;

	for (i = 0; i < draft->iteration.nr_samples; i++) {
		if (i % 2)
			stacks_put(model, stacks_entry(samples[i].stack));
		else
			samples[nr++] = samples[i];
	}
	draft->iteration.nr_samples = nr;
	draft->nr_halvings++;
}

/* Whether the next sample is one of every 2^nr_halvings. */
static bool is_next_kept(const struct draft *draft)
{
	return !(draft->next_sample & ((1ULL << draft->nr_halvings) - 1));
}

/* However long the iteration, what is kept is spread over all of it. */
int draft_add_sample(struct model *model, struct draft *draft, const struct ev_sample *ev)
{
	struct sample *sample;
	uint32_t nr;

	if (!model->bounds.samples) {
		draft->iteration.nr_refused++;
		return 0;
	}
	if (is_next_kept(draft) && draft->iteration.nr_samples >= model->bounds.samples)
		thin_out(model, draft);
	if (!is_next_kept(draft)) {
		draft->next_sample++;
		return 0;
	}
	nr = draft->iteration.nr_samples;
	if (nr >= draft->room_samples) {
		uint32_t room = next_room(nr, model->bounds.samples);

		if (grow(&draft->samples, room, sizeof(draft->samples[0])))
			return -ENOMEM;
		draft->room_samples = room;
	}
	sample = &draft->samples[nr];
	sample->ts_ns = ev->head.ts_ns;
	sample->step = ev->step;
	sample->task_id = ev->task_id;
	sample->within = ev->within;
	sample->stack = get_stack(model, ev->stack_id);
	sample->is_stack_lost = ev->stack_id && !sample->stack;
	draft->iteration.nr_samples++;
	draft->next_sample++;
	return 0;
}

static int by_first_ns(const void *a, const void *b)
{
	const struct sleep *x = a, *y = b;

	return (x->ev.first_ns > y->ev.first_ns) - (x->ev.first_ns < y->ev.first_ns);
}

static int by_ts_ns(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
}

/* Next to free where the records came in order, as they mostly do. */
static void sort(void *array, uint32_t nr, size_t bytes, int (*compare)(const void *, const void *))
{
	const char *base = array;

	for (uint32_t i = 1; i < nr; i++)
		if (compare(base + (i - 1) * bytes, base + i * bytes) > 0) {
			qsort(array, nr, bytes, compare);
			return;
		}
}

void draft_finish(struct model *model, struct draft *draft, const struct ev_iteration *ev)
{
	struct iteration *iteration = &draft->iteration;

	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		struct sleep *sleep = &draft->sleeps[i];

		if (!sleep->stack)
			sleep->stack = get_stack(model, sleep->ev.stack_id);
		if (!sleep->holder_stack)
			sleep->holder_stack = get_stack(model, sleep->ev.holder_stack_id);
	}
	sort(draft->sleeps, iteration->nr_sleeps, sizeof(draft->sleeps[0]), by_first_ns);
	sort(draft->samples, iteration->nr_samples, sizeof(draft->samples[0]), by_ts_ns);
	iteration->ev = *ev;
	iteration->sleeps = draft->sleeps;
	iteration->samples = draft->samples;
	iteration->gcs = draft->gcs;
	iteration->imports = draft->imports;
}

static bool is_stack_pending(const struct stack *stack)
{
	return stack && stacks_entry(stack)->nr_pending;
}

/* There is one that is not here, or it has a frame without a name. */
static bool is_stack_incomplete(const struct stack *stack, uint64_t id)
{
	return stack ? stacks_entry(stack)->nr_unnamed > 0 : id != 0;
}

bool draft_is_pending(const struct model *model, struct draft *draft)
{
	const struct iteration *iteration = &draft->iteration;
	bool is_pending = false;

	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		struct sleep *sleep = &draft->sleeps[i];

		/* Each is filled, whatever the others wait for. */
		is_pending |= !threads_fill(model, sleep);
		is_pending |= is_stack_pending(sleep->stack);
		is_pending |= is_stack_pending(sleep->holder_stack);
	}
	for (uint32_t i = 0; i < iteration->nr_samples && !is_pending; i++)
		is_pending = is_stack_pending(draft->samples[i].stack);
	return is_pending || within_is_pending(draft);
}

bool draft_is_incomplete(const struct draft *draft)
{
	const struct iteration *iteration = &draft->iteration;

	if (draft->seen_sleeps < iteration->ev.nr_sleeps ||
	    draft->seen_samples < iteration->ev.nr_samples)
		return true;
	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		const struct sleep *sleep = &draft->sleeps[i];

		if (is_stack_incomplete(sleep->stack, sleep->ev.stack_id) ||
		    is_stack_incomplete(sleep->holder_stack, sleep->ev.holder_stack_id))
			return true;
	}
	for (uint32_t i = 0; i < iteration->nr_samples; i++)
		if (is_stack_incomplete(draft->samples[i].stack, draft->samples[i].is_stack_lost))
			return true;
	return false;
}
