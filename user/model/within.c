/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What of an iteration was the collector's and what belonged to imports: keeps the records that the
 * probes gave, and estimates from stacks what they did not see: all imports of a build without
 * probes, and importlib.import_module(), which has none.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"
#include "utf8.h"

#define MAX_KEPT   64u /* runs and imports of one iteration; the sums have all */
#define FIRST_ROOM 4u

static const struct stack *get_stack(struct model *model, uint64_t id)
{
	const struct stack_entry *entry = stacks_get(model, id);

	return entry ? &entry->stack : NULL;
}

static int make_room(void *array, uint32_t nr, uint32_t *room, size_t element_bytes)
{
	void **p = array, *grown;
	uint32_t wanted = *room ? min(*room * 2, MAX_KEPT) : FIRST_ROOM;

	if (nr < *room)
		return 0;
	if (nr >= MAX_KEPT)
		return -ENOBUFS;
	grown = realloc(*p, wanted * element_bytes);
	if (!grown)
		return -ENOMEM;
	*p = grown;
	*room = wanted;
	return 0;
}

int within_add_gc(struct model *model, struct draft *draft, const struct ev_gc *ev)
{
	struct iteration *iteration = &draft->iteration;
	int err = make_room(&draft->gcs, iteration->nr_gcs, &draft->room_gcs, sizeof(draft->gcs[0]));

	if (err)
		return err == -ENOBUFS ? 0 : err;
	draft->gcs[iteration->nr_gcs++] = (struct gc_run){ .ev = *ev, .stack = get_stack(model, ev->stack_id) };
	return 0;
}

/* Makes UTF-8, ended by NUL, of a name as it is in memory; cut between two characters. */
static void name_module(struct ev_import *ev)
{
	char name[sizeof(ev->module)] = "", character[4];
	size_t used = 0, nr = ev->module_kind ? ev->module_bytes / ev->module_kind : 0, bytes;

	if (!ev->module_kind)
		return;
	for (size_t i = 0; i < nr; i++) {
		uint32_t c = utf8_character((const uint8_t *)ev->module, i, ev->module_kind);

		bytes = utf8_put(c ? c : 0xfffd, character);
		if (used + bytes >= sizeof(name))
			break;
		memcpy(name + used, character, bytes);
		used += bytes;
	}
	memcpy(ev->module, name, sizeof(name));
	ev->module_kind = 0;
	ev->module_bytes = 0;
}

int within_add_import(struct model *model, struct draft *draft, const struct ev_import *ev)
{
	struct iteration *iteration = &draft->iteration;
	int err = make_room(&draft->imports, iteration->nr_imports, &draft->room_imports,
			    sizeof(draft->imports[0]));
	struct import_run *last;

	/* Without room for a name the one before must not last for longer than it did. */
	if (err == -ENOBUFS && ev->within & IN_ESTIMATED) {
		last = &draft->imports[iteration->nr_imports - 1];
		if (last->ev.within & IN_ESTIMATED)
			memset(last->ev.module, 0, sizeof(last->ev.module));
	}
	if (err)
		return err == -ENOBUFS ? 0 : err;
	last = &draft->imports[iteration->nr_imports++];
	*last = (struct import_run){ .ev = *ev, .stack = get_stack(model, ev->stack_id) };
	name_module(&last->ev);
	return 0;
}

int within_copy(struct model *model, const struct draft *from, struct draft *to, uint64_t start_ns)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < from->iteration.nr_gcs; i++)
		if (from->gcs[i].ev.start_ns >= start_ns)
			err = within_add_gc(model, to, &from->gcs[i].ev);
	for (uint32_t i = 0; !err && i < from->iteration.nr_imports; i++)
		if (from->imports[i].ev.start_ns >= start_ns)
			err = within_add_import(model, to, &from->imports[i].ev);
	return err;
}

void within_drop(struct model *model, struct draft *draft)
{
	for (uint32_t i = 0; i < draft->iteration.nr_gcs; i++)
		stacks_put(model, stacks_entry(draft->gcs[i].stack));
	for (uint32_t i = 0; i < draft->iteration.nr_imports; i++)
		stacks_put(model, stacks_entry(draft->imports[i].stack));
}

bool within_is_pending(const struct draft *draft)
{
	for (uint32_t i = 0; i < draft->iteration.nr_gcs; i++)
		if (draft->gcs[i].stack && stacks_entry(draft->gcs[i].stack)->nr_pending)
			return true;
	for (uint32_t i = 0; i < draft->iteration.nr_imports; i++)
		if (draft->imports[i].stack && stacks_entry(draft->imports[i].stack)->nr_pending)
			return true;
	return false;
}

static bool is_importlib(const struct frame *frame)
{
	static const char package[] = "/importlib/__init__.py";
	size_t len = strlen(frame->file);

	return !strncmp(frame->file, "<frozen importlib", strlen("<frozen importlib")) ||
	       (len >= strlen(package) && !strcmp(frame->file + len - strlen(package), package));
}

