/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel half's tables of processes and executables, for entries.c, which has what probes.h says of them. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <stdint.h>

#include "numbers.h"

struct entries {
	int targets_fd, exes_fd;
	int32_t *nr_candidates; /* the kernel half's own count, shared with it */
	uint8_t *hints; /* where it looks first: may that number be of an entry? (maps.bpf.h) */
	uint32_t nr_hints;
	struct numbers numbers;
};

struct probes;
struct entries probes_entries(const struct probes *probes);

#endif
