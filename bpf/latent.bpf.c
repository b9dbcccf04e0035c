/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Calls on a loop's thread that can block and were quick this time: to connect a blocking socket, to
 * open or read a file, to start a process, to ask a name server.  Loaded only with --latent.
 *
 * Looked at when they return: the result and what an open() opened are known, the arguments are still
 * there, and the kernel's way there is paid for already (wait.bpf.c).  A thread that runs no loop costs a
 * look-up; a call of a loop a few reads until its descriptor says that it cannot block.  What is left has
 * its stack taken, and makes at most one record a second for each stack.
 *
 * Whether a call turned out to be long after all is known at the end of its iteration: that is the rules'.
 */
#include "loop.bpf.h"
#include "object.bpf.h"
#include "syscalls.bpf.h"

#define LATENT_GAP_NS 1000000000

enum latent_class {
	LATENT_NONE = 0,
	LATENT_OPEN,	/* makes a descriptor of a file */
	LATENT_FILE,	/* works on a descriptor that may be a file's */
	LATENT_PATH,	/* changes a folder */
	LATENT_CONNECT, /* works on a socket that may be blocking */
	LATENT_SOCKET,	/* likewise */
	LATENT_POLL,	/* waits for others, for a time */
	LATENT_SLEEP,
	LATENT_FORK,
	LATENT_CHILD, /* waits for a process */
};

static __always_inline u32 latent_class(long nr)
{
	switch (nr) {
	case __NR_open: case __NR_creat: case __NR_openat: case __NR_openat2:
		return LATENT_OPEN;
	case __NR_read: case __NR_pread64: case __NR_readv: case __NR_preadv: case __NR_preadv2:
	case __NR_write: case __NR_pwrite64: case __NR_writev: case __NR_pwritev: case __NR_pwritev2:
	case __NR_fsync: case __NR_fdatasync: case __NR_flock: case __NR_fcntl: case __NR_ftruncate:
	case __NR_getdents64: case __NR_sendfile: case __NR_copy_file_range:
		return LATENT_FILE;
	case __NR_rename: case __NR_renameat: case __NR_renameat2: case __NR_mkdir: case __NR_mkdirat:
	case __NR_rmdir: case __NR_unlink: case __NR_unlinkat: case __NR_link: case __NR_linkat:
	case __NR_symlink: case __NR_symlinkat: case __NR_truncate:
		return LATENT_PATH;
	case __NR_connect:
		return LATENT_CONNECT;
	case __NR_accept: case __NR_accept4: case __NR_sendto: case __NR_recvfrom:
	case __NR_sendmsg: case __NR_recvmsg: case __NR_sendmmsg: case __NR_recvmmsg:
		return LATENT_SOCKET;
	case __NR_poll: case __NR_ppoll: case __NR_select: case __NR_pselect6:
		return LATENT_POLL;
	case __NR_nanosleep: case __NR_clock_nanosleep:
		return LATENT_SLEEP;
	case __NR_fork: case __NR_vfork: case __NR_clone: case __NR_clone3:
		return LATENT_FORK;
	case __NR_wait4: case __NR_waitid:
		return LATENT_CHILD;
	}
	return LATENT_NONE;
}

/* File systems that are the kernel talking: nothing of theirs waits for a disk or a server. */
static __always_inline bool is_kernel_fs(unsigned long magic)
{
	switch (magic) {
	case 0x9fa0:	 /* proc */
	case 0x62656572: /* sysfs */
	case 0x27e0eb:	 /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x64626720: /* debugfs */
	case 0x74726163: /* tracefs */
		return true;
	}
	return false;
}

static __always_inline bool is_disk_file(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT;

	if (type != S_IFREG && type != S_IFDIR && type != S_IFBLK)
		return false;
	return !is_kernel_fs(BPF_CORE_READ(inode, i_sb, s_magic));
}

#define F_SETLK	    6
#define F_SETLKW    7
#define F_OFD_SETLK 37 /* and F_OFD_SETLKW, 38 */

/* Standard output and error are a terminal's or a pipe's wherever that matters, and a file's in between. */
static __always_inline bool can_file_block(struct file *file, long nr, s32 fd, u64 arg)
{
	if (nr == __NR_fcntl && (arg < F_SETLK || arg > F_SETLKW) && arg - F_OFD_SETLK > 1)
		return false;
	if ((nr == __NR_write || nr == __NR_writev) && (fd == 1 || fd == 2))
		return false;
	return is_disk_file(file);
}

#define SOCK_DGRAM   2
#define MSG_DONTWAIT 0x40
#define DNS_PORT     53

