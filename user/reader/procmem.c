/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bounded reads of another process's memory and of files. */
#include "procmem.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static int read_process(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { .iov_base = buf, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = len };
	ssize_t n = process_vm_readv((pid_t)(intptr_t)ctx, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	/* A short read: a later page is not there. */
	return (size_t)n == len ? 0 : -EFAULT;
}

static int read_file(void *ctx, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread((int)(intptr_t)ctx, (char *)buf + done, len - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

void procmem_of_process(struct mem *mem, pid_t pid, uint64_t budget_bytes)
{
	*mem = (struct mem){ read_process, (void *)(intptr_t)pid, budget_bytes };
}

void procmem_of_file(struct mem *mem, int fd, uint64_t budget_bytes)
{
	*mem = (struct mem){ read_file, (void *)(intptr_t)fd, budget_bytes };
}

int procmem_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	/* Above INT64_MAX there is neither user memory nor a file offset. */
	if (addr > INT64_MAX || len > INT64_MAX - addr)
		return -EFAULT;
	if (len > mem->budget_bytes)
		return -E2BIG;
	mem->budget_bytes -= len;
	return len ? mem->read(mem->ctx, addr, buf, len) : 0;
}

int procmem_read_u64(struct mem *mem, uint64_t addr, uint64_t *value)
{
	return procmem_read(mem, addr, value, sizeof(*value));
}

int procmem_read_u32(struct mem *mem, uint64_t addr, uint32_t *value)
{
	return procmem_read(mem, addr, value, sizeof(*value));
}

uint64_t procmem_word(struct mem *mem, uint64_t addr)
{
	uint64_t value;

	return addr && procmem_read_u64(mem, addr, &value) == 0 ? value : 0;
}
