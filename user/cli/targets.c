/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "targets.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>

#include "log.h"

/*
 * A process that has just been started maps its libpython and sets up its runtime within some tens of
 * milliseconds.  It is asked again at growing intervals, and given up after about four seconds.
 */
#define FIRST_RETRY_NS (2 * NSEC_PER_MSEC)
#define MAX_RETRY_NS   (500 * NSEC_PER_MSEC)
#define MAX_RETRIES    16
/* A process that runs a loop has imported asyncio; a look that still does not find it is a torn one. */
#define MAX_LOOKS_AGAIN 4

struct entry {
	UT_hash_handle hh;
	uint32_t target_id;
	pid_t pid;
	bool is_required;
	bool was_required; /* before an exec: named by the user, and Python then */
	bool is_known; /* info is the reader's final answer */
	bool is_untold; /* its answer is held back until its probes are attached */
	bool was_asked_probes;
	unsigned retries;
	uint32_t loop_kind; /* of its last loop that was found */
	unsigned looks_again; /* for what a module was to be imported for */
	bool is_looked_at_again; /* the next answer is about that */
	unsigned missed; /* times in a row that the kernel half did not know it */
	uint64_t retry_ns; /* when to ask again; 0: not */
	struct ev_target info;
};

struct targets {
	struct probes *probes;
	struct reader *reader;
	struct entry *entries; /* by target_id */
	uint32_t next_id;      /* below the kernel half's own numbers */
	struct ev_target failed;
	bool has_failed;
};

int targets_new(struct targets **out, struct probes *probes, struct reader *reader)
{
	struct targets *targets = calloc(1, sizeof(*targets));

	if (!targets)
		return -ENOMEM;
	targets->probes = probes;
	targets->reader = reader;
	targets->next_id = 1;
	*out = targets;
	return 0;
}

static struct entry *find(const struct targets *targets, uint32_t target_id)
{
	struct entry *entry;

	HASH_FIND(hh, targets->entries, &target_id, sizeof(target_id), entry);
	return entry;
}

static void drop(struct targets *targets, struct entry *entry)
{
	reader_forget(targets->reader, entry->target_id);
	probes_detach(targets->probes, entry->target_id);
	HASH_DEL(targets->entries, entry);
	free(entry);
}

void targets_free(struct targets *targets)
{
	if (!targets)
		return;
	while (targets->entries)
		drop(targets, targets->entries);
	free(targets);
}

static struct entry *add(struct targets *targets, uint32_t target_id, pid_t pid)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->target_id = target_id;
	entry->pid = pid;
	HASH_ADD(hh, targets->entries, target_id, sizeof(entry->target_id), entry);
	return entry;
}

int targets_add(struct targets *targets, pid_t pid, bool is_required, uint64_t now_ns)
{
	struct entry *entry;
	int err;

	for (entry = targets->entries; entry; entry = entry->hh.next)
		if (entry->pid == pid)
			return 0;
	entry = add(targets, targets->next_id++, pid);
	if (!entry)
		return -ENOMEM;
	entry->is_required = is_required;
	err = probes_watch(targets->probes, pid, entry->target_id, NULL);
	if (!err)
		err = reader_ask_target(targets->reader, entry->target_id, pid, now_ns);
	if (err)
		drop(targets, entry);
	return err;
}

void targets_on_fork(struct targets *targets, const struct ev_fork *ev, uint64_t now_ns)
{
	const struct entry *parent = find(targets, ev->parent_target_id);
	struct entry *entry = add(targets, ev->head.target_id, (pid_t)ev->child_pid);

	if (!entry)
		return;
	/* Its parent was not identified when it was born: nobody will say what it is but the reader. */
	if (!parent || !parent->is_known || !ev->is_readable) {
		reader_ask_target(targets->reader, entry->target_id, entry->pid, now_ns);
		return;
	}
	/* Same memory, same layout; its own number. The reader needs no more to name its code. */
	entry->is_known = true;
	entry->info = parent->info;
	entry->info.head.target_id = ev->head.target_id;
	entry->info.pid = ev->child_pid;
	entry->info.start_ticks = 0;
}

void targets_on_exec(struct targets *targets, const struct ev_exec *ev, uint64_t now_ns)
{
	struct entry *old = find(targets, ev->head.target_id), *entry;

	entry = add(targets, ev->new_target_id, (pid_t)ev->pid);
	if (old && entry)
		entry->was_required = old->is_required || old->was_required;
	if (old)
		drop(targets, old);
	if (entry)
		reader_ask_target(targets->reader, entry->target_id, entry->pid, now_ns);
}

