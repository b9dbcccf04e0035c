/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the daemon writes into the kernel half's table of processes.  Both halves write it: each change
 * here is of an entry that still has the target_id it is about, and never brings one back that the
 * kernel half has removed.
 */
#include "entries.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "clock.h"
#include "entry.h"
#include "probes.h"
#include "util.h"

static void count_candidate(const struct entries *entries, int change)
{
	__atomic_fetch_add(entries->nr_candidates, change, __ATOMIC_RELAXED);
}

/* 0; -ENOENT; -ESTALE: of another image. */
static int find(const struct entries *entries, pid_t pid, uint32_t target_id, struct target_entry *entry)
{
	uint32_t key = numbers_known(&entries->numbers, pid);

	if (!key || bpf_map_lookup_elem(entries->targets_fd, &key, entry))
		return -ENOENT;
	return entry->target_id == target_id ? 0 : -ESTALE;
}

static int put(const struct entries *entries, pid_t pid, const struct target_entry *entry, uint64_t flags)
{
	uint32_t key = numbers_known(&entries->numbers, pid);

	return key ? bpf_map_update_elem(entries->targets_fd, &key, entry, flags) : -ENOENT;
}

/* Takes the place of a candidate too. */
static int watch(struct probes *probes, pid_t pid, uint32_t target_id, uint64_t start_ticks,
		 const struct py_layout *layout)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry = { 0 };
	uint32_t key = numbers_find(&entries.numbers, pid);
	int err = find(&entries, pid, target_id, &entry);
	bool was_candidate = err != -ENOENT && entry.state != ENTRY_TARGET;

	if (!key)
		return -ESRCH;
	if (err == -ESTALE && !was_candidate)
		return err;
	entry.number = (uint32_t)pid;
	entry.target_id = target_id;
	entry.state = ENTRY_TARGET;
	entry.is_forked = 0;
	entry.watched_ns = clock_host_ns();
	/* The answer is on its way: what the process does until then needs not be told. */
	entry.ask_after_ns = entry.watched_ns + 20 * NSEC_PER_MSEC;
	if (start_ticks)
		entry.start_ticks = start_ticks;
	if (layout)
		entry.layout = *layout;
	entries.hints[key % entries.nr_hints] = HINT_SET; /* before the entry */
	err = put(&entries, pid, &entry, BPF_ANY);
	if (!err && was_candidate)
		count_candidate(&entries, -1);
	return err;
}

int probes_watch(struct probes *probes, pid_t pid, uint32_t target_id, const struct py_layout *layout)
{
	return watch(probes, pid, target_id, 0, layout);
}

int probes_watch_life(struct probes *probes, pid_t pid, uint32_t target_id, uint64_t start_ticks)
{
	return watch(probes, pid, target_id, start_ticks, NULL);
}

int probes_identify(struct probes *probes, pid_t pid, uint32_t target_id, const struct py_layout *layout)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	int err = find(&entries, pid, target_id, &entry);

	if (err)
		return err;
	entry.is_forked = 0;
	entry.watched_ns = clock_host_ns();
	entry.layout = *layout;
	return put(&entries, pid, &entry, BPF_EXIST);
}

int probes_update_layout(struct probes *probes, pid_t pid, uint32_t target_id,
			 const struct py_layout *layout)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	int err = find(&entries, pid, target_id, &entry);

	if (err)
		return err;
	if (!entry.layout.valid)
		return -ESTALE;
	entry.layout = *layout;
	return put(&entries, pid, &entry, BPF_EXIST);
}

int probes_keep(struct probes *probes, pid_t pid, uint32_t target_id, bool is_lineage)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	int err = find(&entries, pid, target_id, &entry);

	if (err)
		return err;
	entry.target_id = 0;
	entry.state = is_lineage ? ENTRY_LINEAGE : ENTRY_CANDIDATE;
	entry.is_descendant |= is_lineage;
	entry.layout.valid = 0;
	err = put(&entries, pid, &entry, BPF_EXIST);
	if (!err)
		count_candidate(&entries, 1);
	return err;
}

int probes_set_descendant(struct probes *probes, pid_t pid, uint32_t target_id)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	int err = find(&entries, pid, target_id, &entry);

	if (err)
		return err;
	entry.is_descendant = 1;
	return put(&entries, pid, &entry, BPF_EXIST);
}

int probes_unwatch(struct probes *probes, pid_t pid, uint32_t target_id)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	uint32_t key = numbers_known(&entries.numbers, pid);
	int err = find(&entries, pid, target_id, &entry);

	if (err)
		return err;
	/* First: whom the kernel half adds once the entry is gone, it makes known again. */
	numbers_forget(&entries.numbers, pid);
	return bpf_map_delete_elem(entries.targets_fd, &key);
}

int probes_let_go(struct probes *probes, pid_t pid, uint32_t target_id)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	int err = find(&entries, pid, target_id, &entry);

	if (err)
		return err;
	entry.target_id = 0;
	entry.state = ENTRY_LET_GO;
	entry.is_descendant = 0;
	entry.layout.valid = 0;
	err = put(&entries, pid, &entry, BPF_EXIST);
	if (!err)
		count_candidate(&entries, 1);
	return err;
}

uint32_t probes_watched(const struct probes *probes, pid_t pid)
{
	struct entries entries = probes_entries(probes);
	struct target_entry entry;
	uint32_t key = numbers_known(&entries.numbers, pid);

	return !key || bpf_map_lookup_elem(entries.targets_fd, &key, &entry) ? 0 : entry.target_id;
}

uint32_t probes_candidates(const struct probes *probes)
{
	return (uint32_t)__atomic_load_n(probes_entries(probes).nr_candidates, __ATOMIC_RELAXED);
}

/* ---- executables ---- */

#define OTHER_NS	  (600 * NSEC_PER_SEC) /* a file can be written anew in place */
#define FIRST_HOLD_NS	  NSEC_PER_SEC
#define MAX_HOLD_DOUBLING 6

void probes_learn_exe(struct probes *probes, const struct exe_key *exe, enum exe_kind kind)
{
	struct exe_state state = { .kind = kind };

	if (kind == EXE_OTHER)
		state.until_ns = clock_host_ns() + OTHER_NS;
	bpf_map_update_elem(probes_entries(probes).exes_fd, exe, &state, BPF_ANY);
}

void probes_hold_exe(struct probes *probes, const struct exe_key *exe)
{
	int fd = probes_entries(probes).exes_fd;
	struct exe_state state = { 0 };

	if (!bpf_map_lookup_elem(fd, exe, &state) && state.kind != EXE_UNKNOWN)
		return;
	state.until_ns = clock_host_ns() + (FIRST_HOLD_NS << min(state.nr_gone, (uint32_t)MAX_HOLD_DOUBLING));
	state.nr_gone++;
	bpf_map_update_elem(fd, exe, &state, BPF_ANY);
}
