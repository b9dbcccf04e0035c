/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Python stacks by id: built once, filled in again when a name arrives.  The kernel half sends a
 * stack when it sees it first, so it stays until its process has ended or the table is full, the longest unused
 * going first.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

static size_t bytes_of(const struct stack_entry *entry)
{
	return offsetof(struct stack_entry, stack.frames) +
	       entry->stack.nr * (sizeof(struct frame) + sizeof(struct frame_use));
}

static void leave_target(struct stack_entry *entry)
{
	if (entry->target)
		LIST_REMOVE(entry, of_target);
	entry->target = NULL;
}

static void forget(struct model *model, struct stack_entry *entry)
{
	for (uint32_t i = 0; i < entry->stack.nr; i++)
		names_unuse(model, &entry->uses[i]);
	leave_target(entry);
	HASH_DEL(model->stacks, entry);
	model->nr_stacks--;
	model->stack_bytes -= bytes_of(entry);
	free(entry->uses);
	free(entry);
}

bool stacks_forget_idle(struct model *model)
{
	struct stack_entry *entry = TAILQ_POP(&model->idle_stacks, idle);

	if (!entry)
		return false;
	forget(model, entry);
	return true;
}

void stacks_release(struct model *model, struct target_entry *target)
{
	struct stack_entry *entry, *next;

	for (entry = LIST_FIRST(&target->stacks); entry; entry = next) {
		next = LIST_NEXT(entry, of_target);
		if (entry->refs)
			continue; /* until stacks_put() */
		TAILQ_REMOVE(&model->idle_stacks, entry, idle);
		forget(model, entry);
	}
}

void stacks_abandon(struct model *model, struct target_entry *target)
{
	stacks_release(model, target);
	while (!LIST_EMPTY(&target->stacks))
		leave_target(LIST_FIRST(&target->stacks));
}

/* Whether there is room for one more, after what was unused for longest has gone. */
static bool make_room(struct model *model)
{
	while (model->nr_stacks >= model->bounds.stacks || model->stack_bytes >= model->bounds.stack_bytes)
		if (!stacks_forget_idle(model))
			return false;
	return true;
}

static uint32_t count_started(const struct ev_stack *ev)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < ev->nr_frames; i++)
		nr += ev->frames[i].offset_bytes >= 0;
	return nr;
}

static struct stack_entry *new_entry(struct model *model, const struct ev_stack *ev)
{
	uint32_t nr = count_started(ev);
	size_t bytes = offsetof(struct stack_entry, stack.frames) + nr * sizeof(struct frame);
	cleanup_free struct frame_use *uses = calloc(max(nr, 1u), sizeof(*uses));
	struct stack_entry *entry = calloc(1, bytes);

	if (!entry || !uses) {
		free(entry);
		return NULL;
	}
	entry->stack.id = ev->stack_id;
	entry->stack.status = ev->status;
	entry->stack.is_truncated = ev->flags & STACK_TRUNCATED;
	entry->stack.nr = nr;
	HASH_ADD(hh, model->stacks, stack.id, sizeof(entry->stack.id), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	entry->uses = take(uses);
	return entry;
}

static void count_namings(struct stack_entry *entry)
{
	entry->nr_pending = entry->nr_unnamed = 0;
	for (uint32_t i = 0; i < entry->stack.nr; i++) {
		entry->nr_pending += entry->stack.frames[i].naming == FRAME_PENDING;
		entry->nr_unnamed += entry->stack.frames[i].naming != FRAME_NAMED;
	}
}

/* The i-th from the innermost outward: who waits for a task stands between its frames and its loop's. */
static const struct ev_frame *frame_at(const struct ev_stack *ev, uint32_t i)
{
	uint32_t at = ev->awaiting_at, nr = ev->nr_awaiting;

	if (i >= at + nr)
		return &ev->frames[i - nr];
	return &ev->frames[i < at ? i : ev->nr_frames - nr + i - at];
}

int stacks_add(struct model *model, const struct ev_stack *ev)
{
	struct stack_entry *entry;
	uint32_t n = 0;

	HASH_FIND(hh, model->stacks, &ev->stack_id, sizeof(ev->stack_id), entry);
	if (entry || !ev->stack_id)
		return 0;
	if (!make_room(model)) {
		model->names_refused++;
		return 0;
	}
	entry = new_entry(model, ev);
	if (!entry)
		return -ENOMEM;
	entry->target = processes_target(model, ev->head.target_id); /* so that what it runs can be asked for */
	if (entry->target)
		LIST_INSERT_HEAD(&entry->target->stacks, entry, of_target);
	for (uint32_t i = 0; i < ev->nr_frames; i++) {
		const struct ev_frame *frame = frame_at(ev, i);
		struct frame_use *use = &entry->uses[n];

		if (frame->offset_bytes < 0)
			continue; /* not started */
		use->owner = entry;
		use->index = n;
		use->offset_bytes = frame->offset_bytes;
		names_use(model, use, ev->head.target_id, frame);
		names_fill(&entry->stack.frames[n], use);
		n++;
	}
	count_namings(entry);
	model->nr_stacks++;
	model->stack_bytes += bytes_of(entry);
	TAILQ_INSERT_TAIL(&model->idle_stacks, entry, idle);
	return 0;
}

void stacks_refresh(struct code *code)
{
	struct frame_use *use;

	LIST_FOREACH (use, &code->users, link) {
		struct frame *frame = &use->owner->stack.frames[use->index];
		struct stack_entry *owner = use->owner;

		owner->nr_pending -= frame->naming == FRAME_PENDING;
		owner->nr_unnamed -= frame->naming != FRAME_NAMED;
		names_fill(frame, use);
		owner->nr_pending += frame->naming == FRAME_PENDING;
		owner->nr_unnamed += frame->naming != FRAME_NAMED;
	}
}

struct stack_entry *stacks_get(struct model *model, uint64_t id)
{
	struct stack_entry *entry = NULL;