static bool is_find_and_load(const struct frame *frame)
{
	return !strcmp(frame->name, "_find_and_load") &&
	       !strcmp(frame->file, "<frozen importlib._bootstrap>");
}

int stack_import_frame(const struct loop *loop, const struct stack *stack)
{
	int inside = stack ? stack_nr_inside(loop, stack) : 0, i, found = -1;

	for (i = 0; i < inside; i++)
		if (is_find_and_load(&stack->frames[i]))
			found = i;
	if (found < 0)
		return -1;
	while (found < inside && is_importlib(&stack->frames[found]))
		found++;
	return found < inside ? found : -1;
}

int stack_importer_frame(const struct loop *loop, const struct stack *stack)
{
	int frame = stack_import_frame(loop, stack), inside;

	if (frame >= 0 || !stack)
		return frame;
	inside = stack_nr_inside(loop, stack);
	for (frame = 0; frame < inside && is_importlib(&stack->frames[frame]); frame++)
		;
	return frame < inside ? frame : -1;
}

/* The share of on-CPU time that nothing else claims, by samples. */
static uint64_t share_ns(const struct ev_iteration *ev, uint32_t nr, uint32_t nr_all)
{
	uint64_t free_ns = ev->on_cpu_ns - ev->gc_on_cpu_ns - ev->import_on_cpu_ns;

	return nr_all ? (uint64_t)((double)free_ns * nr / nr_all) : 0;
}

/* Of one that lasts, the run or import that is under way is known by its samples and its sleep only. */
static void estimate_under_way(struct draft *draft)
{
	struct ev_iteration *ev = &draft->iteration.ev;
	uint32_t nr = draft->iteration.nr_samples, nr_gc = 0, nr_import = 0;
	uint64_t asleep_ns = 0, on_cpu_ns;

	for (uint32_t i = 0; i < nr; i++) {
		nr_gc += !!(draft->samples[i].within & IN_GC);
		nr_import += (draft->samples[i].within & (IN_GC | IN_IMPORT)) == IN_IMPORT;
	}
	for (uint32_t i = 0; i < draft->iteration.nr_sleeps; i++)
		if (draft->sleeps[i].ev.within & IN_IMPORT)
			asleep_ns += draft->sleeps[i].ev.asleep_ns;
	on_cpu_ns = nr ? (uint64_t)((double)ev->on_cpu_ns * nr_gc / nr) : 0;
	if (on_cpu_ns > ev->gc_on_cpu_ns && on_cpu_ns <= ev->on_cpu_ns - ev->import_on_cpu_ns) {
		ev->gc_on_cpu_ns = on_cpu_ns;
		ev->flags |= ITERATION_GC_ESTIMATED;
	}
	on_cpu_ns = nr ? (uint64_t)((double)ev->on_cpu_ns * nr_import / nr) : 0;
	if (on_cpu_ns > ev->import_on_cpu_ns && on_cpu_ns <= ev->on_cpu_ns - ev->gc_on_cpu_ns) {
		draft->iteration.import_guess_ns = on_cpu_ns - ev->import_on_cpu_ns;
		ev->import_on_cpu_ns = on_cpu_ns;
		ev->flags |= ITERATION_IMPORT_ESTIMATED;
	}
	ev->import_asleep_ns =
		max((uint64_t)ev->import_asleep_ns, min(asleep_ns, (uint64_t)ev->off_ns[OFF_SYSCALL]));
}

void within_estimate(struct draft *draft)
{
	struct iteration *iteration = &draft->iteration;
	struct ev_iteration *ev = &iteration->ev;
	uint32_t nr_free = 0, nr_import = 0;
	uint64_t asleep_ns = 0, guess_ns;

	if (iteration_is_ongoing(iteration))
		estimate_under_way(draft);
	for (uint32_t i = 0; i < iteration->nr_samples; i++) {
		struct sample *sample = &draft->samples[i];

		if (sample->within & (IN_GC | IN_IMPORT))
			continue;
		nr_free++;
		if (stack_import_frame(iteration->loop, sample->stack) < 0)
			continue;
		sample->within |= IN_IMPORT | IN_ESTIMATED;
		nr_import++;
	}
	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		struct sleep *sleep = &draft->sleeps[i];

		if (sleep->ev.within & (IN_GC | IN_IMPORT) ||
		    stack_import_frame(iteration->loop, sleep->stack) < 0)
			continue;
		sleep->ev.within |= IN_IMPORT | IN_ESTIMATED;
		asleep_ns += sleep->ev.asleep_ns;
	}
	if (!nr_import && !asleep_ns)
		return;
	guess_ns = share_ns(ev, nr_import, nr_free);
	iteration->import_guess_ns += guess_ns;
	ev->import_on_cpu_ns += guess_ns;
	ev->import_asleep_ns += min(asleep_ns, ev->off_ns[OFF_SYSCALL] - ev->import_asleep_ns);
	ev->flags |= ITERATION_IMPORT_ESTIMATED;
}
