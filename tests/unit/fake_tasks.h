/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A process of every version in fake memory, with threads, loops and tasks, and the reader's count of these. */
#ifndef FAKE_TASKS_H
#define FAKE_TASKS_H

#include "fake_python.h"
#include "tasks.h"

/* Each has more room than is read of a _PyThreadStateImpl. */
#define TSTATE(i)    (FAKE_BASE + 0x60000 + (i) * 0x4000ULL)
#define NR_THREADS   3
#define ASYNCIO	     (FAKE_BASE + 0x3000)
#define TASK_NODE    208 /* this and the next two: not those of any build */
#define INTERP_HEAD  0x2000
#define TSTATE_HEAD  0x1800
#define TID	     500
#define PENDING	     0
#define DONE	     2
#define SLOTS	     64 /* of which each other one is in use: see add_key() */
#define FOR_EVER     UINT64_MAX

static uint64_t loops[NR_THREADS]; /* the last one runs nowhere */
static uint64_t set, eager, none;
static struct task_tables tables;
static struct ev_tasks ev;

static inline uint64_t put_set(unsigned slots)
{
	uint64_t addr = put_object("set", 64);

	put_member(addr, 32, slots - 1);
	put_member(addr, 40, room(slots * 16));
	return addr;
}

static inline uint64_t member(uint64_t addr, uint64_t offset)
{
	return procmem_word(&fake.mem, addr + layout.object_shift + offset);
}

static inline uint64_t slot_of(uint64_t set_addr, unsigned i)
{
	return member(set_addr, 40) + i * 16ULL;
}

static inline void add_key(uint64_t set_addr, uint64_t key)
{
	uint64_t used = member(set_addr, 24), slot = slot_of(set_addr, (unsigned)used * 2);

	/* Every other slot is one that is empty, or whose entry was taken out. */
	fake_put_u64(&fake, slot, key);
	fake_put_u64(&fake, slot + 8, 77);
	fake_put_u64(&fake, slot + 16, used % 2 ? TYPES : 0);
	fake_put_u64(&fake, slot + 24, used % 2 ? UINT64_MAX : 0);
	put_member(set_addr, 24, used + 1);
}

static inline uint64_t put_weakref(uint64_t object)
{
	uint64_t ref = put_object("weakref.ReferenceType", 72);

	put_member(ref, 16, object);
	return ref;
}

static inline void link_node(uint64_t head, uint64_t node)
{
	uint64_t last = procmem_word(&fake.mem, head + 8);

	fake_put_u64(&fake, last, node);
	fake_put_u64(&fake, node, head);
	fake_put_u64(&fake, node + 8, last);
	fake_put_u64(&fake, head + 8, node);
}

static inline void put_head(uint64_t head)
{
	fake_put_u64(&fake, head, head);
	fake_put_u64(&fake, head + 8, head);
}

static inline uint64_t put_future(const char *type, uint64_t loop, unsigned state, uint64_t waiter)
{
	uint64_t addr = put_object(type, 256);

	put_member(addr, 16, loop);
	fake_put_u32(&fake, addr + layout.object_shift + row.future_state, state);
	put_member(addr, row.task_waiter, waiter);
	return addr;
}

static inline uint64_t put_task(uint64_t loop, unsigned state, uint64_t waiter)
{
	uint64_t task = put_future("_asyncio.Task", loop, state, waiter);

	if (layout.minor <= 13)
		add_key(set, put_weakref(task));
	else if (state == PENDING)
		link_node(loop == loops[1] ? TSTATE(1) + TSTATE_HEAD :
			  loop == loops[2] ? INTERP + INTERP_HEAD : TSTATE(0) + TSTATE_HEAD, task + TASK_NODE);
	return task;
}

static inline uint64_t put_pending(void)
{
	return put_future("_asyncio.Future", loops[0], PENDING, 0);
}

static inline void put_tid(uint64_t tstate, uint32_t tid)
{
	uint64_t ident = FAKE_BASE + 0x7800;

	fake_put_u64(&fake, tstate + layout.tstate_thread_id, ident + tid);
	if (layout.tstate_native_id)
		fake_put_u32(&fake, tstate + layout.tstate_native_id, tid);
	else
		fake_put_u32(&fake, ident + tid + layout.pthread_tid, tid);
}

