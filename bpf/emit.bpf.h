/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Puts records into the ring, and counts every one: made == submitted + ring_full.
 *
 * A wake-up of the daemon costs the target 0.7 us or more, so records only wake it that someone waits
 * for: a stack seen first (its names must be read while the target lives) and the end of a long
 * iteration, at most once in WAKEUP_GAP_NS each thread.  Whoever was woken looks once more after that time
 * (user/cli/engine.c), so none of them waits for long; the daemon looks every 100 or 200 ms in any case.
 */
#ifndef EMIT_BPF_H
#define EMIT_BPF_H

#include "maps.bpf.h"

static __always_inline void head_init(struct ev_head *head, u32 type, u32 size, u64 now_ns,
				      u32 target_id, u32 loop_id)
{
	head->type = type;
	head->size = size;
	head->ts_ns = now_ns;
	head->target_id = target_id;
	head->loop_id = loop_id;
}

static __always_inline u64 wakeup_flags(struct loop_thread *th, u64 now_ns)
{
	if (now_ns - th->last_wakeup_ns < WAKEUP_GAP_NS)
		return BPF_RB_NO_WAKEUP;
	th->last_wakeup_ns = now_ns;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline int emit(void *record, u64 size, u64 flags)
{
	long err;

	count(STAT_RECORDS_MADE);
	err = bpf_ringbuf_output(&events, record, size, flags);
	count(err ? STAT_RING_FULL : STAT_RECORDS_SUBMITTED);
	return (int)err;
}

/*
 * The same in two steps, for a record that is built in the ring itself: the functions of a chain of calls
 * have 512 bytes of stack together, of which 6.1 charges each 32 at a time.  NULL: no room, which is counted.  Nothing
 * that makes a record of its own may come in between, or the reader has the two the other way round.
 */
static __always_inline void *emit_begin(u64 size)
{
	void *record;

	count(STAT_RECORDS_MADE);
	record = bpf_ringbuf_reserve(&events, size, 0);
	if (!record)
		count(STAT_RING_FULL);
	return record;
}

static __always_inline void emit_end(void *record, u64 flags)
{
	bpf_ringbuf_submit(record, flags);
	count(STAT_RECORDS_SUBMITTED);
}

#endif
