/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Targets and their loops: who lives, who descends from whom, which loop holds which slot.  The
 * dead stay for the summary until the room is needed (or their time is up, where there will be none); the oldest
 * dead goes first, but never one that an iteration which waits or is handed out refers to.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

int processes_new(struct model *model)
{
	TAILQ_INIT(&model->dead_targets);
	TAILQ_INIT(&model->dead_loops);
	TAILQ_INIT(&model->nobody.loops);
	TAILQ_INIT(&model->nobody.queued);
	model->nobody.target.info.status = TARGET_PENDING;
	model->nowhere.target = &model->nobody;
	model->nowhere.loop.target = &model->nobody.target;
	model->nowhere.loop_id = EV_NO_LOOP;
	model->target_order = calloc(model->bounds.targets + 1, sizeof(struct target_entry *));
	model->loop_order = calloc(model->bounds.loops + 1, sizeof(struct loop_entry *));
	return model->target_order && model->loop_order ? 0 : -ENOMEM;
}

/* Takes an element out of an array of pointers, keeping the order of the others. */
#define REMOVE_ORDERED(order, nr, element)                                                  \
	do {                                                                                \
		uint32_t at_ = 0;                                                           \
		while ((order)[at_] != (element))                                           \
			at_++;                                                              \
		(nr)--;                                                                     \
		memmove(&(order)[at_], &(order)[at_ + 1], ((nr)-at_) * sizeof((order)[0])); \
	} while (0)

static void leave_slot(struct model *model, struct loop_entry *entry)
{
	if (!entry->has_slot)
		return;
	HASH_DEL(model->slots, entry);
	entry->has_slot = false;
	draft_drop(model, take(entry->draft));
}

static void end_loop(struct model *model, struct loop_entry *entry)
{
	if (entry->loop.ended)
		return;
	entry->loop.ended = true;
	entry->ended_ns = model->now_ns;
	TAILQ_INSERT_TAIL(&model->dead_loops, entry, dead);
}

static void forget_loop(struct model *model, struct loop_entry *entry)
{
	leave_slot(model, entry);
	if (entry->loop.ended)
		TAILQ_REMOVE(&model->dead_loops, entry, dead);
	TAILQ_REMOVE(&entry->target->loops, entry, of_target);
	REMOVE_ORDERED(model->loop_order, model->nr_loops, entry);
	free(entry);
}

static bool make_room_for_loop(struct model *model)
{
	struct loop_entry *entry;

	if (model->nr_loops < model->bounds.loops)
		return true;
	TAILQ_FOREACH (entry, &model->dead_loops, dead) {
		if (entry->refs)
			continue;
		forget_loop(model, entry);
		return true;
	}
	return false;
}

/* Counts it among its ancestors' heirs, or takes it out of them: the last one's end lets go of their names. */
static void be_heir(struct model *model, struct target_entry *target, bool is_heir)
{
	if (target->is_heir == is_heir)
		return;
	target->is_heir = is_heir;
	for (uint32_t i = 0; i < target->nr_ancestors; i++) {
		struct target_entry *ancestor = processes_find(model, target->ancestors[i]);

		if (ancestor && is_heir)
			ancestor->nr_heirs++;
		/* One of that id may have come later than the heir did. */
		else if (ancestor && ancestor->nr_heirs && !--ancestor->nr_heirs)
			names_release(model, ancestor);
	}
}

static void forget_target(struct model *model, struct target_entry *target)
{
	struct loop_entry *entry;

	while ((entry = TAILQ_FIRST(&target->loops)))
		forget_loop(model, entry);
	be_heir(model, target, false);
	stacks_abandon(model, target);
	names_abandon(model, target);
	if (target->target.ended)
		TAILQ_REMOVE(&model->dead_targets, target, dead);
	HASH_DEL(model->targets, target);
	free(target->hosts);
	REMOVE_ORDERED(model->target_order, model->nr_targets, target);
	free(target);
}

