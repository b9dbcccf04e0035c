/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a free-threaded CPython 3.13 shows of itself from outside: _PyRuntime begins with a cookie, the version,
 * and that it has no GIL (Include/internal/pycore_debug_offsets.h).  The rest of it is not looked at.
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

struct {
	char cookie[8];
	uint64_t version, is_free_threaded;
	char rest[4096];
} _PyRuntime = { { 'x', 'd', 'e', 'b', 'u', 'g', 'p', 'y' }, 0x030d00f0, 1, { 1 } };

int main(void)
{
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
