/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The clock that the kernel half's times are of, wherever we are; its tick. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/*
 * CLOCK_MONOTONIC of the host, ns.  In a time namespace the call has an offset, which times of BPF
 * programs do not have: it is taken out.  Before the process is confined it has to be called once.
 */
uint64_t clock_host_ns(void);

/* From one tick of the kernel to the next; 10 ms if it does not say. */
uint64_t clock_tick_ns(void);

#endif
