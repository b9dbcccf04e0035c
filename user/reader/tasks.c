/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * To 3.13 asyncio has a WeakSet of all tasks, the done ones among them that somebody still holds; from 3.12 on also a
 * set of those whose first step is under way.  From 3.14 on tasks that are not done are in lists: one of each thread
 * state, and one of the interpreter, for what threads that ended left behind.
 *
 * The target changes them meanwhile.  A set that got another table is read again from the start.  In a list each
 * node must name as the one before it that we came from: else it was taken out while we were on the way to it,
 * and where it leads now is anyone's guess; the walk begins anew.  That also ends forged lists.
 *
 * A read of another process costs much the same for a word and for a page, and objects of a kind are side by side: so
 * pages are kept for as long as a walk goes on, but for lists and tables, which must be as they are now.
 */
#include "tasks.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "debugoffsets.h"
#include "layout.h"
#include "loops.h"
#include "pyattribute.h"
#include "pydict.h"
#include "util.h"

#define MAX_TRIES	4 /* of a walk that the running target tore */
#define MAX_THREADS	4096
#define MAX_BASES	8
#define TYPES_KNOWN	16
#define PAGE_BYTES	4096
#define PAGES_KEPT	64 /* 2^6 */
#define FEW_LOOKS	4  /* at tasks: to copy pages takes longer than to read as many words */
#define LOOKS_A_CHECK	64 /* looks at tasks between two looks at the clock */
#define TSTATE_NEXT	8  /* PyThreadState.next, 3.9 to 3.15 */
#define OBJECT_TYPE	8  /* this and those of types, sets, weak references, futures: + layout->object_shift */
#define TYPE_NAME	24
#define TYPE_BASE	256
#define FUTURE_LOOP	16 /* FutureObj.fut_loop, Modules/_asynciomodule.c, 3.9 to 3.15 */
#define STATE_PENDING	0
#define WEAKREF_OBJECT	16 /* PyWeakReference.wr_object, Include/cpython/weakrefobject.h, 3.9 to 3.15 */
#define SET_USED	24 /* PySetObject, Include/cpython/setobject.h, 3.9 to 3.15: used, mask, table */
#define SET_MAX_SLOTS	(1u << 20)
#define SET_AT_ONCE	256 /* slots of one read */
#define DUMMY_HASH	UINT64_MAX /* of a slot whose entry was taken out */
#define TASK_BYTES	576 /* up to where a task_node can end: see debugoffsets.c */

enum kind { KIND_OTHER, KIND_NONE, KIND_FUTURE, KIND_TASK };

struct page {
	uint64_t addr; /* 0: none */
	uint8_t bytes[PAGE_BYTES];
};

struct walk {
	struct mem *mem;
	struct page *pages; /* PAGES_KEPT of them, each where a hash of its number says */
	const struct py_layout *layout;
	struct running_loop loops[EV_MAX_LOOPS];
	unsigned nr_loops;
	struct ev_tasks *ev;
	uint16_t state, waiter, node; /* in a task or future */
	uint64_t end_ns;
	unsigned nr_looked;
	struct {
		uint64_t addr;
		enum kind kind;
	} types[TYPES_KNOWN]; /* most tasks are of one type, and what they wait for is of few */
	unsigned next_type;
};

struct task {
	uint64_t addr, loop, waiter, next, previous;
	uint32_t state;
	enum kind kind;
};

struct set {
	uint64_t used, mask, table;
};

void tasks_begin(enum tasks_status status, uint32_t pid, struct ev_tasks *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->head.type = EV_TASKS;
	ev->head.size = sizeof(*ev);
	ev->head.loop_id = EV_NO_LOOP;
	ev->pid = pid;
	ev->status = status;
}

/* The `set` within an object that a module has. */
static uint64_t find_set(struct mem *mem, const struct py_layout *layout, uint64_t modules, const char *name)
{
	uint64_t object;

	if (pydict_find_in_module(mem, layout, modules, "_asyncio", name, &object))
		return 0;
	if (pydict_is_type(mem, layout, object, "WeakSet"))
		object = pyattribute_find(mem, layout, object, "data");
	return pydict_is_type(mem, layout, object, "set") ? object : 0;
}

