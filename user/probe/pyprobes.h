/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The attachments to the probes within targets (bpf/pyprobe.bpf.c): made once a target is known to run
 * a loop, gone with the target.  The kernel opens the target's file, by its mapping; this process never
 * does.
 */
#ifndef PYPROBES_H
#define PYPROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "events.h"

struct bpf_program;
struct detacher;
struct pyprobes;

/* programs: in the order of enum probe_id; is_multi: loaded for uprobe_multi (multi.h); detacher: outlives it. */
int pyprobes_new(struct pyprobes **out, struct bpf_program *const programs[PROBE_MAX], bool is_multi,
		 struct detacher *detacher);
void pyprobes_free(struct pyprobes *pyprobes);

/*
 * Attaches to all usable sites.  How many it is at; -ENOSPC: to too many targets already; or the reason
 * why it is at none.  A pair of probes (start, done) is attached as a whole or not at all.
 */
int pyprobes_attach(struct pyprobes *pyprobes, const struct ev_probes *where);
/* PROBES_OF_ALL: from all, and from then on there is no probe to attach to: -ENOENT. */
void pyprobes_detach(struct pyprobes *pyprobes, uint32_t target_id);

#endif
