/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Processes that begin: which of those that the kernel half told of are watched, and what it learns from
 * each for the next one (bpf/spawn.bpf.h).
 */
#include <errno.h>

#include "log.h"
#include "targets_state.h"
#include "util.h"

static bool is_wanted(const struct targets *targets, const struct ev_spawn *ev)
{
	const struct find_filter *search = targets->search;

	if (ev->flags & SPAWN_DESCENDANT)
		return true;
	return search && find_has_name(search->name_glob, ev->comm, ev->args, ev->args_bytes) &&
	       find_is_in_cgroup((pid_t)ev->pid, search->cgroup);
}

void targets_on_spawn(struct targets *targets, const struct ev_spawn *ev, uint64_t now_ns)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);

	if (!entry && !is_wanted(targets, ev)) {
		probes_unwatch(targets->probes, (pid_t)ev->pid, ev->head.target_id);
		return;
	}
	if (!entry)
		entry = targets_new_entry(targets, ev->head.target_id, (pid_t)ev->pid);
	if (!entry || entry->is_known)
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
