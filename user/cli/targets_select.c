/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which entry of a service's selection a process is watched by: as it begins, when it is moved,
 * when there is another selection.  One that no entry is about is watched as the process that it
 * descends from.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "targets_state.h"
#include "util.h"

#define MAX_ANCESTORS 16

/* What a scan says of one that an entry is about. */
struct found {
	pid_t pid;
	int number;
	uint64_t names;
};
_Static_assert(sizeof(struct found) <= FIND_RECORD_BYTES, "fits");

/* Nothing of it is in the process's own memory, so that nobody waits. Its names are the caller's to
 * say. */
static bool read_facts(pid_t pid, struct process_facts *facts, char cgroups[FIND_CGROUPS_BYTES])
{
	static const char deleted[] = " (deleted)";
	char path[32];
	ssize_t bytes = find_read(pid, "cgroup", cgroups, FIND_CGROUPS_BYTES), length;

	if (bytes < 0)
		return false;
	facts->cgroups = cgroups;
	place_parse(cgroups, (size_t)bytes, &facts->place);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, facts->exe, sizeof(facts->exe) - 1);
	facts->exe[max(length, 0)] = '\0';
	length -= (ssize_t)strlen(deleted);
	if (length > 0 && !strcmp(facts->exe + length, deleted))
		facts->exe[length] = '\0';
	return true;
}

