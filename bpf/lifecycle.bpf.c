/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Processes come and go: a child of a target is watched before its first instruction, an exec or an
 * exit lets go, so that a reused pid never meets an old entry.  Should it meet one, the start time
 * tells.  What an exec means is in spawn.bpf.h.
 */
#include "loop.bpf.h"
#include "numbers.bpf.h"
#include "spawn.bpf.h"

/* Numbers handed out here and by the daemon must not meet: these start at KERNEL_TARGET_IDS. */
__u32 next_target_id = KERNEL_TARGET_IDS;
__s32 nr_candidates = 0; /* entries that are no targets (yet) */

/* Set by the daemon, also while it runs. */
__u8 tells_moves = 0, tells_moves_of_targets = 0;

static u64 ask_window_ns;
static u32 nr_asks; /* in the window; CPUs race for the last of them, and one more is asked */

static const struct target_entry no_entry;
static const struct ev_spawn no_spawn;

static __always_inline void end_loop(struct task_struct *task, struct loop_thread *th, u32 end, u64 now_ns)
{
	struct loop_counters *c;
	struct ev_loop_exit ev = {};
	u32 id;

	if (!th)
		return;
	loop_finish(th, task, end, now_ns, false);
	id = th->loop_id;
	c = bpf_map_lookup_elem(&loop_counters, &id);
	if (c)
		c->in_wait = 2; /* whoever looks before its record arrives, or instead of it */
	head_init(&ev.head, EV_LOOP_EXIT, sizeof(ev), now_ns, th->target_id, th->loop_id);
	ev.pid = process_number_of(task);
	ev.tid = number_of(task);
	/* The slot is free again when the daemon has read this; if it cannot, right now. */
	if (emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP)) {
		bpf_map_push_elem(&free_loop_ids, &id, BPF_ANY);
		__sync_fetch_and_add(&nr_loop_ids_taken, -1);
	}
	bpf_task_storage_delete(&loop_threads, task);
}

int loop_let_go(u64 now_ns)
{
	struct task_struct *task = bpf_get_current_task_btf();

	end_loop(task, loop_thread_of_target(task), ITERATION_EXIT, now_ns);
	return 0;
}

/* ---- entries ---- */

static __always_inline bool is_counted(const struct target_entry *entry)
{
	return entry->state != ENTRY_TARGET;
}

static __always_inline void remove(u32 tgid, struct target_entry *entry)
{
	bool counted = is_counted(entry);

	number_forget(entry->number);
	if (!bpf_map_delete_elem(&targets, &tgid) && counted)
		__sync_fetch_and_add(&nr_candidates, -1);
}

static __always_inline u32 make_target(struct target_entry *entry, u64 now_ns)
{
	if (is_counted(entry))
		__sync_fetch_and_add(&nr_candidates, -1);
	entry->state = ENTRY_TARGET;
	entry->layout.valid = 0;
	entry->is_forked = 0;
	entry->watched_ns = now_ns;
	entry->target_id = __sync_fetch_and_add(&next_target_id, 1);
	return entry->target_id;
}

/* Keeps the process in mind, or forgets it where that is too much. */
static __always_inline void keep(u32 tgid, struct target_entry *entry, u8 state)
{
	if (!is_counted(entry)) {
		if (nr_candidates >= (s32)cfg_max_candidates) {
			count(STAT_TARGETS_REFUSED);
			remove(tgid, entry);
			return;
		}
		__sync_fetch_and_add(&nr_candidates, 1);
	}
	entry->target_id = 0;
	entry->state = state;
	entry->layout.valid = 0;
}

/* Of a child: nobody else knows it yet. 0, or a negative errno: there is no room. */
static __always_inline long put(u32 tgid, const struct target_entry *entry)
{
	long err;

	target_hint(tgid);
	err = number_note(entry->number, tgid);
	if (!err)
		err = bpf_map_update_elem(&targets, &tgid, entry, BPF_ANY);
	if (err)
		number_forget(entry->number);
	return err;
}

/* A new entry for the process, of a target that has no id yet; NULL: the daemon cannot see it, or there is no room. */
static __always_inline struct target_entry *insert(u32 tgid, struct task_struct *task)
{
	u32 number = process_number_of(task);
	struct target_entry *entry;

	if (!number)
		return NULL;
	target_hint(tgid);
	if (number_note(number, tgid) || bpf_map_update_elem(&targets, &tgid, &no_entry, BPF_ANY)) {
		number_forget(number);
		count(STAT_TARGETS_REFUSED);
		return NULL;
	}
	entry = bpf_map_lookup_elem(&targets, &tgid);
	if (!entry)
		return NULL;
	entry->number = number;
	entry->start_ticks = start_ns_of(task) / USER_TICK_NS;
	return entry;
}

/* ---- what the daemon is told ---- */