/*
 * A datagram socket that is connected to a name server is for a question, asked by the C library on a
 * socket that does not block and that it then polls; who asks like that for a loop is known by his stack,
 * to the rules.  Other datagrams do not wait.
 */
static __always_inline bool can_socket_block(struct file *file, long nr, struct pt_regs *regs)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	bool is_nonblock = BPF_CORE_READ(file, f_flags) & O_NONBLOCK_FLAG;
	struct sock *sk;
	u16 family;

	/* First what most calls of a loop end at. */
	if (is_nonblock && nr != __NR_connect)
		return false;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return false;
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return false;
	if (BPF_CORE_READ(sk, sk_type) == SOCK_DGRAM)
		return family != AF_UNIX &&
		       BPF_CORE_READ(sk, __sk_common.skc_dport) == __builtin_bswap16(DNS_PORT);
	if (is_nonblock)
		return false;
	if (nr == __NR_sendto || nr == __NR_recvfrom)
		return !(regs->r10 & MSG_DONTWAIT);
	return !((nr == __NR_sendmsg || nr == __NR_recvmsg) && (regs->dx & MSG_DONTWAIT));
}

/*
 * A poll that does not wait only asks.  All but poll() have by now written into the timeout what was left of
 * it: nothing, if they waited that long.
 */
static __always_inline bool can_poll_block(long nr, struct pt_regs *regs)
{
	u64 timeout_addr = nr == __NR_ppoll ? regs->dx : regs->r8;

	if (nr == __NR_poll)
		return (s32)regs->dx != 0;
	return !timeout_addr || read_user_u64(timeout_addr) || read_user_u64(timeout_addr + 8);
}

#define CLONE_THREAD 0x10000

static __always_inline bool is_new_process(long nr, struct pt_regs *regs)
{
	if (nr == __NR_clone)
		return !(regs->di & CLONE_THREAD);
	if (nr == __NR_clone3)
		return !(read_user_u64(regs->di) & CLONE_THREAD);
	return true;
}

#define WNOHANG 1

/* Whether the call that returned ret is one that can block. */
static __always_inline bool can_block(u32 class, long nr, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	s32 fd = class == LATENT_OPEN ? (s32)ret : (s32)regs->di;
	struct file *file;

	switch (class) {
	case LATENT_POLL:
		return nr != __NR_poll || can_poll_block(nr, regs);
	case LATENT_SLEEP:
		return true;
	case LATENT_PATH:
		return ret == 0;
	case LATENT_FORK:
		return ret > 0 && is_new_process(nr, regs);
	case LATENT_CHILD:
		return !((nr == __NR_wait4 ? regs->dx : regs->r10) & WNOHANG);
	}
	if (fd < 0)
		return false;
	file = task_file(task, fd);
	if (!file)
		return false;
	if (class == LATENT_OPEN || class == LATENT_FILE)
		return can_file_block(file, nr, fd, regs->si);
	return can_socket_block(file, nr, regs);
}

struct user_sockaddr {
	u16 family, port;
	u8 v4[4];
	u8 v6[16];
};

/* A connect that failed leaves no peer: what was asked for is in its argument. */
static __always_inline void peer_as_given(struct ev_object *object, u64 addr)
{
	struct user_sockaddr peer;

	if (object->port || (object->family != AF_INET && object->family != AF_INET6))
		return;
	if (read_user(&peer, sizeof(peer), addr) || peer.family != object->family)
		return;
	object->port = __builtin_bswap16(peer.port);
	if (peer.family == AF_INET)
		__builtin_memcpy(object->addr, peer.v4, sizeof(peer.v4));
	else
		__builtin_memcpy(object->addr, peer.v6, sizeof(peer.v6));
}

extern int sleep_fd(void);

#define TIMER_ABSTIME 1
#define CLOCK_MONOTONIC 1
#define NSEC_PER_SEC 1000000000ULL
#define NO_SLEEP_NS 100000

/* When the call began to sleep: the switch has left a site with the same stack and call. 0: it did not. */
static __always_inline u64 slept_since(struct loop_thread *th, struct ev_latent *ev)
{
	u32 i;

	for (i = 0; i < MAX_SITES; i++) {
		if (i >= th->nr_sites)
			break;
		if (th->sites[i].stack_id == ev->stack_id && th->sites[i].syscall == ev->syscall)
			return th->sites[i].first_ns;
	}
	return 0;
}

