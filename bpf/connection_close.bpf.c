/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Descriptors that a process lets go of: the ends of AF_UNIX's streams, and what the collector closes.  What no
 * call of the owner shows (an exec, the last of several holders that lets go) is found by the next look through the
 * descriptors (connection_scan.bpf.c).
 *
 * A process without a stream, and without a loop, pays a byte.
 */
#include "connection_unix.bpf.h"
#include "connect.bpf.h"

#define EBADF 9

/*
 * The file of the connection's socket, as long as somebody has it; NULL: it is no more.  What is read may be free by
 * now, or another's: the number of its inode tells.
 */
static __always_inline struct file *file_of(struct connection *connection)
{
	struct sock *sk = (struct sock *)connection->sk_addr;
	struct file *file = BPF_CORE_READ(sk, sk_socket, file);

	if (!file || connection->inode != (u32)BPF_CORE_READ(file, f_inode, i_ino))
		return NULL;
	return file;
}

/* Its references but for one; negative: it has none, and is only waiting to be taken apart. */
static __always_inline long other_references(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter);
	return BPF_CORE_READ(file, f_count.counter) - 1;
}

/* The search for another descriptor of a file in the current process. */
struct search {
	struct file **table, *file;
	s32 found; /* -1: not */
};

static long is_descriptor(u32 fd, struct search *search)
{
	struct file *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), search->table + fd);
	if (file != search->file)
		return 0;
	search->found = fd;
	return 1;
}

#define MAX_SEARCHED 4096 /* descriptors; past them, the next look finds it */

/* The owner, which is the current process, has let go of the descriptor that was known; the file is there still. */
static __always_inline void know_another(struct connection *connection, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct search search = { BPF_CORE_READ(fdt, fd), file, -1 };
	u32 nr = BPF_CORE_READ(fdt, max_fds);

	bpf_loop(nr < MAX_SEARCHED ? nr : MAX_SEARCHED, is_descriptor, &search, 0);
	if (search.found >= 0)
		unix_descriptor_know(connection, search.found);
}

/* The current process has let go of what its descriptor was. */
__noinline int unix_let_go(s32 fd)
{
	struct unix_descriptor key = { bpf_get_current_pid_tgid() >> 32, fd };
	u64 *known = bpf_map_lookup_elem(&unix_descriptors, &key), sk_addr;
	struct connection *connection;
	struct file *file;

	if (!known)
		return 0;
	sk_addr = *known;
	connection = bpf_map_lookup_elem(&unix_connections, &sk_addr);
	if (!connection) {
		bpf_map_delete_elem(&unix_descriptors, &key);
		return 0;
	}
	unix_descriptor_forget(connection);
	file = file_of(connection);
	if (file && other_references(file) >= 0)
		know_another(connection, file);
	else
		unix_end(sk_addr, connection, UNIX_END_CALL);
	return 0;
}

/* What the collector closes counts for the process, unless it is a connection: connection_closed_by_gc(). */
static __always_inline void note_collected(struct target_entry *target)
{
	struct connection_peer peer = { .kind = CONNECTION_PROCESS };
	struct connection_slot *slot = slot_get(connection_slot_find(target->target_id, &peer, 0));

	if (slot)
		__sync_fetch_and_add(&slot->counts.closed_by_gc, 1);
}

/*
 * When close() returns, its process's table does not say any more what the descriptor was.  A hook on the entry
 * would see it, and make every system call of the host dearer (decision 0001).
 */
SEC("tp/syscalls/sys_exit_close")
int on_close_exit(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target_entry *target;
	u32 tgid = task->tgid;
	struct loop_thread *th;

	if (!target_hints[tgid & (TARGET_HINTS - 1)] || ctx->ret == -EBADF)
		return 0;
	if (*unix_hint(tgid))
		unix_let_go((s32)((struct pt_regs *)bpf_task_pt_regs(task))->di);
	th = bpf_task_storage_get(&loop_threads, task, 0, 0);
	if (!th || (th->has_gc_probes && !th->gc_start_ns))
		return 0;
	target = counted_target(tgid);
	if (target && connect_is_in_gc(target, th) && !pyending_is_ending(&target->layout))
		note_collected(target);
	return 0;
}

/* dup2 and dup3 put the file of one descriptor in the place of another's. */
SEC("tp/syscalls/sys_exit_dup2")
int on_dup_exit(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	u32 tgid = task->tgid;

	if (!*unix_hint(tgid) || ctx->ret < 0)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if ((s32)regs->di != (s32)regs->si)
		unix_let_go((s32)regs->si);
	return 0;
}

/* A process ends that may have had some, and closes its table of files next. */
static long end_of_process(void *map, u64 *key, struct connection *connection, u32 *tgid)
{
	struct file *file;

	if (connection->tgid != *tgid)
		return 0;
	file = file_of(connection);
	/* Another process has it: who that is finds the next look, if it is a target. */
	if (file && other_references(file) > 0)
		return 0;
	unix_end(*key, connection, UNIX_END_EXIT);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_streams, struct task_struct *task)
{
	u32 tgid = task->tgid;

	if (*unix_hint(tgid) && BPF_CORE_READ(task, signal, live.counter) <= 0)
		bpf_for_each_map_elem(&unix_connections, end_of_process, &tgid, 0);
	return 0;
}
