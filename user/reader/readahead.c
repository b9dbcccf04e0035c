/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "readahead.h"

#include <string.h>
#include <sys/uio.h>

#include "util.h"

static bool is_next(const struct readahead *ahead, uint64_t addr, size_t len)
{
	return ahead->next < ahead->nr_got && ahead->list->reads[ahead->next].addr == addr &&
	       ahead->list->reads[ahead->next].bytes == len;
}

static void note(struct readahead_list *list, uint64_t addr, size_t len)
{
	list->is_full |= list->nr == READAHEAD_MAX || len > READAHEAD_MAX_BYTES;
	if (list->is_full)
		return;
	list->reads[list->nr].addr = addr;
	list->reads[list->nr++].bytes = (uint32_t)len;
}

static int read_ahead(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct readahead *ahead = ctx;

	note(&ahead->now, addr, len);
	if (!is_next(ahead, addr, len)) {
		ahead->nr_got = 0;
		return procmem_read(ahead->under, addr, buf, len);
	}
	memcpy(buf, ahead->data + ahead->at, len);
	ahead->at += len;
	ahead->next++;
	return 0;
}

void readahead_begin(struct readahead *ahead, pid_t pid, struct mem *under, struct readahead_list *list,
		     struct mem *mem)
{
	struct iovec local = { .iov_base = ahead->data }, remote[READAHEAD_MAX];
	ssize_t got;

	for (unsigned i = 0; i < list->nr; i++) {
		remote[i].iov_base = (void *)(uintptr_t)list->reads[i].addr;
		remote[i].iov_len = list->reads[i].bytes;
		local.iov_len += list->reads[i].bytes;
	}
	got = list->nr ? process_vm_readv(pid, &local, 1, remote, list->nr, 0) : 0;
	ahead->under = under;
	ahead->list = list;
	ahead->now.nr = ahead->nr_got = ahead->next = 0;
	ahead->now.is_full = false;
	ahead->at = 0;
	/* Up to the first that is not there any more. */
	while (ahead->nr_got < list->nr && got >= (ssize_t)list->reads[ahead->nr_got].bytes)
		got -= list->reads[ahead->nr_got++].bytes;
	*mem = (struct mem){ read_ahead, ahead, under->budget_bytes };
}

void readahead_end(struct readahead *ahead)
{
	*ahead->list = ahead->now;
}
