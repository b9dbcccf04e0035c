/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which processes are followed: named, found, forked, replaced, ended. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "targets_state.h"
#include "util.h"

#define RETRY_FULL_NS (20 * NSEC_PER_MSEC) /* the reader has that much to do before */

int targets_new(struct targets **out, struct probes *probes, struct reader *reader, targets_gone_fn *on_let_go,
		void *ctx)
{
	struct targets *targets = calloc(1, sizeof(*targets));

	if (!targets)
		return -ENOMEM;
	targets->probes = probes;
	targets->reader = reader;
	targets->on_let_go = on_let_go;
	targets->ctx = ctx;
	targets->next_id = 1;
	targets->due_ns = UINT64_MAX;
	targets->has_host_clock = find_has_host_clock();
	*out = targets;
	return 0;
}

struct entry *targets_entry(const struct targets *targets, uint32_t target_id)
{
	struct entry *entry;

	HASH_FIND(hh, targets->entries, &target_id, sizeof(target_id), entry);
	return entry;
}

void targets_drop(struct targets *targets, struct entry *entry)
{
	reader_forget(targets->reader, entry->target_id);
	targets_end_counting(targets, entry);
	probes_detach(targets->probes, entry->target_id);
	if (targets->policies)
		policies_end(targets->policies, entry->target_id, targets->last_ns);
	HASH_DEL(targets->entries, entry);
	free(entry);
}

void targets_free(struct targets *targets)
{
	struct let_go *gone, *next;

	if (!targets)
		return;
	while (targets->entries)
		targets_drop(targets, targets->entries);
	HASH_ITER(hh, targets->let_go, gone, next) {
		HASH_DEL(targets->let_go, gone);
		free(gone);
	}
	free(targets);
}

struct entry *targets_new_entry(struct targets *targets, uint32_t target_id, pid_t pid)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->target_id = target_id;
	entry->pid = pid;
	entry->number = SELECTION_ALL;
	HASH_ADD(hh, targets->entries, target_id, sizeof(entry->target_id), entry);
	return entry;
}

uint64_t targets_start_ticks(const struct targets *targets, uint64_t start_ns)
{
	return targets->has_host_clock ? start_ns / USER_TICK_NS : 0;
}

void targets_search(struct targets *targets, const struct find_filter *filter)
{
	targets->search = filter;
}

void targets_look_at(struct targets *targets, uint64_t *of, uint64_t at_ns)
{
	*of = at_ns;
	targets->due_ns = min(targets->due_ns, at_ns);
}

int targets_ask(struct targets *targets, struct entry *entry, uint64_t now_ns)
{
	int err = reader_ask_target(targets->reader, entry->target_id, entry->pid, now_ns);

	entry->is_asked = !err;
	if (err != -ENOBUFS)
		return err;
	targets_look_at(targets, &entry->retry_ns, now_ns + RETRY_FULL_NS);
	return 0;
}

static struct entry *find_pid(const struct targets *targets, pid_t pid)
{
	struct entry *entry;

	for (entry = targets->entries; entry; entry = entry->hh.next)
		if (entry->pid == pid)
			return entry;
	return NULL;
}

int targets_add(struct targets *targets, pid_t pid, enum targets_why why, uint64_t now_ns)
{
	struct entry *entry = find_pid(targets, pid);
	uint64_t start_ticks;
	int err;

	/* What the kernel half told of already, between its start and the search. */
	if (entry || probes_watched(targets->probes, pid))
		return 0;
	start_ticks = find_start_ticks(pid);
	if (!start_ticks)
		return -ESRCH;
	entry = targets_new_entry(targets, targets->next_id++, pid);
	if (!entry)
		return -ENOMEM;
	entry->is_required = why == TARGETS_REQUIRED;
	entry->is_searched = why == TARGETS_SEARCHED;
	entry->is_descendant = why == TARGETS_DESCENDANT;
	entry->start_ticks = start_ticks;
	err = probes_watch_life(targets->probes, pid, entry->target_id,
				targets->has_host_clock ? start_ticks : 0);
	if (!err && entry->is_descendant)
		err = probes_set_descendant(targets->probes, pid, entry->target_id);
	if (!err)
		err = targets_ask(targets, entry, now_ns);
	if (err) {
		probes_unwatch(targets->probes, pid, entry->target_id);
		targets_drop(targets, entry);
	}
	/* It ended or was replaced in the middle of that: what it is now, if anything, the kernel half tells. */
	return err == -ENOENT || err == -ESTALE ? -ESRCH : err;
}

void targets_on_fork(struct targets *targets, const struct ev_fork *ev, uint64_t now_ns)
{
	const struct entry *parent = targets_entry(targets, ev->parent_target_id);
	struct entry *entry = targets_new_entry(targets, ev->head.target_id, (pid_t)ev->child_pid);

	if (!entry)
		return;
	entry->is_descendant = true;
	entry->start_ticks = targets_start_ticks(targets, ev->start_ns);
	if (parent) {
		targets_assign(targets, entry, parent->number, parent->names);
		entry->is_inherited = parent->is_inherited;
	}
	/* Its parent was not identified when it was born: nobody will say what it is but the reader. */
	if (!parent || !parent->is_known || !ev->is_readable) {
		targets_ask(targets, entry, now_ns);
		return;
	}
	/* Same memory, same layout; its own number. The reader needs no more to name its code. */
	entry->is_known = true;
	entry->info = parent->info;
	entry->info.head.target_id = ev->head.target_id;
	entry->info.pid = ev->child_pid;
	entry->info.start_ticks = entry->start_ticks;
}

