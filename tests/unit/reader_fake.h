/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A small fake address space for the reader's tests: what is outside of it fails as a wild pointer
 * does.
 */
#ifndef READER_FAKE_H
#define READER_FAKE_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "procmem.h"

#define FAKE_BASE  0x7f0000000000ULL
#define FAKE_BYTES (512 * 1024)

struct fake {
	uint8_t bytes[FAKE_BYTES];
	unsigned nr_reads;
	unsigned change_at;   /* before this read (1 is the first) ... */
	uint64_t change_addr; /* ... the word here becomes ... */
	uint64_t change_value;
	struct mem mem;
};

static inline void fake_put(struct fake *fake, uint64_t addr, const void *data, size_t len)
{
	memcpy(fake->bytes + (addr - FAKE_BASE), data, len);
}

static inline void fake_put_u64(struct fake *fake, uint64_t addr, uint64_t value)
{
	fake_put(fake, addr, &value, sizeof(value));
}

static inline void fake_put_u32(struct fake *fake, uint64_t addr, uint32_t value)
{
	fake_put(fake, addr, &value, sizeof(value));
}

static inline int fake_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct fake *fake = ctx;

	if (++fake->nr_reads == fake->change_at)
		fake_put_u64(fake, fake->change_addr, fake->change_value);
	if (addr < FAKE_BASE || addr - FAKE_BASE > FAKE_BYTES ||
	    len > FAKE_BYTES - (addr - FAKE_BASE))
		return -EFAULT;
	memcpy(buf, fake->bytes + (addr - FAKE_BASE), len);
	return 0;
}

static inline void fake_reset(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->mem = (struct mem){ fake_read, fake, 4 << 20 };
}

#endif