int tasks_find_sets(struct mem *mem, const struct py_layout *layout, struct task_tables *tables)
{
	uint64_t modules;

	memset(tables, 0, sizeof(*tables));
	if (layout->minor > 13 || layout_modules(mem, layout->runtime_addr, layout->version, &modules))
		return -ENOENT;
	tables->set_addr[0] = find_set(mem, layout, modules, layout->minor <= 11 ? "_all_tasks" : "_scheduled_tasks");
	if (layout->minor >= 12)
		tables->set_addr[1] = find_set(mem, layout, modules, "_eager_tasks");
	return tables->set_addr[0] ? 0 : -ENOENT;
}

/* ---- one task ---- */

static bool is_named(struct walk *walk, uint64_t name_addr, const char *name)
{
	char text[24];
	size_t len = strlen(name) + 1;

	return !procmem_read(walk->mem, name_addr, text, len) && !memcmp(text, name, len);
}

/* By the type or what it is derived from. */
static enum kind look_at_type(struct walk *walk, uint64_t type)
{
	for (unsigned i = 0; type && i < MAX_BASES; i++) {
		uint64_t name = pyattribute_word(walk->mem, walk->layout, type, TYPE_NAME);

		if (is_named(walk, name, "_asyncio.Task"))
			return KIND_TASK;
		if (is_named(walk, name, "_asyncio.Future"))
			return KIND_FUTURE;
		if (is_named(walk, name, "NoneType"))
			return KIND_NONE;
		type = pyattribute_word(walk->mem, walk->layout, type, TYPE_BASE);
	}
	return KIND_OTHER;
}

static enum kind kind_of_type(struct walk *walk, uint64_t type)
{
	unsigned i = 0;

	while (i < TYPES_KNOWN && walk->types[i].addr != type)
		i++;
	if (i == TYPES_KNOWN) {
		i = walk->next_type++ % TYPES_KNOWN;
		walk->types[i].addr = type;
		walk->types[i].kind = look_at_type(walk, type);
	}
	return walk->types[i].kind;
}

/* By the page that it is in, if that is there as a whole, and there are many. */
static int read_object(struct walk *walk, uint64_t addr, void *buf, size_t len)
{
	uint64_t page_addr = addr & ~(PAGE_BYTES - 1ULL);
	/* Fibonacci hashing: a set leads through its objects in strides of powers of two. */
	struct page *page = &walk->pages[page_addr / PAGE_BYTES * 0x9e3779b97f4a7c15ULL >> 58];

	if (walk->nr_looked <= FEW_LOOKS || addr - page_addr + len > PAGE_BYTES)
		return procmem_read(walk->mem, addr, buf, len);
	if (page->addr != page_addr || !page_addr) {
		page->addr = 0;
		if (procmem_read(walk->mem, page_addr, page->bytes, PAGE_BYTES))
			return procmem_read(walk->mem, addr, buf, len);
		page->addr = page_addr;
	}
	memcpy(buf, page->bytes + (addr - page_addr), len);
	return 0;
}

/* A task, or a future, which has no waiter and no node. */
static int read_task(struct walk *walk, uint64_t addr, bool is_whole, struct task *task)
{
	unsigned shift = walk->layout->object_shift;
	size_t end = is_whole ? max(walk->waiter + 8u, walk->node ? walk->node + 16u : 0u) : walk->state + 4u;
	uint8_t raw[TASK_BYTES];
	uint64_t type;
	int err;

	if (!addr || addr % 8 || end > sizeof(raw))
		return -EBADMSG;
	err = is_whole && walk->node ? procmem_read(walk->mem, addr, raw, end) : read_object(walk, addr, raw, end);
	if (err)
		return err;
	task->addr = addr;
	memcpy(&type, raw + shift + OBJECT_TYPE, sizeof(type));
	memcpy(&task->loop, raw + shift + FUTURE_LOOP, sizeof(task->loop));
	memcpy(&task->state, raw + walk->state, sizeof(task->state));
	if (is_whole)
		memcpy(&task->waiter, raw + walk->waiter, sizeof(task->waiter));
	if (is_whole && walk->node) {
		memcpy(&task->next, raw + walk->node, sizeof(task->next));
		memcpy(&task->previous, raw + walk->node + 8, sizeof(task->previous));
	}
	task->kind = kind_of_type(walk, type);
	return 0;
}

