/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Processes that begin: which of those that the kernel half told of are watched, and what it learns from
 * each for the next one (bpf/spawn.bpf.h).
 */
#include <errno.h>

#include "log.h"
#include "targets_state.h"
#include "util.h"

#define SELECT_AGAIN_NS (200 * NSEC_PER_MSEC) /* after a move: further ones are not told of for a while */

static bool is_wanted(const struct targets *targets, const struct ev_spawn *ev)
{
	const struct find_filter *search = targets->search;

	if (ev->flags & SPAWN_DESCENDANT)
		return true;
	return search && find_has_name(search->name_glob, ev->comm, ev->args, ev->args_bytes) &&
	       find_is_in_cgroup((pid_t)ev->pid, search->cgroup);
}

/* One that was moved may have been watched before, and have a loop yet. */
static void refuse(struct targets *targets, struct entry *entry, const struct ev_spawn *ev, uint64_t now_ns)
{
	if (entry)
		targets_let_go(targets, entry, now_ns);
	else if (ev->flags & SPAWN_MOVED)
		probes_let_go(targets->probes, (pid_t)ev->pid, ev->head.target_id);
	else
		probes_unwatch(targets->probes, (pid_t)ev->pid, ev->head.target_id);
}

/* The number of the selector that it is watched by, or SELECTION_*. */
static int select_spawned(const struct targets *targets, const struct entry *entry, const struct ev_spawn *ev,
			  uint64_t *names, bool *is_inherited)
{
	bool is_descendant = (ev->flags & SPAWN_DESCENDANT) || (entry && entry->is_descendant);

	*names = 0;
	*is_inherited = false;
	if (!targets->selection)
		return SELECTION_ALL;
	*names = selection_names(targets->selection, ev->comm, ev->args, ev->args_bytes);
	return targets_number(targets, entry, (pid_t)ev->pid, *names, is_descendant,
			      is_inherited);
}

/*
 * Whoever moves a process into a cgroup cannot read its arguments, so it was known by its thread's name only. Kept in
 * mind it is told of once more when it waits for events, by itself and with its arguments.
 */
static bool is_told_again(const struct targets *targets, const struct ev_spawn *ev)
{
	const struct find_filter *search = targets->search;

	return (ev->flags & SPAWN_MOVED) && search && search->name_glob &&
	       find_is_in_cgroup((pid_t)ev->pid, search->cgroup);
}

void targets_on_spawn(struct targets *targets, const struct ev_spawn *ev, uint64_t now_ns)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);
	bool is_inherited;
	uint64_t names;
	int number;

	if (entry && (ev->flags & SPAWN_MOVED)) {
		targets_look_at(targets, &entry->select_ns, now_ns + SELECT_AGAIN_NS);
		targets_select_again(targets, entry, now_ns); /* it may be gone now */
		return;
	}
	number = select_spawned(targets, entry, ev, &names, &is_inherited);
	if ((!entry && !is_wanted(targets, ev)) || !selection_is_in(number)) {
		if (!entry && is_told_again(targets, ev))
			probes_keep(targets->probes, (pid_t)ev->pid, ev->head.target_id, false);
		else
			refuse(targets, entry, ev, now_ns);
		return;
	}
	if (!entry)
		entry = targets_new_entry(targets, ev->head.target_id, (pid_t)ev->pid);
	if (!entry)
		return;
	targets_assign(targets, entry, number, names);
	entry->is_replaced = false;
	entry->is_inherited = is_inherited;
	if (entry->is_known)
		return;
	entry->has_exe = ev->exe.ino != 0;
	entry->exe = ev->exe;
	entry->start_ticks = targets_start_ticks(targets, ev->start_ns);
	entry->is_descendant |= (ev->flags & SPAWN_DESCENDANT) != 0;
	if (ev->flags & SPAWN_WAITS)
		entry->nr_waits = ev->nr_asked;
	if (!entry->is_asked)
		targets_ask(targets, entry, now_ns);
}

void targets_learn(struct targets *targets, const struct entry *entry, enum target_status status)
{
	if (!entry->has_exe)
		return;
	switch (status) {
	case TARGET_OK:
	case TARGET_NOT_READY:
	case TARGET_UNSUPPORTED:
		probes_learn_exe(targets->probes, &entry->exe, EXE_PYTHON);
		break;
	case TARGET_NOT_PYTHON:
		/* Only who has waited for events for a while, and still has none mapped, is none. */
		if (entry->nr_waits >= SPAWN_ASKS)
			probes_learn_exe(targets->probes, &entry->exe, EXE_OTHER);
		else
			probes_hold_exe(targets->probes, &entry->exe);
		break;
	default:
		probes_hold_exe(targets->probes, &entry->exe);
		break;
	}
}