/* The thread runs the loop, and of it the task; 0: none. */
static inline void put_running(uint64_t tstate, uint64_t loop, uint64_t task)
{
	uint64_t value = loop, dict;

	if (layout.running_loop_holder) {
		value = put_object("_asyncio.PyRunningLoopHolder", 40);
		put_member(value, layout.running_loop_holder, loop);
	}
	if (layout.tstate_running_loop) {
		fake_put_u64(&fake, tstate + layout.tstate_running_loop, value);
	} else {
		dict = put_dict(8, KIND_UNICODE);
		fake_put_u64(&fake, tstate + layout.tstate_dict, dict);
		put_entry(dict, 8, KIND_UNICODE, put_str("another"), none);
		put_entry(dict, 8, KIND_UNICODE, put_str("__asyncio_running_event_loop__"), value);
	}
	if (layout.minor >= 14)
		fake_put_u64(&fake, tstate + layout.tstate_running_task, task);
	else if (task)
		put_entry(layout.current_tasks_addr, 8, 0, loop, task);
}

/* Three threads, of which two run a loop; no task yet. */
static inline void put_process(unsigned minor, bool is_free_threaded)
{
	uint64_t table[13] = { [6] = TASK_NODE, [8] = INTERP_HEAD, [12] = TSTATE_HEAD };

	setup_build(minor, is_free_threaded);
	put_interpreter();
	fake.mem.budget_bytes = TASKS_BUDGET_BYTES;
	fake_put(&fake, ASYNCIO, table, sizeof(table));
	put_head(INTERP + INTERP_HEAD);
	fake_put_u64(&fake, INTERP + row.interp_threads, TSTATE(0));
	for (unsigned i = 0; i < NR_THREADS; i++) {
		if (i + 1 < NR_THREADS)
			fake_put_u64(&fake, TSTATE(i) + 8, TSTATE(i + 1));
		loops[i] = put_object("_UnixSelectorEventLoop", 64);
		put_tid(TSTATE(i), TID + 8 * i);
		/* Of the third it is all zero: not set up yet. */
		if (i < 2)
			put_head(TSTATE(i) + TSTATE_HEAD);
	}
	none = put_object("NoneType", 256);
	set = put_set(2 * SLOTS);
	eager = minor >= 12 && minor <= 13 ? put_set(8) : 0;
	if (minor <= 13)
		layout.current_tasks_addr = put_dict(8, 0);
	put_running(TSTATE(1), loops[1], 0);
	tables = (struct task_tables){ 0 };
	if (minor <= 13) {
		tables.set_addr[0] = set;
		tables.set_addr[1] = eager;
	} else {
		tables.lists_addr = ASYNCIO;
	}
}

static inline void count(void)
{
	memset(&ev, 0xff, sizeof(ev));
	tasks_read(&fake.mem, &layout, &tables, FOR_EVER, &ev);
	assert_int_equal(ev.head.type, EV_TASKS);
	assert_int_equal(ev.head.size, sizeof(ev));
}

static inline void assert_loop(unsigned thread, unsigned running, unsigned ready, unsigned waiting)
{
	unsigned i = 0;

	while (i < ev.nr_loops && ev.loops[i].ns_tid != TID + 8 * thread)
		i++;
	assert_true(i < ev.nr_loops);
	assert_int_equal(ev.loops[i].nr[TASK_STATE_RUNNING], running);
	assert_int_equal(ev.loops[i].nr[TASK_STATE_READY], ready);
	assert_int_equal(ev.loops[i].nr[TASK_STATE_WAITING], waiting);
}

static inline void on_every_build(void (*check)(void))
{
	for (unsigned minor = LAYOUT_MINOR_FIRST; minor <= LAYOUT_MINOR_LAST; minor++)
		for (unsigned is_free = 0; is_free <= (minor >= 13); is_free++) {
			put_process(minor, is_free);
			check();
		}
}

#endif
