/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Says what a descriptor of a sleeping thread is, from kernel memory and while its call still runs:
 * the peer of a socket, the path of a file.  Nothing of it can be changed by a race with close().
 */
#include "object.bpf.h"

#define PATH_MAX_DEPTH	   16 /* components of a path that are kept */
#define COMPONENT_MAX	   63

/* Appends a path component and its NUL to name[]. 0: it fitted. */
static __always_inline int add_component(struct ev_object *object, const unsigned char *name)
{
	u32 used = object->name_len;
	u8 next = 0;
	long got;

	if (used > EV_PATH_LEN - COMPONENT_MAX - 1) {
		object->flags |= OBJECT_NAME_CUT;
		return -1;
	}
	got = bpf_probe_read_kernel_str(&object->name[used], COMPONENT_MAX + 1, name);
	if (got <= 0)
		return -1;
	object->name_len = used + (got & 0x7f);
	if (got == COMPONENT_MAX + 1)
		bpf_probe_read_kernel(&next, sizeof(next), name + COMPONENT_MAX);
	if (next)
		object->flags |= OBJECT_NAME_CUT;
	return 0;
}

/* How far the walk over a path is, and where it ends; addresses. */
struct path_walk {
	u64 dentry, mount, root, root_mount;
};

enum { PATH_GOES_ON = 0, PATH_ENDS = 1 };

/* A step of it, of which the verifier needs to see one. */
__noinline int path_step(struct ev_object *object, struct path_walk *at)
{
	struct dentry *dentry, *parent, *mnt_root;
	struct mount *mnt, *mnt_parent;
	struct vfsmount *vfsmnt;

	if (!object || !at)
		return PATH_ENDS;
	dentry = (struct dentry *)at->dentry;
	vfsmnt = (struct vfsmount *)at->mount;
	if (at->dentry == at->root && at->mount == at->root_mount)
		return PATH_ENDS;
	mnt_root = BPF_CORE_READ(vfsmnt, mnt_root);
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == mnt_root || dentry == parent) {
		mnt = (void *)vfsmnt - bpf_core_field_offset(struct mount, mnt);
		mnt_parent = BPF_CORE_READ(mnt, mnt_parent);
		if (mnt_parent == mnt)
			return PATH_ENDS;
		at->dentry = (u64)BPF_CORE_READ(mnt, mnt_mountpoint);
		at->mount = (u64)mnt_parent + bpf_core_field_offset(struct mount, mnt);
		return PATH_GOES_ON;
	}
	if (add_component(object, BPF_CORE_READ(dentry, d_name.name)))
		return PATH_ENDS;
	at->dentry = (u64)parent;
	return PATH_GOES_ON;
}

/* The components from the file outward to the task's root, mounts crossed. */
static __always_inline void read_path(struct ev_object *object, struct file *file,
				      struct task_struct *task)
{
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct path_walk at = {
		.dentry = (u64)BPF_CORE_READ(file, f_path.dentry),
		.mount = (u64)BPF_CORE_READ(file, f_path.mnt),
		.root = (u64)BPF_CORE_READ(fs, root.dentry),
		.root_mount = (u64)BPF_CORE_READ(fs, root.mnt),
	};
	int i;

	for (i = 0; i < PATH_MAX_DEPTH; i++)
		if (path_step(object, &at) == PATH_ENDS)
			return;
	object->flags |= OBJECT_NAME_CUT;
}

static __always_inline void read_unix_socket(struct ev_object *object, struct sock *sk)
{
	struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	struct unix_address *addr;
	u32 path_at = offsetof(struct sockaddr_un, sun_path), len;
	void *path;
	long got;

	addr = BPF_CORE_READ((struct unix_sock *)(peer ? peer : sk), addr);
	if (!addr)
		return;
	path = (void *)addr + bpf_core_field_offset(struct unix_address, name) + path_at;
	got = bpf_probe_read_kernel_str(object->name, sizeof(object->name) - 1, path);
	if (got > 1) {
		object->name_len = got;
		return;
	}
	/* An abstract address: a NUL, then bytes that may be any, as many as its length says. */
	len = BPF_CORE_READ(addr, len) - path_at;
	if (len <= SUN_PATH_BYTES && !bpf_probe_read_kernel(object->name, len, path))
		object->name_len = len;
}

