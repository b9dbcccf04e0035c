/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Streams of AF_UNIX, which have no tracepoint of their own: the system calls that begin them; what ends them is in
 * connection_close.bpf.c.  And sockets that could not be made at all, and TCP that had no way to go.
 *
 * A process without such a socket pays a byte.
 */
#include "connection_unix.bpf.h"
#include "connect.bpf.h"

#define EISCONN	    106
#define EINPROGRESS 115
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

__noinline int unix_descriptor_know(struct connection *connection, s32 fd)
{
	struct unix_descriptor key = { .fd = fd };
	u64 sk_addr;

	if (!connection || connection->descriptor)
		return 0;
	key.tgid = connection->tgid;
	sk_addr = connection->sk_addr;
	connection->descriptor = fd + 1;
	bpf_map_update_elem(&unix_descriptors, &key, &sk_addr, BPF_ANY); /* full: the next look sees its end */
	return 0;
}

__noinline int unix_descriptor_forget(struct connection *connection)
{
	struct unix_descriptor key = {};
	u64 *sk_addr;

	if (!connection || !connection->descriptor)
		return 0;
	key.tgid = connection->tgid;
	key.fd = connection->descriptor - 1;
	connection->descriptor = 0;
	sk_addr = bpf_map_lookup_elem(&unix_descriptors, &key);
	if (sk_addr && *sk_addr == connection->sk_addr) /* else that number is another's by now */
		bpf_map_delete_elem(&unix_descriptors, &key);
	return 0;
}

__noinline int unix_end(u64 sk_addr, struct connection *connection, u32 by)
{
	struct connection_slot *slot;
	u64 place;

	if (!connection)
		return 0;
	place = connection_set_class(connection, CLASS_NONE);
	slot = slot_get(place_slot(place));
	unix_descriptor_forget(connection);
	bpf_map_delete_elem(&unix_connections, &sk_addr);
	if (!slot || !class_is_open(place_class(place)))
		return 0;
	slot_note_end(slot, connection->since_ns);
	if (by == UNIX_END_CALL)
		note_closer(slot);
	else if (by == UNIX_END_EXIT)
		__sync_fetch_and_add(&slot->counts.closed_at_exit, 1);
	return 0;
}

__noinline int unix_begin(const struct unix_stream *stream, u64 owner, u64 place, u64 since_ns)
{
	struct connection *connection, fresh = {};
	u64 sk_addr;

	if (!stream)
		return 0;
	sk_addr = stream->sk_addr;
	connection = bpf_map_lookup_elem(&unix_connections, &sk_addr);
	fresh.tgid = owner >> 32;
	*unix_hint(fresh.tgid) = 1;
	if (connection && connection->inode == stream->inode)
		return 0;
	if (connection)
		unix_end(sk_addr, connection, UNIX_END_FOUND);
	fresh.sk_addr = sk_addr;
	fresh.inode = stream->inode;
	fresh.place = place_of(place_slot(place), CLASS_NONE);
	fresh.target_id = owner;
	fresh.since_ns = since_ns;
	fresh.owner_round = connection_scan.round;
	if (bpf_map_update_elem(&unix_connections, &sk_addr, &fresh, BPF_NOEXIST)) {
		if (!bpf_map_lookup_elem(&unix_connections, &sk_addr)) /* the table is full */
			count(STAT_CONNECTIONS_MISSED);
		return 0;
	}
	connection = bpf_map_lookup_elem(&unix_connections, &sk_addr);
	if (connection) {
		connection_set_class(connection, place_class(place));
		unix_descriptor_know(connection, stream->fd);
	}
	return 1;
}

static __always_inline bool is_socket(struct file *file)
{
	return file && (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK;
}

static __always_inline void find_stream(struct unix_stream *out, struct task_struct *task, s32 fd)
{
	struct file *file = task_file(task, fd);
	struct socket *socket;
	struct sock *sk;

	out->sk_addr = 0;
	if (!is_socket(file))
		return;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || !unix_is_stream(sk))
		return;
	out->sk_addr = (u64)sk;
	out->inode = BPF_CORE_READ(file, f_inode, i_ino);
	out->fd = fd;
}

static __always_inline struct target_entry *target_of_task(struct task_struct *task)
{
	u32 tgid = task->tgid;

	return counted_target(tgid);
}

/* A stream of the current process, which is that target, has become one of that place just now. */
static __always_inline int begin_now(const struct unix_stream *stream, u32 target_id, u32 slot, u32 class)
{
	u64 owner = (bpf_get_current_pid_tgid() >> 32 << 32) | target_id;

	return unix_begin(stream, owner, place_of(slot, class), bpf_ktime_get_ns());
}

