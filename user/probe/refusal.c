/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "refusal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "util.h"

/* docs/KERNELS.md says for what. */
#define FLOOR_MAJOR 5
#define FLOOR_MINOR 15

bool refusal_is_for_age(void)
{
	unsigned major, minor;
	struct utsname host;

	return !uname(&host) && sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
	       (major < FLOOR_MAJOR || (major == FLOOR_MAJOR && minor < FLOOR_MINOR));
}

/* The verifier says EACCES, too, of a program that it does not like. */
static bool may_load(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	cleanup_close int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "Dual BSD/GPL", insns,
					     ARRAY_SIZE(insns), NULL);

	return fd >= 0;
}

int refusal_explain(int err, char *why, size_t why_size)
{
	struct utsname host = {};

	uname(&host);
	if ((err == -EPERM || err == -EACCES) && !may_load()) {
		snprintf(why, why_size,
			 "the kernel does not let this user load BPF programs: run it as root, or with "
			 "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE");
		return -EPERM;
	}
	if (refusal_is_for_age()) {
		snprintf(why, why_size, "Linux %.64s is too old: loophound needs %d.%d or later",
			 host.release, FLOOR_MAJOR, FLOOR_MINOR);
		return -ENOTSUP;
	}
	snprintf(why, why_size,
		 "Linux %.64s refuses the BPF programs (%s); loophound -vv shows what it says",
		 host.release, strerror(-err));
	return err == -ENOMEM ? err : -ENOTSUP;
}
