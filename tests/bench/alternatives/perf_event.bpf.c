/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A perf event of the one thread: its context switches, or its CPU clock. */
#include "storage.bpf.h"

SEC("perf_event")
int on_event(void *ctx)
{
	struct watched *w = watched_current();

	if (w) {
		watched_end(w);
		watched_begin(w);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
