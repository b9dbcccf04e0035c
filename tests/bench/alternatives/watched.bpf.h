/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What every alternative does when it meets its watched thread: next to nothing, so that the
 * figures are those of the way there.
 */
#ifndef WATCHED_BPF_H
#define WATCHED_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SYS_EPOLL_WAIT 232 /* x86-64 */

/* attach.c knows it too. */
struct watched {
	u64 hits;
	u64 since_ns;
	u64 total_ns;
};

static __always_inline void watched_begin(struct watched *w)
{
	w->since_ns = bpf_ktime_get_ns();
}

static __always_inline void watched_end(struct watched *w)
{
	w->total_ns += bpf_ktime_get_ns() - w->since_ns;
	w->hits++;
}

#endif