	if (id)
		HASH_FIND(hh, model->stacks, &id, sizeof(id), entry);
	if (entry && !entry->refs++)
		TAILQ_REMOVE(&model->idle_stacks, entry, idle);
	return entry;
}

void stacks_put(struct model *model, struct stack_entry *entry)
{
	if (!entry || --entry->refs)
		return;
	if (entry->target && entry->target->target.ended)
		forget(model, entry);
	else
		TAILQ_INSERT_TAIL(&model->idle_stacks, entry, idle);
}

struct stack_entry *stacks_entry(const struct stack *stack)
{
	if (!stack)
		return NULL;
	return (struct stack_entry *)((char *)stack - offsetof(struct stack_entry, stack));
}

void stacks_free(struct model *model)
{
	struct stack_entry *entry, *next;

	HASH_ITER (hh, model->stacks, entry, next)
		forget(model, entry);
}

/* The functions that are below all callbacks of a loop. */
static bool is_runner(const struct frame *frame)
{
	static const struct {
		const char *name, *file;
	} runners[] = {
		{ "_run_once", "asyncio/base_events.py" },
		{ "unrolled_run", "trio/_core/_run.py" },
		{ "mainLoop", "twisted/internet/base.py" },
	};
	size_t len = strlen(frame->file), end;

	for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
		end = strlen(runners[i].file);
		if (!strcmp(frame->name, runners[i].name) && len >= end &&
		    !strcmp(frame->file + len - end, runners[i].file) &&
		    (len == end || frame->file[len - end - 1] == '/'))
			return true;
	}
	return false;
}

/* All of a greenlet's stack is its own, but for the hub's. */
static int nr_inside_of_gevent(const struct stack *stack)
{
	const char *file = stack->nr ? stack->frames[stack->nr - 1].file : "";
	const char *end = strstr(file, "gevent/hub.py");

	return (int)stack->nr - (end && !strcmp(end, "gevent/hub.py"));
}

/*
 * A greenlet's stack is its own and has no frame of the loop; a thread's begins with what no greenlet runs: a module,
 * threading's or that of `python -m`.
 */
static bool is_of_greenlet(const struct stack *stack)
{
	static const char *const first[] = { "<module>", "_run_module_as_main", "_bootstrap" };
	const struct frame *outermost = &stack->frames[stack->nr - 1];

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (!strcmp(outermost->name, first[i]))
			return false;
	return outermost->naming == FRAME_NAMED;
}

/* The loop's own frame is known by its name; other loops by how many frames were below at first. */
int stack_nr_inside(const struct loop *loop, const struct stack *stack)
{
	uint32_t base = loop ? loop->info.base_depth : 0;
	uint32_t i;

	for (i = 0; i < stack->nr; i++)
		if (is_runner(&stack->frames[i]))
			return (int)i;
	if (loop && loop->info.kind == LOOP_KIND_GEVENT)
		return nr_inside_of_gevent(stack);
	/* Counting from the outermost frame needs all of them. */
	if (stack->status == STACK_OK && !stack->is_truncated && base && base < stack->nr && !is_of_greenlet(stack))
		return (int)(stack->nr - base);
	return (int)stack->nr;
}
