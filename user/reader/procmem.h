/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bounded reads of memory that is not ours: a process, a file, or a fake one of a test.  Every read
 * goes through procmem_read(), which refuses what wraps around and what is over the request's
 * budget.
 */
#ifndef PROCMEM_H
#define PROCMEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mem {
	/* All of len bytes or a negative errno; addr + len does not wrap. */
	int (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	void *ctx;
	uint64_t budget_bytes; /* what may still be read through it */
};

/*
 * A process, through process_vm_readv.  It stays valid as long as the number does: check
 * start_ticks.
 */
void procmem_of_process(struct mem *mem, pid_t pid, uint64_t budget_bytes);
/* A file; addresses are offsets.  The descriptor stays the caller's. */
void procmem_of_file(struct mem *mem, int fd, uint64_t budget_bytes);

/* Returns 0, -EFAULT (not there), -ESRCH, -EPERM, or -E2BIG when the budget is spent. */
int procmem_read(struct mem *mem, uint64_t addr, void *buf, size_t len);
int procmem_read_u64(struct mem *mem, uint64_t addr, uint64_t *value);
int procmem_read_u32(struct mem *mem, uint64_t addr, uint32_t *value);
/* The 8 bytes at addr; 0 where they cannot be read, which no pointer that is followed may be. */
uint64_t procmem_word(struct mem *mem, uint64_t addr);

#endif
