/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A sampling clock from the timer interrupts that the machine takes anyway. */
#include "storage.bpf.h"

SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(on_timer)
{
	struct watched *w = watched_current();

	if (w) {
		watched_end(w);
		watched_begin(w);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