void targets_on_exit(struct targets *targets, const struct ev_exit *ev)
{
	struct entry *entry = find(targets, ev->head.target_id);

	if (entry && entry->is_required && !entry->is_known && !targets->has_failed) {
		targets->has_failed = true;
		targets->failed = entry->info;
		targets->failed.pid = ev->pid;
		targets->failed.status = TARGET_GONE;
		snprintf(targets->failed.reason, sizeof(targets->failed.reason),
			 "ended before it could be looked at");
	}
	if (entry)
		drop(targets, entry);
}

/* Whether nothing can be added that a loop of that kind (LOOP_KIND_UNKNOWN: any) needs. */
static bool is_complete(const struct py_layout *layout, uint32_t kind)
{
	/* From 3.14 on the thread state names the task. */
	bool has_tasks = layout->current_tasks_addr || layout->minor >= 14;

	if (LOOP_KIND_IS_BY_FRAMES(kind))
		return layout->find_and_load_addr && (kind != LOOP_KIND_TRIO || layout->trio_task);
	return has_tasks && layout->find_and_load_addr && layout->run_once_ntodo;
}

static void look_again(struct targets *targets, struct entry *entry, uint64_t now_ns)
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
		entry->retry_ns = now_ns + (FIRST_RETRY_NS << (4 * entry->looks_again));
}

static bool must_ask_again(const struct entry *entry, const struct ev_target *ev)
{
	if (entry->retries >= MAX_RETRIES)
		return false;
	/* A process that was just started has its runtime library not mapped yet. */
	return ev->status == TARGET_NOT_READY || (ev->status == TARGET_NOT_PYTHON && !entry->is_required);
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
	struct entry *entry = find(targets, ev->head.target_id);

	if (!entry || !entry->is_known || entry->info.status != TARGET_OK)
		return;
	entry->loop_kind = ev->kind;
	if (!entry->is_looked_at_again && entry->looks_again < MAX_LOOKS_AGAIN &&
	    !is_complete(&entry->info.layout, ev->kind))
		look_again(targets, entry, now_ns);
	ask_probes(targets, entry, now_ns);
}

const struct ev_target *targets_on_probes(struct targets *targets, const struct ev_probes *ev)
{
	struct entry *entry = find(targets, ev->head.target_id);
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

bool targets_on_answer(struct targets *targets, const struct ev_target *ev, uint64_t now_ns)
{
	struct entry *entry = find(targets, ev->head.target_id);
	uint64_t wait;

	if (!entry)
		return false; /* it ended or was replaced meanwhile */
	if (entry->is_looked_at_again) {
		on_second_look(targets, entry, ev, now_ns);
		return false;
	}
	if (must_ask_again(entry, ev)) {
		wait = FIRST_RETRY_NS << min(entry->retries, 8u);
		entry->retry_ns = now_ns + min(wait, MAX_RETRY_NS);
		entry->retries++;
		return false;
	}
	entry->info = *ev;
	entry->is_known = true;
	if (ev->status == TARGET_OK) {
		probes_watch(targets->probes, entry->pid, entry->target_id, &ev->layout);
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
		probes_unwatch(targets->probes, entry->pid, entry->target_id);
		drop(targets, entry);
		return true;
	}
	if (ev->status == TARGET_GONE || ev->status == TARGET_KERNEL_THREAD) {
		probes_unwatch(targets->probes, entry->pid, entry->target_id);
		drop(targets, entry);
		return true;
	}
	/* Not Python itself, but its children may be: it stays followed until it ends. */
	return entry->is_required || ev->status != TARGET_NOT_PYTHON;
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

	HASH_ITER(hh, targets->entries, entry, next) {
		watched = probes_watched(targets->probes, entry->pid);
		if (watched == entry->target_id)
			entry->missed = 0;
		else if (++entry->missed >= 2 && (!watched || !find(targets, watched)))
			report_lost(entry, watched, now_ns, on_lost, ctx);
	}
}

uint64_t targets_tick(struct targets *targets, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	for (struct entry *entry = targets->entries; entry; entry = entry->hh.next) {
		if (entry->retry_ns && entry->retry_ns <= now_ns) {
			entry->retry_ns = 0;
			if (entry->is_known)
				look_again(targets, entry, now_ns);
			else
				reader_ask_target(targets->reader, entry->target_id, entry->pid, now_ns);
		}
		if (entry->retry_ns)
			next = min(next, entry->retry_ns);
	}
	return next;
}

unsigned targets_alive(const struct targets *targets)
{
	return HASH_COUNT(targets->entries);
}

const struct ev_target *targets_find(const struct targets *targets, uint32_t target_id)
{
	const struct entry *entry = find(targets, target_id);

	return entry && entry->is_known && entry->info.status == TARGET_OK ? &entry->info : NULL;
}

const struct ev_target *targets_failed(const struct targets *targets)
{
	return targets->has_failed ? &targets->failed : NULL;
}