static __always_inline u32 failure_of_call(long ret)
{
	switch (ret) {
	case -ECONNREFUSED:
	case -EAGAIN:
		return FAILURE_REFUSED;
	case -ENOENT:
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return FAILURE_UNREACHABLE;
	}
	return FAILURE_OTHER;
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

/* Nearly all are TCP's: what was asked for tells. */
static __always_inline bool asks_for_unix(struct pt_regs *regs)
{
	u16 family = 0;

	return !bpf_probe_read_user(&family, sizeof(family), (void *)regs->si) && family == AF_UNIX;
}

/* The stream of AF_UNIX, and what it is connected to or was to be. */
static __always_inline bool find_asked(struct unix_stream *stream, struct connection_peer *peer,
				       struct task_struct *task, struct pt_regs *regs, long ret)
{
	struct unix_sock *sk;

	find_stream(stream, task, (s32)regs->di);
	sk = (struct unix_sock *)stream->sk_addr;
	if (!sk)
		return false;
	return ret ? name_as_given(peer, regs) : name_of_unix(BPF_CORE_READ(sk, peer), peer);
}

/*
 * TCP that the kernel knew no way for: it has not begun, so there is no change of state that would tell.  What had
 * begun was given a hash for its packets, and failed by a change of state.
 */
static __always_inline bool find_unrouted(struct connection_peer *peer, struct task_struct *task,
					  struct pt_regs *regs)
{
	struct file *file = task_file(task, (s32)regs->di);
	struct socket *socket;
	struct sock *sk;

	if (!is_socket(file))
		return false;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	return sk && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP && !BPF_CORE_READ(sk, sk_txhash) &&
	       peer_as_asked(regs->si, peer);
}

SEC("tp/syscalls/sys_exit_connect")
int on_connect_exit(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct connection_peer peer = { .kind = CONNECTION_OUT };
	struct connection_slot *slot;
	struct unix_stream stream = {};
	u32 tgid = task->tgid;
	struct target_entry *target;
	struct pt_regs *regs;
	long ret = ctx->ret;
	bool is_unrouted;
	u32 id;

	/* What goes on is no stream of AF_UNIX. */
	if (ret == -EISCONN || ret == -EINPROGRESS || !target_hints[tgid & (TARGET_HINTS - 1)])
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	is_unrouted = ret == -ENETUNREACH || ret == -EHOSTUNREACH;
	if (!is_unrouted && !asks_for_unix(regs))
		return 0;
	target = counted_target(tgid);
	if (!target)
		return 0;
	if (is_unrouted ? !find_unrouted(&peer, task, regs) : !find_asked(&stream, &peer, task, regs, ret))
		return 0;
	id = connection_slot_find(target->target_id, &peer, is_unrouted ? 0 : name_hash(&peer));
	slot = slot_get(id);
	if (!slot)
		return 0;
	if (ret) {
		connect_begun(id);
		__sync_fetch_and_add(&slot->counts.failed[failure_of_call(ret)], 1);
		return 0;
	}
	if (begin_now(&stream, target->target_id, id, CLASS_ESTABLISHED)) {
		__sync_fetch_and_add(&slot->counts.completed, 1);
		connect_begun(id);
	}
	return 0;
}

/* A descriptor of the current process, which is a target, is a stream that listens or was accepted. */
__noinline int unix_begin_inbound(s32 fd, u32 class)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target_entry *target = target_of_task(task);
	struct connection_peer peer = { .kind = CONNECTION_IN };
	struct connection_slot *slot;
	struct unix_stream stream = {};
	u32 id;

	if (!target)
		return 0;
	find_stream(&stream, task, fd);
	if (!stream.sk_addr || !name_of_unix((struct sock *)stream.sk_addr, &peer))
		return 0;
	id = connection_slot_find(target->target_id, &peer, name_hash(&peer));
	slot = slot_get(id);
	if (!slot)
		return 0;
	if (begin_now(&stream, target->target_id, id, class) && class == CLASS_ESTABLISHED) {
		__sync_fetch_and_add(&slot->counts.begun, 1);
		__sync_fetch_and_add(&slot->counts.completed, 1);
	}
	return 0;
}

/* accept and accept4. Whose listening stream it came to has its hint set. */
SEC("tp/syscalls/sys_exit_accept4")
int on_accept_exit(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = task->tgid;

	if (*unix_hint(tgid) && ctx->ret >= 0)
		unix_begin_inbound((s32)ctx->ret, CLASS_ESTABLISHED);
	return 0;
}

SEC("tp/syscalls/sys_exit_listen")
int on_listen_exit(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;

	if (ctx->ret || !target_of_task(task))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	unix_begin_inbound((s32)regs->di, CLASS_LISTEN);
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
	target = target_of_task(bpf_get_current_task_btf());
	if (!target)
		return 0;
	slot = slot_get(connection_slot_find(target->target_id, &peer, 0));
	if (slot)
		__sync_fetch_and_add(&slot->counts.failed[FAILURE_DESCRIPTORS], 1);
	return 0;
}