static bool look(const void *ctx, pid_t pid, void *record)
{
	const struct selection *selection = ctx;
	char cgroups[FIND_CGROUPS_BYTES], comm[64], args[4096];
	struct found found = { .pid = pid };
	struct process_facts facts;
	ssize_t bytes;

	if (!read_facts(pid, &facts, cgroups) || find_read(pid, "comm", comm, sizeof(comm)) <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	bytes = find_read(pid, "cmdline", args, sizeof(args));
	facts.names = selection_names(selection, comm, args, bytes > 0 ? (size_t)bytes : 0);
	found.names = facts.names;
	found.number = selection_match(selection, &facts);
	memcpy(record, &found, sizeof(found));
	return found.number != SELECTION_NONE;
}

static struct entry *entry_of_pid(const struct targets *targets, pid_t pid)
{
	struct entry *entry;

	for (entry = targets->entries; entry; entry = entry->hh.next)
		if (entry->pid == pid)
			return entry;
	return NULL;
}

/* What the nearest ancestor that is watched is watched by. */
static int number_of_ancestor(const struct targets *targets, pid_t pid)
{
	for (int i = 0; i < MAX_ANCESTORS && (pid = find_parent(pid)) > 1; i++) {
		const struct entry *entry = entry_of_pid(targets, pid);

		if (entry && selection_is_in(entry->number))
			return entry->number;
	}
	return SELECTION_NONE;
}

int targets_number(const struct targets *targets, const struct entry *entry, pid_t pid,
		   uint64_t names, bool is_descendant, bool *is_inherited)
{
	char cgroups[FIND_CGROUPS_BYTES];
	struct process_facts facts = { .names = names };
	int number;

	*is_inherited = false;
	if (!targets->selection || !targets->selection->nr)
		return SELECTION_ALL;
	if (!read_facts(pid, &facts, cgroups))
		return SELECTION_NONE; /* it ended */
	number = selection_match(targets->selection, &facts);
	if (number != SELECTION_NONE || !is_descendant)
		return number;
	*is_inherited = true;
	/* By an exec it descends from itself; and its ancestors may have ended since. */
	if (entry && (entry->is_replaced || entry->is_inherited) && selection_is_in(entry->number))
		return entry->number;
	return number_of_ancestor(targets, pid);
}

void targets_assign(struct targets *targets, struct entry *entry, int number, uint64_t names)
{
	entry->number = number;
	entry->names = names;
	if (targets->policies &&
	    number >= 0) /* without memory it is as if no entry were about it */
		(void)policies_assign(targets->policies, entry->target_id, number);
}

void targets_use_selection(struct targets *targets, const struct selection *selection,
			   struct policies *policies)
{
	targets->selection = selection;
	targets->policies = policies;
}

/* ---- letting go ---- */

bool targets_is_let_go(const struct targets *targets, uint32_t target_id)
{
	const struct let_go *gone;

	if (!targets->let_go)
		return false;
	HASH_FIND(hh, targets->let_go, &target_id, sizeof(target_id), gone);
	return gone != NULL;
}

static void remember(struct targets *targets, const struct entry *entry)
{
	struct let_go *gone = calloc(1, sizeof(*gone));

	if (!gone)
		return;
	gone->target_id = entry->target_id;
	gone->pid = entry->pid;
	gone->start_ticks = find_start_ticks(entry->pid);
	HASH_ADD(hh, targets->let_go, target_id, sizeof(gone->target_id), gone);
}

void targets_tell_end(struct targets *targets, const struct entry *entry, uint64_t now_ns)
{
	struct ev_exit ended = { .head = { EV_EXIT, sizeof(ended), now_ns, entry->target_id,
					   EV_NO_LOOP },
				 .pid = (uint32_t)entry->pid };

	targets->on_let_go(targets->ctx, &ended.head);
}

void targets_let_go(struct targets *targets, struct entry *entry, uint64_t now_ns)
{
	if (entry->is_known) {
		log_about(LOG_INFO, entry->pid, "process %d: not selected any more", entry->pid);
		remember(targets, entry);
		probes_let_go(targets->probes, entry->pid, entry->target_id);
	} else {
		probes_unwatch(targets->probes, entry->pid, entry->target_id);
	}
	targets_tell_end(targets, entry, now_ns);
	targets_drop(targets, entry);
}

void targets_forget_let_go(struct targets *targets)
{
	struct let_go *gone, *next;

	HASH_ITER (hh, targets->let_go, gone, next)
		if (!gone->start_ticks || find_start_ticks(gone->pid) != gone->start_ticks) {
			HASH_DEL(targets->let_go, gone);
			free(gone);
		}
}

/* ---- looking again ---- */

void targets_select_again(struct targets *targets, struct entry *entry, uint64_t now_ns)
{
	bool is_inherited;
	int number;

	if (!targets->selection || !targets->selection->nr)
		return;
	number = targets_number(targets, entry, entry->pid, entry->names, entry->is_descendant,
				&is_inherited);
	entry->is_inherited = is_inherited;
	if (!selection_is_in(number) && find_start_ticks(entry->pid))
		targets_let_go(targets, entry, now_ns);
	else if (selection_is_in(number))
		targets_assign(targets, entry, number, entry->names);
}

static int compare_pids(const void *a, const void *b)
{
	const struct found *one = a, *other = b;

	return (one->pid > other->pid) - (one->pid < other->pid);
}

/* Those that an entry of the selection is about themselves; settle_rest() decides about all others. */
static void assign_found(struct targets *targets, const struct found *found, size_t nr)
{
	struct entry *entry;

	for (entry = targets->entries; entry; entry = entry->hh.next) {
		const struct found key = { .pid = entry->pid };
		const struct found *its =
			nr ? bsearch(&key, found, nr, sizeof(key), compare_pids) : NULL;

		entry->is_inherited = false;
		targets_assign(targets, entry, its ? its->number : SELECTION_NONE,
			       its ? its->names : 0);
	}
}

/* The rest is watched as its ancestors are, or not at all. */
static void settle_rest(struct targets *targets, uint64_t now_ns)
{
	struct entry *entry, *next;

	for (entry = targets->entries; entry; entry = entry->hh.next)
		if (entry->number == SELECTION_NONE && entry->is_descendant) {
			entry->is_inherited = true;
			targets_assign(targets, entry, number_of_ancestor(targets, entry->pid),
				       entry->names);
		}
	HASH_ITER (hh, targets->entries, entry, next)
		if (!selection_is_in(entry->number))
			targets_let_go(targets, entry, now_ns);
}

static void add_found(struct targets *targets, const struct found *found, targets_add_fn *add_pid)
{
	struct entry *entry;

	if (!selection_is_in(found->number) || add_pid(targets->ctx, found->pid))
		return;
	entry = entry_of_pid(targets, found->pid);
	if (entry)
		targets_assign(targets, entry, found->number, found->names);
}

int targets_search_selected(struct targets *targets, bool is_anew, targets_add_fn *add_pid,
			    uint64_t now_ns)
{
	cleanup_free struct found *found = NULL;
	int nr = find_in_child(look, targets->selection, sizeof(*found), &found);

	if (nr < 0)
		return nr;
	if (nr)
		qsort(found, (size_t)nr, sizeof(*found), compare_pids);
	if (is_anew) {
		assign_found(targets, found, (size_t)nr);
		settle_rest(targets, now_ns);
	}
	for (int i = 0; i < nr; i++)
		add_found(targets, &found[i], add_pid);
	return nr;
}
