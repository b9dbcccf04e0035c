/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A USDT probe of the interpreter: which, where in its file, where its argument is.  A part of
 * events.h. */
#ifndef EVPROBE_H
#define EVPROBE_H

/* The probes that are used, in the order of the programs that take them. */
enum probe_id {
	PROBE_GC_START = 0,
	PROBE_GC_DONE = 1,
	PROBE_IMPORT_START = 2,
	PROBE_IMPORT_DONE = 3,
	PROBE_AUDIT = 4, /* only with --latent */
	PROBE_MAX
};

/*
 * How a probe's first argument is found, in the 64 bits of an attachment's cookie: the register as
 * an offset into struct pt_regs, what to do with it, and in the upper half a number to add to it.
 */
#define PROBE_ARG_REG	   0xffffu
#define PROBE_ARG_MEMORY   (1u << 16) /* the sum is an address */
#define PROBE_ARG_CONSTANT (1u << 17) /* there is no register */
#define PROBE_ARG_INT	   (1u << 18) /* 4 bytes, signed; else 8 */

enum probe_site_status {
	PROBE_SITE_OK = 0,
	PROBE_SITE_DEAR = 1,	/* no one-byte nop: a breakpoint there costs much, or is not safe */
	PROBE_SITE_UNKNOWN = 2, /* its argument is nowhere we know */
	PROBE_SITE_STATUS_MAX
};

struct ev_probe_site {
	__u64 offset;	 /* in the file */
	__u64 semaphore; /* its offset in the file; 0: none */
	__u64 argument;	 /* PROBE_ARG_* */
	__u8 probe;	 /* enum probe_id */
	__u8 status;	 /* enum probe_site_status */
	__u8 pad[6];
};

#define PROBE_MAX_SITES 16

struct ev_probes {
	struct ev_head head;
	__u32 pid;
	__u32 nr_sites;
	__u64 map_start, map_end; /* a mapping of the file that has them */
	struct ev_probe_site sites[PROBE_MAX_SITES];
};
_Static_assert(sizeof(struct ev_probes) == 24 + 24 + 16 * 32, "stream ABI");

#endif