/* What it waits for may be done: then the loop has been told to go on with the task. Others' futures we cannot read. */
static bool is_waiting(struct walk *walk, const struct task *task)
{
	struct task waiter;

	if (!task->waiter)
		return false;
	return read_task(walk, task->waiter, false, &waiter) || waiter.kind < KIND_FUTURE ||
	       waiter.state == STATE_PENDING;
}

static void count_task(struct walk *walk, const struct task *task)
{
	struct ev_tasks *ev = walk->ev;
	enum task_state state;
	unsigned i = 0;

	if (task->state != STATE_PENDING)
		return;
	while (i < ev->nr_loops && walk->loops[i].loop_addr != task->loop)
		i++;
	if (i == ev->nr_loops) {
		ev->nr_uncounted++;
		return;
	}
	if (walk->loops[i].task_addr == task->addr)
		state = TASK_STATE_RUNNING;
	else
		state = is_waiting(walk, task) ? TASK_STATE_WAITING : TASK_STATE_READY;
	ev->loops[i].nr[state]++;
}

/* Before each look at one. True: enough. */
static bool is_enough(struct walk *walk)
{
	if (walk->nr_looked < TASKS_MAX &&
	    (walk->nr_looked % LOOKS_A_CHECK || clock_host_ns() < walk->end_ns)) {
		walk->nr_looked++;
		return false;
	}
	walk->ev->status = TASKS_CUT;
	return true;
}

static void count_rest(struct walk *walk, uint64_t nr)
{
	walk->ev->nr_uncounted += (uint32_t)min(nr, (uint64_t)UINT32_MAX - walk->ev->nr_uncounted);
}

/* ---- sets: to 3.13 ---- */

static int read_set(struct walk *walk, uint64_t addr, struct set *set)
{
	if (!pydict_is_type(walk->mem, walk->layout, addr, "set"))
		return -EBADMSG;
	return procmem_read(walk->mem, addr + walk->layout->object_shift + SET_USED, set, sizeof(*set));
}

/* An entry that is gone, or whose task is, was not ours to count. */
static void count_entry(struct walk *walk, uint64_t slot_addr, uint64_t key, bool is_weak)
{
	uint64_t addr = key;
	struct task task;

	if ((!is_weak || !read_object(walk, key + walk->layout->object_shift + WEAKREF_OBJECT, &addr, sizeof(addr))) &&
	    !read_task(walk, addr, true, &task)) {
		if (task.kind == KIND_TASK)
			count_task(walk, &task);
		if (task.kind == KIND_TASK || task.kind == KIND_NONE)
			return;
	}
	if (procmem_word(walk->mem, slot_addr) == key)
		walk->ev->nr_uncounted++;
}

static int walk_slots(struct walk *walk, const struct set *set, bool is_weak)
{
	uint64_t slots[SET_AT_ONCE][2], nr = min(set->mask, SET_MAX_SLOTS - 1ULL) + 1, seen = 0;

	for (uint64_t first = 0; first < nr && seen < set->used; first += SET_AT_ONCE) {
		uint64_t at = set->table + first * sizeof(slots[0]), some = min(nr - first, (uint64_t)SET_AT_ONCE);

		if (procmem_read(walk->mem, at, slots, some * sizeof(slots[0])))
			return -EAGAIN;
		for (unsigned i = 0; i < some; i++) {
			if (!slots[i][0] || slots[i][1] == DUMMY_HASH)
				continue;
			if (is_enough(walk)) {
				count_rest(walk, set->used - min(seen, set->used));
				return 0;
			}
			seen++;
			count_entry(walk, at + i * sizeof(slots[0]), slots[i][0], is_weak);
		}
	}
	if (nr <= set->mask && seen < set->used) {
		walk->ev->status = TASKS_CUT;
		count_rest(walk, set->used - seen);
	}
	return 0;
}

static int walk_set(struct walk *walk, uint64_t addr, bool is_weak)
{
	struct set set, after;
	int err = read_set(walk, addr, &set);

	if (!err)
		err = walk_slots(walk, &set, is_weak);
	if (!err)
		err = read_set(walk, addr, &after);
	if (err)
		return err;
	return after.mask == set.mask && after.table == set.table ? 0 : -EAGAIN;
}

