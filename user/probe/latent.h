/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What --latent adds to the kernel half (bpf/latent.bpf.c): the calls that it kept back. */
#ifndef LATENT_H
#define LATENT_H

#include <stdint.h>

struct ev_head;

typedef void (*latent_record_fn)(void *ctx, const struct ev_head *ev);
/*
 * Makes records of calls that no later one of their stack has brought along: of a loop (EV_NO_LOOP: of all),
 * if their stack was not seen since.
 */
void latent_take_unsent(int map_fd, uint32_t loop_id, uint64_t since_ns, latent_record_fn on_record,
			void *ctx);

#endif
