/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections of AF_UNIX, which have no tracepoint of their own: the system calls that begin and end them.
 * Ends that these do not show (an exit, dup2(), the last holder of several) are found by the next look
 * through the descriptors (connection_scan.bpf.c).  And sockets that could not be made at all.
 */
#include "connection_unix.bpf.h"
#include "connect.bpf.h"

#define EINPROGRESS 115
#define EISCONN	    106
#define ENOENT	    2
#define EMFILE	    24
#define ENFILE	    23
#define EAGAIN	    11

__noinline u64 name_hash(const struct connection_peer *peer)
{
	u64 hash;
	int i;

	if (!peer)
		return 0;
	hash = peer->name_len;
	for (i = 0; i < CONNECTION_NAME_LEN / 4; i++)
		hash = hash_mix(hash, *(const u32 *)&peer->name[i * 4]);
	return hash | 1;
}

__noinline int unix_name_of(u64 sk_addr, struct connection_peer *peer)
{
	const struct unix_sock *sk = (const struct unix_sock *)sk_addr;
	struct unix_address *addr = sk ? BPF_CORE_READ(sk, addr) : NULL;
	u32 path_at = offsetof(struct sockaddr_un, sun_path), len;
	void *path;
	long got;

	if (!addr || !peer)
		return 0;
	path = (void *)addr + bpf_core_field_offset(struct unix_address, name) + path_at;
	got = bpf_probe_read_kernel_str(peer->name, sizeof(peer->name), path);
	peer->family = AF_UNIX;
	peer->name_len = got > 0 ? got - 1 : 0;
	if (got > 1)
		return 1;
	/* An abstract name: a NUL, then bytes that may be any, as many as its length says. */
	len = BPF_CORE_READ(addr, len) - path_at;
	if (!len || len > CONNECTION_NAME_LEN)
		return 0;
	peer->name_len = len;
	return !bpf_probe_read_kernel(peer->name, len, path);
}

__noinline int unix_end(u64 sk_addr, struct connection *connection)
{
	struct connection_slot *slot;
	u64 place;

	if (!connection)
		return 0;
	place = connection_set_class(connection, CLASS_NONE);
	slot = slot_get(place_slot(place));
	if (slot && class_is_open(place_class(place)))
		slot_note_end(slot, connection->since_ns);
	bpf_map_delete_elem(&unix_connections, &sk_addr);
	return 0;
}

static __always_inline struct target_entry *current_target(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&targets, &tgid);
}

/* The socket of a descriptor of the current task; NULL: it is none. */
static __always_inline struct sock *sock_of_file(struct file *file)
{
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline u32 failure_of_unix(long ret)
{
	return ret == -ECONNREFUSED || ret == -EAGAIN ? FAILURE_REFUSED :
	       ret == -ENOENT			      ? FAILURE_UNREACHABLE :
							FAILURE_OTHER;
}

/* A connect that failed leaves no peer: what was asked for is in its argument. */
static __always_inline bool name_as_given(struct connection_peer *peer, struct pt_regs *regs)
{
	u32 path_at = offsetof(struct sockaddr_un, sun_path);
	u32 len = (u32)regs->dx - path_at;
	void *path = (void *)(regs->si + path_at);
	long got = bpf_probe_read_user_str(peer->name, sizeof(peer->name), path);

	peer->family = AF_UNIX;
	peer->name_len = got > 0 ? got - 1 : 0;
	if (got > 1)
		return true;
	if (!len || len > CONNECTION_NAME_LEN)
		return false;
	peer->name_len = len;
	return !bpf_probe_read_user(peer->name, len, path);
}

SEC("tp/syscalls/sys_exit_connect")
int on_connect_exit(struct syscall_exit *ctx)
{
	struct target_entry *target = current_target();
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct connection_peer peer = { .kind = CONNECTION_OUT };
	struct connection *connection;
	struct connection_slot *slot;
	struct sock *sk;
	long ret = ctx->ret;
	u32 id;

	if (!target)
		return 0;
	sk = sock_of_file(task_file(task, (s32)regs->di));
	if (!sk || !unix_is_stream(sk) || ret == -EISCONN)
		return 0;
	if (ret ? !name_as_given(&peer, regs) :
		  !name_of_unix(BPF_CORE_READ((struct unix_sock *)sk, peer), &peer))
		return 0;
	id = connection_slot_find(target->target_id, &peer, name_hash(&peer));
	slot = slot_get(id);
	if (!slot)
		return 0;
	if (ret) {
		connect_begun(id);
		__sync_fetch_and_add(&slot->counts.failed[failure_of_unix(ret)], 1);
		return 0;
	}
	connection = unix_begin((u64)sk, task->tgid, target->target_id, id, CLASS_ESTABLISHED,
				bpf_ktime_get_ns());
	if (!connection)
		return 0;
	__sync_fetch_and_add(&slot->counts.completed, 1);
	connection->stack_id = connect_begun(id);
	return 0;
}

/* Whether the descriptor's table is the only one that has the file. */
static __always_inline bool is_last_reference(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) == 0;
	return BPF_CORE_READ(file, f_count.counter) == 1;
}

SEC("tp/syscalls/sys_enter_close")
int on_close_enter(struct syscall_enter *ctx)
{
	struct connection *connection;
	struct file *file;
	u64 sk_addr;

	if (!current_target())
		return 0;
	file = task_file(bpf_get_current_task_btf(), (s32)ctx->args[0]);
	sk_addr = (u64)sock_of_file(file);
	connection = sk_addr ? bpf_map_lookup_elem(&unix_connections, &sk_addr) : NULL;
	if (connection && is_last_reference(file))
		unix_end(sk_addr, connection);
	return 0;
}

SEC("tp/syscalls/sys_exit_socket")
int on_socket_exit(struct syscall_exit *ctx)
{
	struct connection_peer peer = { .kind = CONNECTION_PROCESS };
	struct connection_slot *slot;
	struct target_entry *target;

	if (ctx->ret != -EMFILE && ctx->ret != -ENFILE)
		return 0;
	target = current_target();
	if (!target)
		return 0;
	slot = slot_get(connection_slot_find(target->target_id, &peer, 0));
	if (slot)
		__sync_fetch_and_add(&slot->counts.failed[FAILURE_DESCRIPTORS], 1);
	return 0;
}