static bool is_forgettable(const struct target_entry *target)
{
	const struct loop_entry *entry;

	if (target->nr_connections)
		return false;
	TAILQ_FOREACH (entry, &target->loops, of_target)
		if (entry->refs || !entry->loop.ended)
			return false;
	return true;
}

/* The oldest dead; one whose names are still of use only if there is no other. */
static bool make_room_for_target(struct model *model)
{
	struct target_entry *target, *forgotten = NULL;

	if (model->nr_targets < model->bounds.targets)
		return true;
	TAILQ_FOREACH (target, &model->dead_targets, dead) {
		if (!is_forgettable(target) || (target->nr_heirs && forgotten))
			continue;
		forgotten = target;
		if (!target->nr_heirs)
			break;
	}
	if (forgotten)
		forget_target(model, forgotten);
	return forgotten != NULL;
}

void processes_expire(struct model *model, uint64_t then_ns)
{
	struct target_entry *target, *next_target;
	struct loop_entry *entry, *next;

	for (target = TAILQ_FIRST(&model->dead_targets); target && target->ended_ns < then_ns; target = next_target) {
		next_target = TAILQ_NEXT(target, dead);
		if (is_forgettable(target) && !target->nr_heirs)
			forget_target(model, target);
	}
	for (entry = TAILQ_FIRST(&model->dead_loops); entry && entry->ended_ns < then_ns; entry = next) {
		next = TAILQ_NEXT(entry, dead);
		if (!entry->refs)
			forget_loop(model, entry);
	}
}

struct target_entry *processes_find(const struct model *model, uint32_t id)
{
	struct target_entry *target;

	HASH_FIND(hh, model->targets, &id, sizeof(id), target);
	return target;
}

struct target_entry *processes_target(struct model *model, uint32_t id)
{
	struct target_entry *target;

	if (!id)
		return NULL;
	target = processes_find(model, id);
	if (target)
		return target;
	target = make_room_for_target(model) ? calloc(1, sizeof(*target)) : NULL;
	if (target) {
		target->id = id;
		target->target.info.head.type = EV_TARGET;
		target->target.info.head.size = sizeof(target->target.info);
		target->target.info.head.target_id = id;
		target->target.info.status = TARGET_PENDING;
		TAILQ_INIT(&target->loops);
		TAILQ_INIT(&target->queued);
		HASH_ADD(hh, model->targets, id, sizeof(target->id), target);
		if (target->hh.tbl) {
			model->target_order[model->nr_targets++] = target;
			return target;
		}
		free(target);
	}
	model->targets_refused++;
	return NULL;
}

void processes_add_target(struct model *model, const struct ev_target *ev)
{
	struct target_entry *target = processes_target(model, ev->head.target_id);

	if (!target)
		return;
	/* "Not identified yet" does not take back what a fork passed on. */
	if (ev->status == TARGET_PENDING && target->target.info.status != TARGET_PENDING)
		return;
	/* An older recording's is shorter; its head says so. */
	memset(&target->target.info, 0, sizeof(target->target.info));
	memcpy(&target->target.info, ev, ev->head.size);
	if (ev->status == TARGET_OK)
		names_ask(model, target);
	/* A process that has ended but for its number looks like a kernel thread. Neither is followed any further. */
	else if (ev->status == TARGET_GONE || ev->status == TARGET_KERNEL_THREAD)
		processes_end_target(model, target->id);
}

static void inherit(struct model *model, struct target_entry *child, const struct target_entry *parent,
		    const struct ev_fork *ev)
{
	struct ev_target *info = &child->target.info;
	bool is_host_ns = parent->target.info.pid == parent->target.info.ns_pid;

	be_heir(model, child, false);
	child->nr_ancestors = min(parent->nr_ancestors + 1, (uint32_t)MAX_ANCESTORS);
	child->ancestors[0] = parent->id;
	memcpy(child->ancestors + 1, parent->ancestors,
	       (child->nr_ancestors - 1) * sizeof(child->ancestors[0]));
	be_heir(model, child, !child->target.ended);
	if (info->status != TARGET_PENDING)
		return; /* its own answer came first */
	*info = parent->target.info;
	info->head.target_id = child->id;
	info->head.ts_ns = ev->head.ts_ns;
	info->pid = ev->child_pid;
	info->ns_pid = is_host_ns ? ev->child_pid : 0;
	info->start_ticks = 0;
}

