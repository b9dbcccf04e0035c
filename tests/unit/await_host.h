/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/pyawait.bpf.c as it is, compiled for the host: for whoever has bpf_host.h. */
#ifndef AWAIT_HOST_H
#define AWAIT_HOST_H

#include "bpf_host.h"

/* In the place of more headers that need BPF. */
#define LOOP_BPF_H
#define PYTASK_BPF_H
struct loop_thread {
	u32 kind;
	s32 nr_above; /* frames above the loop's */
	u64 loop, task;
};
u64 task_of_callback(struct scratch *s, u64 at, u64 loop);
u64 task_current(struct loop_thread *th, struct scratch *s);
s32 loop_nr_above(struct loop_thread *th, struct scratch *s);
u64 await_note(struct scratch *s, u64 coroutine, u32 nr);
u32 await_kind(struct scratch *s, u64 object);
u64 await_word(struct scratch *s);
u64 await_words(struct scratch *s);
int await_attributes(struct scratch *s, u64 object);
u64 await_look(struct scratch *s, u64 object);
u64 await_waiter(struct scratch *s, u64 future);
int await_add_task(struct scratch *s, u64 task);
int await_walk(struct loop_thread *th, struct scratch *s);
#include "../../bpf/pyawait.bpf.c"

u64 task_of_callback(struct scratch *s, u64 at, u64 loop)
{
	return pytask_of_callback(&s->layout, read_user_u64(at), loop);
}

u64 task_current(struct loop_thread *th, struct scratch *s)
{
	s->loop_addr = th->loop;
	return th->task;
}

s32 loop_nr_above(struct loop_thread *th, struct scratch *s)
{
	(void)s;
	return th->nr_above;
}

#endif
