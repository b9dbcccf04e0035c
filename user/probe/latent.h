/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What --latent adds to the kernel half (bpf/latent.bpf.c): the calls that it kept back. */
#ifndef LATENT_H
#define LATENT_H

#include <stdbool.h>
#include <stdint.h>

struct ev_head;

typedef void (*latent_record_fn)(void *ctx, const struct ev_head *ev);
/*
 * Makes records of calls that no later one of their stack has brought along: of stacks that were not seen
 * for two seconds before now_ns, or (is_end) of all.
 */
void latent_take_unsent(int map_fd, uint64_t now_ns, bool is_end, latent_record_fn on_record, void *ctx);

#endif