static __always_inline void read_socket(struct ev_object *object, struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);
	bool is_listening = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
	u32 v4;

	object->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	object->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (object->family == AF_UNIX) {
		read_unix_socket(object, sk);
		return;
	}
	if (object->family != AF_INET && object->family != AF_INET6)
		return;
	if (is_listening) {
		object->flags |= OBJECT_LISTENING;
		object->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	} else {
		object->port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	if (object->family == AF_INET) {
		v4 = is_listening ? BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr) :
				    BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(object->addr, &v4, sizeof(v4));
	} else if (is_listening) {
		BPF_CORE_READ_INTO(&object->addr, sk, __sk_common.skc_v6_rcv_saddr);
	} else {
		BPF_CORE_READ_INTO(&object->addr, sk, __sk_common.skc_v6_daddr);
	}
}

static __always_inline u8 object_kind_of(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFSOCK:
		return OBJECT_SOCKET;
	case S_IFREG:
		return OBJECT_FILE;
	case S_IFDIR:
		return OBJECT_DIR;
	case S_IFIFO:
		return OBJECT_PIPE;
	case S_IFCHR:
		return OBJECT_CHAR;
	case S_IFBLK:
		return OBJECT_BLOCK;
	}
	return OBJECT_ANON;
}

__noinline int object_read(struct ev_object *object, s32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file *file = task_file(task, fd);
	struct inode *inode;

	if (!object || !file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	object->kind = object_kind_of(BPF_CORE_READ(inode, i_mode));
	object->inode = BPF_CORE_READ(inode, i_ino);
	object->rdev = BPF_CORE_READ(inode, i_rdev);
	if (BPF_CORE_READ(file, f_flags) & O_NONBLOCK_FLAG)
		object->flags |= OBJECT_NONBLOCK;
	switch (object->kind) {
	case OBJECT_SOCKET:
		read_socket(object, file);
		break;
	case OBJECT_FILE:
	case OBJECT_DIR:
	case OBJECT_CHAR:
	case OBJECT_BLOCK:
		read_path(object, file, task);
		break;
	case OBJECT_ANON:
		add_component(object, BPF_CORE_READ(file, f_path.dentry, d_name.name));
		break;
	}
	return 0;
}

__noinline int socket_has_room(s32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file *file = task_file(task, fd);
	struct socket *socket;
	struct sock *sk;
	s32 room;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	room = BPF_CORE_READ(sk, sk_sndbuf);
	/* TCP waits by what is queued, unix sockets by what is allocated (one more than that). */
	return BPF_CORE_READ(sk, sk_wmem_queued) < room &&
	       BPF_CORE_READ(sk, sk_wmem_alloc.refs.counter) <= room;
}

#define FD_SET_WORDS 16 /* FD_SETSIZE of 1024 */

/* 1 if it is not 0: without a branch, since the verifier walks both ways of each. */
static __always_inline u64 is_any(u64 bits)
{
	return (bits | -bits) >> 63;
}

/* The lowest of the bits that are set, by its number; of none, some number. */
__noinline int lowest_bit(u64 bits)
{
	u64 lowest = bits & -bits;

	return is_any(lowest & 0xaaaaaaaaaaaaaaaa) | is_any(lowest & 0xcccccccccccccccc) << 1 |
	       is_any(lowest & 0xf0f0f0f0f0f0f0f0) << 2 | is_any(lowest & 0xff00ff00ff00ff00) << 3 |
	       is_any(lowest & 0xffff0000ffff0000) << 4 | is_any(lowest & 0xffffffff00000000) << 5;
}

__noinline int fd_in_word(u64 set_addr, u32 word)
{
	u64 bits = read_user_u64(set_addr + word * sizeof(bits));

	return bits ? (s32)(word * 64) + lowest_bit(bits) : -1;
}

__noinline int fd_set_first(u64 set_addr, u32 nr)
{
	s32 fd = -1;
	u32 word;

	if (!set_addr)
		return -1;
	for (word = 0; word < FD_SET_WORDS && word * 64 < nr && fd < 0; word++)
		fd = fd_in_word(set_addr, word);
	return (u32)fd < nr ? fd : -1;
}