void processes_add_fork(struct model *model, const struct ev_fork *ev)
{
	struct target_entry *child = processes_target(model, ev->head.target_id);
	const struct target_entry *parent = processes_find(model, ev->parent_target_id);

	if (!child)
		return;
	/* Making room for the child may have forgotten the parent: looked for afterwards. */
	if (parent && parent != child)
		inherit(model, child, parent, ev);
	if (!child->target.info.pid)
		child->target.info.pid = ev->child_pid;
	if (child->target.info.status == TARGET_OK)
		names_ask(model, child);
}

void processes_end_target(struct model *model, uint32_t id)
{
	struct target_entry *target = processes_find(model, id);
	struct loop_entry *entry;

	if (!target || target->target.ended)
		return;
	target->target.ended = true;
	target->ended_ns = model->now_ns;
	TAILQ_INSERT_TAIL(&model->dead_targets, target, dead);
	TAILQ_FOREACH (entry, &target->loops, of_target)
		end_loop(model, entry);
	be_heir(model, target, false);
	stacks_release(model, target);
	names_release(model, target);
}

/* The process goes on under another id, if it is of interest; nothing of its memory does. */
void processes_add_exec(struct model *model, const struct ev_exec *ev)
{
	processes_end_target(model, ev->head.target_id);
}

/* A loop takes the slot over from the one before, which then must be gone. */
static struct loop_entry *new_loop(struct model *model, const struct ev_head *head)
{
	struct target_entry *target = processes_target(model, head->target_id);
	struct loop_entry *entry, *before;

	HASH_FIND(hh, model->slots, &head->loop_id, sizeof(head->loop_id), before);
	if (before) {
		end_loop(model, before);
		leave_slot(model, before);
	}
	entry = make_room_for_loop(model) ? calloc(1, sizeof(*entry)) : NULL;
	if (entry) {
		entry->loop_id = head->loop_id;
		HASH_ADD(hh, model->slots, loop_id, sizeof(entry->loop_id), entry);
		if (entry->hh.tbl) {
			entry->has_slot = true;
			entry->target = target ? target : &model->nobody;
			entry->loop.target = &entry->target->target;
			entry->loop.info.head = *head;
			entry->loop.number = entry->target->nr_loops++;
			TAILQ_INSERT_TAIL(&entry->target->loops, entry, of_target);
			model->loop_order[model->nr_loops++] = entry;
			if (entry->target->target.ended)
				end_loop(model, entry);
			return entry;
		}
		free(entry);
	}
	model->loops_refused++;
	return NULL;
}

/* Whether a record with this head can be about the loop: one of an unknown target takes any. */
static bool is_of_target(const struct loop_entry *entry, const struct ev_head *head)
{
	return !head->target_id || !entry->target->id || entry->target->id == head->target_id;
}

/* The loop that a record is about.  One that ended meanwhile keeps its slot, for its last words. */
struct loop_entry *processes_loop(struct model *model, const struct ev_head *head)
{
	struct loop_entry *entry;

	if (head->loop_id == EV_NO_LOOP)
		return NULL;
	HASH_FIND(hh, model->slots, &head->loop_id, sizeof(head->loop_id), entry);
	if (entry && is_of_target(entry, head))
		return entry;
	return new_loop(model, head); /* its EV_LOOP was lost */
}

