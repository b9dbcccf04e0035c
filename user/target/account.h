/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's own account of one thread, under /proc: nothing of the target's memory, never blocks. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct account {
	bool is_runnable; /* on a CPU or waiting for one: neither asleep nor stopped */
	uint64_t exec_ns; /* time on a CPU since it began; up to a scheduler's tick behind while it runs */
};

/* tid as this process sees it. 0; a negative errno: it is gone, or this kernel does not tell. */
int account_read(pid_t tid, struct account *out);

#endif