static __always_inline void fill_args(struct ev_spawn *ev, struct task_struct *task)
{
	u64 start = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
	u32 bytes = end - start < EV_ARGS_BYTES ? end - start : EV_ARGS_BYTES;

	/* Just written by the exec, or else perhaps swapped out: then it has no name but comm. */
	if (end > start && bytes <= EV_ARGS_BYTES &&
	    !bpf_probe_read_user(ev->args, bytes, (void *)start))
		ev->args_bytes = bytes;
}

static __always_inline void tell_spawn(struct task_struct *task, const struct exe_key *key, u32 target_id,
				       u32 flags, u32 nr_asked, u64 now_ns)
{
	struct ev_spawn *ev;

	ev = emit_begin(sizeof(*ev));
	if (!ev)
		return; /* told again when it waits */
	bpf_probe_read_kernel(ev, sizeof(*ev), &no_spawn); /* too long for a memset of BPF's */
	head_init(&ev->head, EV_SPAWN, sizeof(*ev), now_ns, target_id, EV_NO_LOOP);
	ev->exe = *key;
	ev->start_ns = start_ns_of(task);
	ev->pid = process_number_of(task);
	ev->flags = flags;
	ev->nr_asked = nr_asked;
	BPF_CORE_READ_STR_INTO(&ev->comm, task, group_leader, comm);
	if (!(flags & SPAWN_MOVED))
		fill_args(ev, task);
	emit_end(ev, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void tell_exec(u32 pid, u32 old_id, u32 new_id, u64 now_ns)
{
	struct ev_exec ev = {};

	head_init(&ev.head, EV_EXEC, sizeof(ev), now_ns, old_id, EV_NO_LOOP);
	ev.pid = pid;
	ev.new_target_id = new_id;
	/* What is let go needs nobody at once; what is to be identified wakes the daemon with its ev_spawn. */
	emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP);
}

/* ---- exec ---- */

/* Whether an unknown executable may be asked about now; else when it waits. */
static __always_inline bool may_ask(const struct exe_state *known, u64 now_ns)
{
	if (known && known->kind == EXE_UNKNOWN && now_ns < known->until_ns)
		return false;
	if (now_ns - ask_window_ns > 1000000000) {
		ask_window_ns = now_ns;
		nr_asks = 0;
	}
	if (nr_asks >= EXEC_ASKS_A_SECOND)
		return false;
	nr_asks++;
	return true;
}

/* What the process, which runs the file from now on, is to be: an enum entry_state. */
static __always_inline u32 state_after_exec(const struct exe_key *key, u64 now_ns)
{
	struct exe_state *known = bpf_map_lookup_elem(&exes, key);
	u32 kind = EXE_UNKNOWN;

	if (known && (!known->until_ns || now_ns < known->until_ns))
		kind = known->kind;
	if (kind == EXE_PYTHON)
		return ENTRY_TARGET;
	if (kind == EXE_OTHER)
		return ENTRY_LINEAGE;
	return may_ask(known, now_ns) ? ENTRY_TARGET : ENTRY_CANDIDATE;
}

static __always_inline bool is_known_python(const struct exe_key *key)
{
	struct exe_state *known = bpf_map_lookup_elem(&exes, key);

	return known && known->kind == EXE_PYTHON;
}

/* The entry of the process, of this life of its number; NULL: none. */
static __always_inline struct target_entry *entry_of(u32 tgid, struct task_struct *task)
{
	struct target_entry *entry = target_of(tgid);

	if (!entry || !is_other_life(entry, task))
		return entry;
	count(STAT_EVENTS_MISSED); /* the end of the other one */
	remove(tgid, entry);
	return NULL;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	u32 tgid = task->tgid, old_id, new_id = 0, state, is_descendant, number;
	struct target_entry *entry = entry_of(tgid, task);
	struct exe_key key = {};
	u64 now_ns;

	if (!entry && !cfg_finds_new)
		return 0;
	now_ns = bpf_ktime_get_ns();
	exe_key_read(task, &key);
	state = state_after_exec(&key, now_ns);
	if (!entry && state == ENTRY_LINEAGE)
		return 0; /* nearly always, on a host that starts many */
	old_id = entry ? entry->target_id : 0;
	if (entry) /* one that was let go of may have a loop yet */
		end_loop(task, loop_thread_of_target(task), ITERATION_EXIT, now_ns);
	else
		entry = insert(tgid, task);
	if (!entry)
		return 0;
	number = entry->number;
	/* Whoever may not be what is looked for, nobody has said yet, hands nothing on to the program that follows. */
	is_descendant = entry->is_descendant |= old_id != 0 && entry->layout.valid;
	entry->nr_asked = 0;
	entry->ask_after_ns = 0;
	entry->is_python = state == ENTRY_TARGET && is_known_python(&key);
	if (state == ENTRY_TARGET)
		new_id = make_target(entry, now_ns);
	else if (state == ENTRY_CANDIDATE || is_descendant)
		keep(tgid, entry, state);
	else
		remove(tgid, entry);
	if (old_id)
		tell_exec(number, old_id, new_id, now_ns);
	if (new_id)
		tell_spawn(task, &key, new_id, is_descendant ? SPAWN_DESCENDANT : 0, 0, now_ns);
	return 0;
}

int spawn_waits(u64 now_ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = task->tgid;
	struct target_entry *entry = entry_of(tgid, task);
	struct exe_key key = {};

	if (!entry || entry->state >= ENTRY_LINEAGE || entry->layout.valid || entry->nr_asked >= SPAWN_ASKS ||
	    now_ns < entry->ask_after_ns)
		return 0;
	if (entry->state == ENTRY_CANDIDATE)
		make_target(entry, now_ns);
	entry->ask_after_ns = now_ns + (20000000ULL << (2 * (entry->nr_asked & 3)));
	entry->nr_asked++;
	exe_key_read(task, &key);
	tell_spawn(task, &key, entry->target_id,
		   SPAWN_WAITS | (entry->is_descendant ? SPAWN_DESCENDANT : 0), entry->nr_asked, now_ns);
	return 0;
}

#define MOVE_GAP_NS 100000000 /* a target's moves are told of once in this time; the daemon looks again after it */

/* Whether a move of a process that is known has to be told of: it may be a target no more, or again. */
static __always_inline bool is_move_news(struct target_entry *entry, u64 now_ns)
{
	if (entry->state != ENTRY_TARGET)
		return entry->state != ENTRY_LINEAGE;
	if (!tells_moves_of_targets || !entry->layout.valid || now_ns < entry->ask_after_ns)
		return false;
	entry->ask_after_ns = now_ns + MOVE_GAP_NS;
	return true;
}

/* A process that was moved into another cgroup, perhaps one that is watched; loaded only if cgroups matter. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_cgroup_attach, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct target_entry *entry = entry_of(tgid, task);
	struct exe_key key = {};
	struct exe_state *known;
	u64 now_ns;

	if (!tells_moves)
		return 0;
	now_ns = bpf_ktime_get_ns();
	if ((entry && !is_move_news(entry, now_ns)) || !exe_key_read(task, &key))
		return 0;
	known = bpf_map_lookup_elem(&exes, &key);
	if (known && known->kind == EXE_OTHER)
		return 0;
	if (!entry)
		entry = insert(tgid, task);
	if (!entry)
		return 0;
	if (!entry->target_id)
		make_target(entry, now_ns);
	tell_spawn(task, &key, entry->target_id, SPAWN_MOVED, 0, now_ns);
	return 0;
}

/* ---- fork and exit ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 parent_tgid = parent->tgid, child_tgid = child->tgid;
	struct target_entry *target, entry;
	struct ev_fork ev = {};

	if (parent_tgid == child_tgid)
		return 0;
	target = target_of(parent_tgid);
	if (!target || target->state == ENTRY_LET_GO || is_other_life(target, parent))
		return 0;
	entry = *target;
	entry.is_forked = 1;
	entry.nr_asked = 0;
	entry.ask_after_ns = 0;
	if (entry.state == ENTRY_TARGET && !entry.is_descendant && !entry.layout.valid && !entry.is_python)
		entry.state = ENTRY_CANDIDATE; /* as its parent is, most likely */
	entry.is_descendant |= entry.state == ENTRY_TARGET;
	entry.start_ticks = start_ns_of(child) / USER_TICK_NS;
	entry.number = process_number_of(child);
	*unix_hint(child_tgid) |= *unix_hint(parent_tgid);
	if (is_counted(&entry)) {
		entry.target_id = 0;
		if (nr_candidates >= (s32)cfg_max_candidates || put(child_tgid, &entry))
			count(STAT_TARGETS_REFUSED);
		else
			__sync_fetch_and_add(&nr_candidates, 1);
		return 0;
	}
	entry.watched_ns = bpf_ktime_get_ns();
	entry.target_id = __sync_fetch_and_add(&next_target_id, 1);
	if (put(child_tgid, &entry)) {
		count(STAT_TARGETS_REFUSED);
		return 0;
	}
	/* What it execs next is most often the same Python again. */
	if (entry.layout.valid)
		exe_learn(parent);
	head_init(&ev.head, EV_FORK, sizeof(ev), entry.watched_ns, entry.target_id, EV_NO_LOOP);
	ev.parent_pid = target->number;
	ev.child_pid = entry.number;
	ev.parent_target_id = target->target_id;
	ev.is_readable = entry.layout.valid;
	ev.start_ns = start_ns_of(child);
	emit(&ev, sizeof(ev), BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct target_entry *target;
	u64 now_ns = bpf_ktime_get_ns();
	struct ev_exit ev = {};

	end_loop(task, loop_thread_of(task), ITERATION_EXIT, now_ns);
	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0; /* other threads of it live on */
	target = target_of(tgid);
	if (!target)
		return 0;
	if (target->target_id) {
		head_init(&ev.head, EV_EXIT, sizeof(ev), now_ns, target->target_id, EV_NO_LOOP);
		ev.pid = target->number;
		ev.exit_code = task->exit_code;
		emit(&ev, sizeof(ev), BPF_RB_FORCE_WAKEUP);
	}
	remove(tgid, target);
	return 0;
}
