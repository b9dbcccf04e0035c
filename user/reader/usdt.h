/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a CPython's file has the USDT probes that are used, how their first argument is found there,
 * and whether a breakpoint on them is cheap.  The notes are read here, in the reader process, and not
 * by libbpf in the daemon, because the file is as hostile as all else of a target.
 */
#ifndef USDT_H
#define USDT_H

#include "elffile.h"
#include "events.h"

/* Fills out->sites and nr_sites. A file without notes, or with broken ones, has none. */
void usdt_find(struct elf *elf, struct ev_probes *out);

/* "-4@112(%rsp)" and its like to PROBE_ARG_*; of several arguments the first.  False: not understood. */
bool usdt_parse_argument(const char *text, uint64_t *argument);

#endif
