/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Collections and imports: a part of the stream, included by events.h only. */
#ifndef EVWITHIN_H
#define EVWITHIN_H

/* One run of the collector, by probes.  What finalizers sleep in it are sleeps marked IN_GC. */
struct ev_gc {
	struct ev_head head;
	__u64 iteration;
	__u64 stack_id; /* where it began */
	__u64 task_id;
	__u64 start_ns, total_ns; /* total_ns: on CPU */
	__s64 nr_collected; /* objects */
	__u32 generation;
	__u32 is_explicit; /* 1: the youngest generation was not over its threshold: gc.collect() */
};
_Static_assert(sizeof(struct ev_gc) == 24 + 56, "stream ABI");

#define EV_MODULE_LEN 128

/* One import, by probes or by its stack; imports that it caused are within it. */
struct ev_import {
	struct ev_head head;
	__u64 iteration;
	__u64 stack_id; /* of who imports; 0: the stacks of the sleeps and samples say */
	__u64 task_id;
	__u64 start_ns, total_ns;
	__u64 on_cpu_ns, asleep_ns; /* of which; without the collector */
	__u32 within; /* IN_ESTIMATED: only the name is known, of what is imported from start_ns on */
	/* 0: module is ended by NUL; 1, 2, 4: as it is in memory, characters of so many bytes */
	__u8 module_kind;
	__u8 pad;
	__u16 module_bytes; /* if module_kind is not 0 */
	char module[EV_MODULE_LEN]; /* cut if longer */
};
_Static_assert(sizeof(struct ev_import) == 24 + 64 + 128, "stream ABI");

#endif