/* time.sleep(0) lets others run: it sleeps until a moment that is over, or nearly so. */
static __always_inline bool is_real_sleep(struct loop_thread *th, struct ev_latent *ev, struct pt_regs *regs)
{
	bool is_clock = ev->syscall == __NR_clock_nanosleep;
	u64 since_ns = slept_since(th, ev), when_addr = is_clock ? regs->dx : regs->di, when_ns;

	if (!since_ns)
		return false;
	when_ns = read_user_u64(when_addr) * NSEC_PER_SEC + read_user_u64(when_addr + 8);
	if (!is_clock || !(regs->si & TIMER_ABSTIME))
		return when_ns > NO_SLEEP_NS;
	return regs->di != CLOCK_MONOTONIC || when_ns > since_ns + NO_SLEEP_NS;
}

/* Sends the call that is in that scratch, or adds it to those of its stack that were not sent yet. */
__noinline int latent_send(struct loop_thread *th, u32 index, u64 now_ns)
{
	struct latent_site *known, *site = bpf_map_lookup_elem(&latent_scratch, &index);
	struct latent_key key = {};

	if (!th || !site)
		return 0;
	count(STAT_LATENT_CALLS);
	key.stack_id = site->ev.stack_id;
	key.loop_id = th->loop_id;
	key.syscall = site->ev.syscall;
	key.object_kind = (u32)site->ev.object.family << 8 | site->ev.object.kind;
	key.audit = site->ev.audit;
	known = bpf_map_lookup_elem(&latent_sites, &key);
	if (known) {
		known->nr_unsent++;
		known->ev.last_ns = now_ns;
		known->ev.iteration = site->ev.iteration;
		if (known->nr_unsent == 1)
			known->ev.first_ns = now_ns;
		if (now_ns - known->sent_ns < LATENT_GAP_NS)
			return 0;
		site->ev.count = known->nr_unsent;
		site->ev.first_ns = known->ev.first_ns;
	}
	site->sent_ns = now_ns;
	site->nr_unsent = 0;
	bpf_map_update_elem(&latent_sites, &key, site, BPF_ANY);
	emit(&site->ev, sizeof(site->ev), BPF_RB_NO_WAKEUP);
	return 1;
}

/* The current thread, in an iteration of its loop, returns from a call of that class. */
__noinline int latent_look(struct loop_thread *th, u32 class, s64 ret)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct scratch *s = scratch_get(SCRATCH_SYSCALL);
	u64 now_ns = bpf_ktime_get_ns();
	struct latent_site *site;
	struct ev_latent *ev;
	u32 index = LATENT_SCRATCH_SYSCALL;

	site = bpf_map_lookup_elem(&latent_scratch, &index);
	if (!th || !s || !site || !loop_is_running(th, s))
		return 0;
	__builtin_memset(site, 0, sizeof(*site));
	ev = &site->ev;
	head_init(&ev->head, EV_LATENT, sizeof(*ev), now_ns, th->target_id, th->loop_id);
	ev->syscall = (s32)regs->orig_ax;
	ev->stack_id = loop_take_stack(th, s, now_ns);
	if (class == LATENT_SLEEP && !is_real_sleep(th, ev, regs))
		return 0;
	if (class == LATENT_POLL && !can_poll_block(ev->syscall, regs) && !slept_since(th, ev))
		return 0;
	ev->iteration = th->iteration + 1;
	ev->first_ns = ev->last_ns = now_ns;
	ev->args[0] = regs->di;
	ev->args[1] = regs->si;
	ev->args[2] = regs->dx;
	ev->ret = ret;
	ev->count = 1;
	ev->fd = class == LATENT_OPEN ? (s32)ret : sleep_fd();
	if (class == LATENT_PATH)
		object_as_given(&ev->object, ev->syscall, regs);
	if (ev->fd >= 0)
		object_read(&ev->object, ev->fd);
	if (class == LATENT_CONNECT)
		peer_as_given(&ev->object, regs->si);
	return latent_send(th, index, now_ns);
}

static __always_inline void on_return(struct pt_regs *regs, long nr, s64 ret)
{
	u32 class = latent_class(nr);
	struct loop_thread *th;

	if (!class)
		return;
	th = loop_thread_of(bpf_get_current_task_btf());
	if (!th || !th->start_ns || th->in_wait || th->left_ns)
		return;
	if (th->import_start_ns)
		return; /* import-on-loop has it; without the probe for it, the rules see to that */
	if (can_block(class, nr, regs, ret))
		latent_look(th, class, ret);
}

/*
 * One hook for all calls.  A tracepoint for each would leave other calls alone, but costs those that it
 * is for more, and 80 ms each to take away again.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_latent_exit, struct pt_regs *regs, long ret)
{
	on_return(regs, (s32)regs->orig_ax, ret);
	return 0;
}