void targets_on_exec(struct targets *targets, const struct ev_exec *ev, uint64_t now_ns)
{
	struct entry *old = targets_entry(targets, ev->head.target_id), *entry = NULL;
	bool was_required = old && (old->is_required || old->was_required);

	/* No new number: the kernel half knows that it is no Python now, or will tell when it may be one. */
	if (ev->new_target_id && old) /* else it was not wanted: what it is now is looked at as any that begins */
		entry = targets_new_entry(targets, ev->new_target_id, (pid_t)ev->pid);
	else if (was_required)
		log_write(LOG_NOTE, "process %u replaced its program by one that is no Python", ev->pid);
	if (entry && old) {
		entry->was_required = was_required;
		entry->start_ticks = old->start_ticks;
		entry->is_descendant = true;
		entry->is_replaced = true;
		targets_assign(targets, entry, old->number, old->names);
	}
	if (old)
		targets_drop(targets, old);
	if (entry)
		targets_ask(targets, entry, now_ns);
}

void targets_on_exit(struct targets *targets, const struct ev_exit *ev)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);

	if (entry && entry->is_required && !entry->is_known && !targets->has_failed) {
		targets->has_failed = true;
		targets->failed = entry->info;
		targets->failed.pid = ev->pid;
		targets->failed.status = TARGET_GONE;
		snprintf(targets->failed.reason, sizeof(targets->failed.reason),
			 "ended before it could be looked at");
	}
	if (!entry)
		return;
	if (!entry->is_known)
		targets_learn(targets, entry, TARGET_GONE);
	targets_drop(targets, entry);
}

/* The record that should have come, of an entry that the kernel half does not know under its id. */
static void report_lost(const struct entry *entry, uint32_t watched, uint64_t now_ns,
			void (*on_lost)(void *ctx, const struct ev_head *ev), void *ctx)
{
	struct ev_exit ended = { .head = { EV_EXIT, sizeof(ended), now_ns, entry->target_id, EV_NO_LOOP },
				 .pid = (uint32_t)entry->pid };
	struct ev_exec replaced = { .head = { EV_EXEC, sizeof(replaced), now_ns, entry->target_id,
					      EV_NO_LOOP },
				    .pid = (uint32_t)entry->pid,
				    .new_target_id = watched };

	on_lost(ctx, watched ? &replaced.head : &ended.head);
}

void targets_reconcile(struct targets *targets, uint64_t now_ns,
		       void (*on_lost)(void *ctx, const struct ev_head *ev), void *ctx)
{
	struct entry *entry, *next;
	uint32_t watched;

	targets_forget_let_go(targets);
	HASH_ITER(hh, targets->entries, entry, next) {
		watched = probes_watched(targets->probes, entry->pid);
		if (watched == entry->target_id)
			entry->missed = 0;
		else if (++entry->missed >= 2 && (!watched || !targets_entry(targets, watched)))
			report_lost(entry, watched, now_ns, on_lost, ctx);
	}
}

uint64_t targets_tick(struct targets *targets, uint64_t now_ns)
{
	struct entry *entry, *next_entry;

	targets->last_ns = now_ns;
	if (now_ns < targets->due_ns)
		return targets->due_ns;
	targets->due_ns = UINT64_MAX;
	HASH_ITER(hh, targets->entries, entry, next_entry) {
		if (entry->select_ns && entry->select_ns <= now_ns) {
			uint32_t id = entry->target_id;

			entry->select_ns = 0;
			targets_select_again(targets, entry, now_ns);
			if (!targets_entry(targets, id))
				continue;
		}
		if (entry->retry_ns && entry->retry_ns <= now_ns) {
			entry->retry_ns = 0;
			if (entry->is_known)
				targets_look_again(targets, entry, now_ns);
			else if (!entry->is_asked)
				targets_ask(targets, entry, now_ns);
		}
		if (entry->retry_ns)
			targets->due_ns = min(targets->due_ns, entry->retry_ns);
		if (entry->select_ns)
			targets->due_ns = min(targets->due_ns, entry->select_ns);
	}
	return targets->due_ns;
}

bool targets_has(const struct targets *targets, uint32_t target_id)
{
	return targets_entry(targets, target_id) != NULL;
}

void targets_each(const struct targets *targets, void (*call)(void *ctx, pid_t pid), void *ctx)
{
	for (const struct entry *entry = targets->entries; entry; entry = entry->hh.next)
		call(ctx, entry->pid);
}

unsigned targets_alive(const struct targets *targets)
{
	return HASH_COUNT(targets->entries);
}

const struct ev_target *targets_find(const struct targets *targets, uint32_t target_id)
{
	const struct entry *entry = targets_entry(targets, target_id);

	return entry && entry->is_known && entry->info.status == TARGET_OK ? &entry->info : NULL;
}

const struct ev_target *targets_failed(const struct targets *targets)
{
	return targets->has_failed ? &targets->failed : NULL;
}
