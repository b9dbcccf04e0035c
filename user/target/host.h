/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the host does to the targets: the quota of their cgroup, CPUs that the hypervisor takes.  The
 * kernel's counters are cumulative, so they are looked at now and then, to know what they were when
 * a stall began; a look paces itself by what it costs.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"

struct host;

/* 0 or -ENOMEM. A host that does not tell gives evidence of nothing. */
int host_new(struct host **out);
void host_free(struct host *host);

/* A loop of the target was found, or ended. */
void host_watch(struct host *host, uint32_t target_id, pid_t pid, uint64_t now_ns);
void host_unwatch(struct host *host, uint32_t target_id);

/* To be called with each tick: looks, if it is time. */
void host_look(struct host *host, uint64_t now_ns);

/* A quota ran out in the last seconds: a tick comes each 100 ms. */
bool host_is_throttled(const struct host *host);

/*
 * What happened to a target between start_ns, or the last look before it, and now.  ev->head is the
 * caller's, but for its time.
 */
void host_evidence(struct host *host, uint32_t target_id, uint64_t start_ns, uint64_t now_ns,
		   struct ev_host *ev);

#endif
