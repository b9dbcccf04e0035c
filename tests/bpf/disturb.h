/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes that make the kernel skip programs of tracepoints now and then: see docs/KERNELS.md, "Lost events". */
#ifndef DISTURB_H
#define DISTURB_H

#include <bpf/bpf.h>
#include <sched.h>

#include "watched.h"

/* Updates large elements of a hash map, for ever: this CPU is within bpf(2) nearly all the time. */
static inline void update_maps(void)
{
	enum { VALUE_BYTES = 32 * 1024 };
	static char value[VALUE_BYTES];
	int map = bpf_map_create(BPF_MAP_TYPE_HASH, "hammer", sizeof(int), sizeof(value), 64, NULL);

	for (int key = 0; map >= 0; key = (key + 1) % 64)
		bpf_map_update_elem(map, &key, value, BPF_ANY);
}

/* Attaches a program to the tracepoints that we use and detaches it, for ever. */
static inline void attach_programs(void)
{
	static const char *const tracepoints[] = { "sys_exit", "sched_switch", "hrtimer_expire_entry" };
	const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "hammer", "GPL", nothing,
				    ARRAY_SIZE(nothing), NULL);

	for (unsigned i = 0; program >= 0; i++) {
		int link = bpf_raw_tracepoint_open(tracepoints[i % ARRAY_SIZE(tracepoints)], program);

		if (link >= 0)
			close(link);
	}
}

static inline pid_t disturb_start(void (*disturb)(void), const cpu_set_t *cpus)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sched_setaffinity(0, sizeof(*cpus), cpus);
	disturb();
	_exit(1);
}

static inline void disturb_stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status)); /* or it could not do what it is for */
}

#endif
