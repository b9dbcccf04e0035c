/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "multi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

/* The part of union bpf_attr that BPF_LINK_CREATE reads for it: the kernel's ABI. */
struct link_create {
	uint32_t program_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, semaphores, cookies;
	uint32_t nr, multi_flags, pid, pad;
};

int uprobe_multi_attach(int program_fd, pid_t pid, const char *path, unsigned nr, const uint64_t *offsets,
			const uint64_t *semaphores, const uint64_t *cookies)
{
	struct link_create attr = {
		.program_fd = (uint32_t)program_fd,
		.attach_type = UPROBE_MULTI_ATTACH_TYPE,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.semaphores = (uintptr_t)semaphores,
		.cookies = (uintptr_t)cookies,
		.nr = nr,
		.pid = (uint32_t)pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

bool uprobe_multi_is_supported(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = UPROBE_MULTI_ATTACH_TYPE);
	static const uint64_t offset;
	cleanup_close int program_fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "Dual BSD/GPL", insns,
						     ARRAY_SIZE(insns), &opts);

	if (program_fd < 0)
		return false;
	/* A directory has no text. A number that is no process's is looked at only where it is a process's. */
	return uprobe_multi_attach(program_fd, getpid(), "/", 1, &offset, &offset, &offset) == -EBADF &&
	       uprobe_multi_attach(program_fd, -1, "/", 1, &offset, &offset, &offset) == -EINVAL;
}
