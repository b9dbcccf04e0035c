/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/pyrunning.h compiled for this side: one piece of code decides what a running loop is. */
#include "loops.h"

#include <string.h>

#include "layout.h"

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static struct mem *reading; /* by read_target(): the kernel half's functions have no context of their own */

static int read_target(void *to, u32 size, u64 addr)
{
	return procmem_read(reading, addr, to, size);
}

#define read_user(to, size, addr) read_target(to, size, addr)
#include "pyhash.h"
#include "scratch.h"
#include "pyrunning.h"

#define MAX_THREADS    4096
#define TSTATE_NEXT    8 /* PyThreadState.next, 3.9 to 3.15 */

static int has_running_loop(struct scratch *s)
{
	if (pyrunning_begin(s))
		return 0;
	while (s->dict_left && !pyrunning_dict_step(s))
		;
	return !pyrunning_end(s);
}

unsigned loops_count(struct mem *mem, uint64_t runtime_addr, const struct py_layout *layout)
{
	struct scratch s;
	unsigned nr = 0, i;
	uint64_t tstate;

	memset(&s, 0, sizeof(s));
	s.layout = *layout;
	reading = mem;
	if (layout_first_thread(mem, runtime_addr, layout->version, &tstate))
		return 0;
	for (i = 0; i < MAX_THREADS && tstate; i++) {
		s.tstate_addr = tstate;
		nr += (unsigned)has_running_loop(&s);
		if (procmem_read_u64(mem, tstate + TSTATE_NEXT, &tstate))
			break;
	}
	return nr;
}
