/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the reader says of the watched processes, and what is done about it. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "targets_state.h"
#include "util.h"

/*
 * A process that has just been started maps its libpython within some milliseconds and sets up its runtime
 * within some tens.  It is asked again at growing intervals: without one, about 0.1 s, and later when
 * it waits for events; with one that is not ready, about four seconds.
 */
#define MAX_RETRY_NS	       (500 * NSEC_PER_MSEC)
#define MAX_RETRIES	       16
#define MAX_RETRIES_NOT_PYTHON 6
#define MAX_RETRIES_SEARCHED   4
/* A process that runs a loop has imported asyncio; a look that still does not find it is a torn one. */
#define MAX_LOOKS_AGAIN 4

/* Whether nothing can be added that a loop of that kind (LOOP_KIND_UNKNOWN: any) needs. */
static bool is_complete(const struct py_layout *layout, uint32_t kind)
{
	/* From 3.14 on the thread state names the task. */
	bool has_tasks = layout->current_tasks_addr || layout->minor >= 14;

	if (LOOP_KIND_IS_BY_FRAMES(kind))
		return layout->find_and_load_addr && (kind != LOOP_KIND_TRIO || layout->trio_task);
	return has_tasks && layout->find_and_load_addr && layout->run_once_ntodo;
}

void targets_look_again(struct targets *targets, struct entry *entry, uint64_t now_ns)
{
	entry->looks_again++;
	entry->is_looked_at_again = !reader_ask_target(targets->reader, entry->target_id, entry->pid, now_ns);
}

/* Whatever it says, the target was readable and stays so; an address that was found does not move. */
static void on_second_look(struct targets *targets, struct entry *entry, const struct ev_target *ev,
			   uint64_t now_ns)
{
	struct py_layout *layout = &entry->info.layout;

	entry->is_looked_at_again = false;
	if (ev->status == TARGET_OK) {
		if (!layout->current_tasks_addr)
			layout->current_tasks_addr = ev->layout.current_tasks_addr;
		if (!layout->find_and_load_addr)
			layout->find_and_load_addr = ev->layout.find_and_load_addr;
		if (!layout->run_once_ntodo)
			layout->run_once_ntodo = ev->layout.run_once_ntodo;
		if (layout->minor >= 14) { /* by _asyncio's own table, if it was not there before */
			layout->tstate_running_loop = ev->layout.tstate_running_loop;
			layout->tstate_running_task = ev->layout.tstate_running_task;
			layout->task_name = ev->layout.task_name;
		}
		if (!layout->trio_task)
			layout->trio_task = ev->layout.trio_task;
		probes_update_layout(targets->probes, entry->pid, entry->target_id, layout);
	}
	if (!is_complete(layout, entry->loop_kind) && entry->looks_again < MAX_LOOKS_AGAIN)
		targets_look_at(targets, &entry->retry_ns,
				now_ns + (TARGETS_FIRST_RETRY_NS << (4 * entry->looks_again)));
}

static bool must_ask_again(const struct entry *entry, const struct ev_target *ev)
{
	/* A process that was just started has its runtime library not mapped yet. */
	if (ev->status == TARGET_NOT_PYTHON && !entry->is_required && !entry->nr_waits)
		return entry->retries < (entry->is_searched ? MAX_RETRIES_SEARCHED : MAX_RETRIES_NOT_PYTHON);
	return ev->status == TARGET_NOT_READY && entry->retries < MAX_RETRIES;
}

/*
 * Asks where the probes of a target are, which runs a loop; only then: most children of a server are
 * there for a moment and for something else.
 */
static bool ask_probes(struct targets *targets, struct entry *entry, uint64_t now_ns)
{
	if (entry->was_asked_probes || !entry->is_known || entry->info.status != TARGET_OK ||
	    !(entry->info.flags & TARGET_USDT))
		return false;
	entry->was_asked_probes = true;
	return !reader_ask_probes(targets->reader, &entry->info, now_ns);
}

void targets_on_loop(struct targets *targets, const struct ev_loop *ev, uint64_t now_ns)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);

	if (!entry || !entry->is_known || entry->info.status != TARGET_OK)
		return;
	entry->loop_kind = ev->kind;
	targets->counting_due_ns = 0;
	if (!entry->is_looked_at_again && entry->looks_again < MAX_LOOKS_AGAIN &&
	    !is_complete(&entry->info.layout, ev->kind))
		targets_look_again(targets, entry, now_ns);
	ask_probes(targets, entry, now_ns);
}