void processes_add_loop(struct model *model, const struct ev_loop *ev)
{
	struct loop_entry *entry;
	struct ev_target *info;

	if (ev->head.loop_id == EV_NO_LOOP)
		return;
	HASH_FIND(hh, model->slots, &ev->head.loop_id, sizeof(ev->head.loop_id), entry);
	/* Said again of the same thread: nothing new began. */
	if (!entry || entry->loop.ended || !is_of_target(entry, &ev->head) ||
	    entry->loop.info.tid != ev->tid || entry->loop.info.pid != ev->pid)
		entry = new_loop(model, &ev->head);
	if (!entry)
		return;
	entry->loop.info = *ev;
	if (entry->target == &model->nobody)
		return;
	info = &entry->target->target.info;
	if (!info->pid)
		info->pid = ev->pid;
	/* A child that was born in a container: its main thread tells the number that it has there. */
	if (!info->ns_pid && ev->pid == ev->tid)
		info->ns_pid = ev->ns_tid;
}

void processes_end_loop(struct model *model, const struct ev_loop_exit *ev)
{
	struct loop_entry *entry;

	HASH_FIND(hh, model->slots, &ev->head.loop_id, sizeof(ev->head.loop_id), entry);
	if (entry && is_of_target(entry, &ev->head))
		end_loop(model, entry);
}

void processes_add_stats(struct model *model, const struct ev_loop_stats *ev)
{
	struct loop_entry *entry = processes_loop(model, &ev->head);
	struct loop *loop;

	if (!entry)
		return;
	loop = &entry->loop;
	if (ev->head.ts_ns > loop->counters_ns) {
		loop->previous = loop->counters;
		loop->previous_ns = loop->counters_ns;
	}
	loop->counters = ev->counters;
	loop->counters_ns = max(loop->counters_ns, ev->head.ts_ns);
	/* Counters that went backwards are another loop's whose EV_LOOP was lost: no rate yet. */
	if (loop->counters.iterations < loop->previous.iterations) {
		memset(&loop->previous, 0, sizeof(loop->previous));
		loop->previous_ns = 0;
	}
}

/* Which of the record's loops runs in the loop's thread; nr_loops: none, or one of another kind. */
static unsigned find_counted(const struct ev_tasks *ev, const struct loop *loop)
{
	unsigned i = 0;

	if (!loop->info.ns_tid || LOOP_KIND_IS_BY_FRAMES(loop->info.kind))
		return ev->nr_loops;
	while (i < ev->nr_loops && ev->loops[i].ns_tid != loop->info.ns_tid)
		i++;
	return i;
}

void processes_add_tasks(struct model *model, const struct ev_tasks *ev)
{
	struct target_entry *target = processes_find(model, ev->head.target_id);
	struct loop_entry *entry;

	if (!target)
		return;
	target->target.tasks_ns = ev->status <= TASKS_CUT ? ev->head.ts_ns : 0;
	target->target.tasks_uncounted = ev->nr_uncounted;
	TAILQ_FOREACH (entry, &target->loops, of_target) {
		struct loop_tasks *tasks = &entry->loop.tasks;
		unsigned i = find_counted(ev, &entry->loop);

		memset(tasks, 0, sizeof(*tasks));
		if (entry->loop.ended || i == ev->nr_loops)
			continue;
		tasks->ns = ev->head.ts_ns;
		memcpy(tasks->nr, ev->loops[i].nr, sizeof(tasks->nr));
	}
}

int processes_add_host(struct model *model, const struct ev_host *ev)
{
	struct target_entry *target = processes_find(model, ev->head.target_id);

	if (!target)
		return 0;
	if (!target->hosts)
		target->hosts = calloc(MODEL_HOSTS, sizeof(*target->hosts));
	if (!target->hosts)
		return -ENOMEM;
	target->hosts[target->next_host] = *ev;
	target->next_host = (target->next_host + 1) % MODEL_HOSTS;
	target->target.hosts = target->hosts;
	target->target.nr_hosts = min(target->target.nr_hosts + 1, (uint32_t)MODEL_HOSTS);
	return 0;
}

void processes_free(struct model *model)
{
	while (model->nr_loops)
		forget_loop(model, model->loop_order[model->nr_loops - 1]);
	while (model->nr_targets)
		forget_target(model, model->target_order[model->nr_targets - 1]);
	free(model->loop_order);
	free(model->target_order);
}