static int walk_sets(struct walk *walk, const struct task_tables *tables)
{
	int err = 0;

	for (unsigned i = 0; !err && i < ARRAY_SIZE(tables->set_addr); i++)
		if (tables->set_addr[i])
			err = walk_set(walk, tables->set_addr[i], i == 0);
	return err;
}

/* ---- lists: 3.14 and later ---- */

static int walk_list(struct walk *walk, uint64_t head)
{
	uint64_t node = procmem_word(walk->mem, head), before = head;

	/* A thread state's may not be set up yet. */
	while (node && node != head) {
		struct task task;

		if (is_enough(walk)) {
			count_rest(walk, 1); /* at least: it has no count */
			return 0;
		}
		if (read_task(walk, node - walk->node, true, &task) || task.previous != before ||
		    task.kind != KIND_TASK)
			return -EAGAIN;
		count_task(walk, &task);
		before = node;
		node = task.next;
	}
	return node || before == head ? 0 : -EAGAIN;
}

static int walk_lists(struct walk *walk, const struct task_lists *lists)
{
	const struct py_layout *layout = walk->layout;
	uint64_t interp, tstate;
	int err = layout_interpreter(walk->mem, layout->runtime_addr, layout->version, &interp);

	if (!err)
		err = layout_first_thread(walk->mem, layout->runtime_addr, layout->version, &tstate);
	for (unsigned i = 0; !err && tstate; i++) {
		if (i == MAX_THREADS) {
			walk->ev->status = TASKS_CUT;
			count_rest(walk, 1);
			break;
		}
		err = walk_list(walk, tstate + lists->tstate_head);
		tstate = procmem_word(walk->mem, tstate + TSTATE_NEXT);
	}
	return err ? err : walk_list(walk, interp + lists->interp_head);
}

/* ---- all of it ---- */

/* Nothing counted yet. */
static void begin(struct walk *walk)
{
	struct ev_tasks *ev = walk->ev;

	tasks_begin(TASKS_OK, 0, ev);
	walk->nr_looked = 0;
	for (unsigned i = 0; i < PAGES_KEPT; i++)
		walk->pages[i].addr = 0;
	ev->nr_loops = walk->nr_loops;
	for (unsigned i = 0; i < ev->nr_loops; i++)
		ev->loops[i].ns_tid = walk->loops[i].ns_tid;
}

static int try_walk(struct walk *walk, const struct task_tables *tables)
{
	struct task_lists lists;
	int err;

	if (walk->layout->minor <= 13)
		return walk_sets(walk, tables);
	err = debugoffsets_read_task_lists(walk->mem, tables->lists_addr, &lists);
	if (err)
		return err;
	walk->node = lists.task_node;
	return walk_lists(walk, &lists);
}

void tasks_read(struct mem *mem, const struct py_layout *layout, const struct task_tables *tables,
		uint64_t end_ns, struct ev_tasks *ev)
{
	const struct layout_row *row = layout_find(layout->minor);
	cleanup_free struct page *pages = malloc(PAGES_KEPT * sizeof(*pages));
	struct walk walk = { .mem = mem, .pages = pages, .layout = layout, .ev = ev, .end_ns = end_ns };
	int err = -EAGAIN;

	if (!row || !(layout->minor <= 13 ? tables->set_addr[0] && layout->current_tasks_addr : tables->lists_addr)) {
		tasks_begin(TASKS_ABSENT, 0, ev);
		return;
	}
	walk.state = row->future_state + layout->object_shift;
	walk.waiter = row->task_waiter + layout->object_shift;
	if (!pages) {
		tasks_begin(TASKS_UNREADABLE, 0, ev);
		return;
	}
	walk.nr_loops = loops_running(mem, layout, walk.loops, EV_MAX_LOOPS);
	for (unsigned i = 0; i < MAX_TRIES && err == -EAGAIN; i++) {
		begin(&walk);
		err = try_walk(&walk, tables);
	}
	if (err)
		tasks_begin(TASKS_UNREADABLE, 0, ev);
}