const struct ev_target *targets_on_probes(struct targets *targets, const struct ev_probes *ev)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);
	int nr;

	if (!entry)
		return NULL;
	nr = probes_attach(targets->probes, ev);
	if (nr < 0 && nr != -ENOENT)
		log_debug("process %d: its probes cannot be used: %s", entry->pid, strerror(-nr));
	if (!entry->is_untold)
		return NULL;
	entry->is_untold = false;
	return &entry->info;
}

/* No Python, as far as can be told: what becomes of it. */
static void let_go(struct targets *targets, struct entry *entry, const struct ev_target *ev)
{
	bool is_kept = ev->status == TARGET_NOT_PYTHON && !entry->is_searched && !entry->was_required;
	bool is_final = entry->nr_waits >= SPAWN_ASKS;

	if (is_kept && (!is_final || entry->is_descendant))
		probes_keep(targets->probes, entry->pid, entry->target_id, is_final);
	else
		probes_unwatch(targets->probes, entry->pid, entry->target_id);
	targets_drop(targets, entry);
}

/* The number is another process's by now, or it ended: not what was asked about. */
static bool is_other_life(const struct entry *entry, const struct ev_target *ev)
{
	return entry->start_ticks && ev->start_ticks && entry->start_ticks != ev->start_ticks;
}

static bool on_final(struct targets *targets, struct entry *entry, const struct ev_target *ev,
		     uint64_t now_ns)
{
	entry->info = *ev;
	entry->is_known = true;
	targets_learn(targets, entry, ev->status);
	if (ev->status == TARGET_OK) {
		probes_identify(targets->probes, entry->pid, entry->target_id, &ev->layout);
		/* It may have been moved before its moves were told of. */
		if (targets->selection && targets->selection->nr)
			targets_look_at(targets, &entry->select_ns, now_ns);
		/* It is watched from here on; said to be, once all that it has is in use. */
		entry->is_untold = ev->nr_loops && ask_probes(targets, entry, now_ns);
		return !entry->is_untold;
	}
	if (entry->is_required && !targets->has_failed) {
		targets->has_failed = true;
		targets->failed = *ev;
	}
	if (entry->was_required) {
		/* What the user named is gone by an exec: there is nothing left of it to watch. */
		log_write(LOG_NOTE, "process %d replaced its program by one that cannot be watched: %.*s",
			  entry->pid, (int)sizeof(ev->reason), ev->reason);
		let_go(targets, entry, ev);
		return true;
	}
	if (ev->status == TARGET_GONE || ev->status == TARGET_KERNEL_THREAD) {
		/* Of kthreadd all threads of the kernel are children: only the one that was named is worth a line. */
		bool is_told = ev->status == TARGET_GONE || entry->is_required;

		let_go(targets, entry, ev);
		return is_told;
	}
	if (ev->status != TARGET_NOT_PYTHON || entry->is_required)
		return true;
	/* Its fork was told, and its end will not be: the kernel half knows it by that number no more. */
	if (entry->is_descendant)
		targets_tell_end(targets, entry, now_ns);
	let_go(targets, entry, ev);
	return false;
}

bool targets_on_answer(struct targets *targets, const struct ev_target *ev, uint64_t now_ns)
{
	struct entry *entry = targets_entry(targets, ev->head.target_id);
	uint64_t wait;

	if (!entry)
		return false; /* it ended or was replaced meanwhile */
	entry->is_asked = false;
	if (entry->is_looked_at_again) {
		on_second_look(targets, entry, ev, now_ns);
		return false;
	}
	if (entry->is_known)
		return false;
	if (is_other_life(entry, ev)) {
		struct ev_target gone = *ev;

		gone.status = TARGET_GONE;
		memset(&gone.layout, 0, sizeof(gone.layout));
		return on_final(targets, entry, &gone, now_ns);
	}
	if (must_ask_again(entry, ev)) {
		wait = TARGETS_FIRST_RETRY_NS << min(entry->retries, 8u);
		targets_look_at(targets, &entry->retry_ns, now_ns + min(wait, MAX_RETRY_NS));
		entry->retries++;
		return false;
	}
	return on_final(targets, entry, ev, now_ns);
}
