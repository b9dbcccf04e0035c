/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sleeps while some memory of its process can be read by nobody: as a page is that is on its way elsewhere. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void sleep_without(uintptr_t addr, size_t bytes, long ns)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = addr & ~(page - 1);
	size_t length = (addr + bytes - start + page - 1) & ~(page - 1);
	const struct timespec time = {.tv_nsec = ns};

	if (mprotect((void *)start, length, PROT_NONE))
		abort();
	nanosleep(&time, NULL);
	if (mprotect((void *)start, length, PROT_READ | PROT_WRITE))
		abort();
}
