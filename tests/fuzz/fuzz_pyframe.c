/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Can a hostile process hurt the kernel half's reading of CPython?  The input is the process's memory;
 * the verifier proves that the real thing stays in bounds, this finds walks that go wrong in bounds.
 *
 * clang -fsanitize=fuzzer,address,undefined -Ibpf -Iuser/base -Iuser/reader tests/fuzz/fuzz_pyframe.c \
 *	user/reader/layout.c user/reader/procmem.c
 */
#include <stddef.h>

#define BPF_HOST_MEMORY_ELSEWHERE
#include "../unit/await_host.h"
#include "layout.h"
#include "pyending.h"
#include "pyhandle.h"
#include "pyimport.h"
#include "pytask.h"

#define WINDOW	  0xffff /* addresses repeat every 64 KiB: random pointers lead somewhere ... */
#define UNMAPPED  (1ULL << 47) /* ... unless this bit is set */
#define PLANTED	  (1ULL << 46) /* the strings that are looked for, which no chance finds */
#define FS_BASE	  0x100
#define SLOT	  0x18
/*
 * Two of each frame and shim, four more of each frame that runs no function: pyframe_passing_fingerprint(); two more of
 * one that runs a copy of its code.
 */
#define READS_MAX (8 + 2 * 2 * EV_MAX_FRAMES + 6 * EV_MAX_FRAMES)
#define DICT_READS_MAX (16 + 3 * PYRUNNING_MAX_ENTRIES)
#define TASK_READS_MAX (3 + 2 * PYTASK_MAX_READS + 20 + PYBUILTIN_BYTES)
#define HANDLE_READS_MAX 6 /* of one word of the stack */
/* Of each step: so much of each look, and of each word in it; of each coroutine to note it and to walk its frame. */
#define LOOK_READS_MAX	 (25 + 13 * PYAWAIT_MAX_WORDS)
#define STEP_READS_MAX	 ((1 + PYAWAIT_MAX_LOOKS) * LOOK_READS_MAX + 20 * PYAWAIT_MAX_COROUTINES)
#define AWAIT_READS_MAX (PYAWAIT_MAX_STEPS * STEP_READS_MAX)
#define KIND_READS_MAX (16 + 3 * EV_MAX_FRAMES)
#define FRAMES_READS_MAX (READS_MAX + 20 * (EV_MAX_FRAMES + 4))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *memory;
static size_t memory_bytes;
static unsigned nr_reads;

#define PLANTED_BYTES 128
static u8 planted[64][PLANTED_BYTES];

static void plant_str(unsigned at, const char *text, u32 ascii_data, u32 shift)
{
	u64 len = strlen(text);

	memcpy(planted[at] + shift + 16, &len, sizeof(len));
	planted[at][shift + 32] = 0x64; /* state: kind 1, compact, ascii */
	if (shift)
		planted[at][shift + 33] = 0x64 >> 2;
	if (ascii_data + len <= PLANTED_BYTES)
		memcpy(planted[at] + ascii_data, text, len);
}

static void plant_type(unsigned at, const char *name, u32 shift)
{
	u64 name_addr = PLANTED + (at + 1) * PLANTED_BYTES;

	memcpy(planted[at] + shift + PYTYPE_NAME, &name_addr, sizeof(name_addr));
	memcpy(planted[at + 1], name, strlen(name));
}

static void plant(const struct py_layout *layout)
{
	static const char *const loops[] = {
		"get_events", "trio/_core/_io_epoll.py",	 "run",	     "trio/_core/_run.py",
		"unrolled_run",  "doPoll",  "twisted/internet/epollreactor.py", "mainLoop",
		"twisted/internet/base.py", "gevent/hub.py", "_bootstrap", "threading.py",
	};
	static const char *const types[] = {
		"_asyncio.Task", "_asyncio.Future", "function",	 "method",	      "functools.partial",
		"TaskGroup",	 "CancelScope",	    "coroutine", "coroutine_wrapper", "async_generator_asend",
	};

	memset(planted, 0, sizeof(planted));
	plant_str(0, PYRUNNING_KEY, layout->str_ascii_data, layout->object_shift);
	plant_str(1, "_run_once", layout->str_ascii_data, layout->object_shift);
	plant_str(2, "_run", layout->str_ascii_data, layout->object_shift);
	plant_type(4, "uvloop.loop.Loop", layout->object_shift);
	plant_type(6, "NoneType", layout->object_shift);
	for (unsigned i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		plant_str(8 + i, loops[i], layout->str_ascii_data, layout->object_shift);
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		plant_type(24 + 2 * i, types[i], layout->object_shift);
	plant_str(44, "gather.<locals>._done_callback", layout->str_ascii_data, layout->object_shift);
	plant_str(45, "TaskGroup._spawn.<locals>.task_done", layout->str_ascii_data, layout->object_shift);
}

int host_read_user(void *to, __u32 size, __u64 addr)
{
	size_t at = addr & WINDOW;

	nr_reads++;
	if (addr & PLANTED && !(addr & UNMAPPED)) {
		at = addr & (sizeof(planted) - 1);
		if (size > sizeof(planted) - at)
			return -14;
		memcpy(to, (const u8 *)planted + at, size);
		return 0;
	}
	if (addr & UNMAPPED || at > memory_bytes || size > memory_bytes - at)
		return -14;
	memcpy(to, memory + at, size);
	return 0;
}

static void demand(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

/* Bounded in reads, whatever the memory holds. */
static void demand_reads(unsigned bound)
{
	demand(nr_reads <= bound);
	nr_reads = 0;
}

struct head {
	u8 minor, is_layout_hostile, is_in_wait, target_id;
};

/* The reader only checks so much of what a target says of its layout: take any. */
static void spoil(struct py_layout *layout, const uint8_t **data, size_t *size)
{
	size_t from = offsetof(struct py_layout, tstate_frame), n = sizeof(*layout) - from;

	if (*size < n)
		return;
	memcpy((u8 *)layout + from, *data, n);
	*data += n;
	*size -= n;
}

static void walk(struct scratch *s, const struct head *head)
{
	u32 kind, depth;

	py_walk(s, head->target_id);
	demand_reads(READS_MAX);
	demand(s->nr <= EV_MAX_FRAMES && s->status < STACK_STATUS_MAX);
	demand(s->flags == 0 || s->flags == STACK_TRUNCATED);
	for (u32 i = 0; i < s->nr; i++)
		demand(s->frames[i].offset_bytes >= -1 && !(s->frame_addrs[i] & 7));
	depth = s->nr;
	kind = py_wait_kind(s, head->is_in_wait & 1);
	demand_reads(KIND_READS_MAX);
	demand(kind < LOOP_KIND_MAX && s->nr <= depth);
	demand(kind == LOOP_KIND_UNKNOWN || s->nr > 0);
	kind = py_loop_by_frames(s, head->target_id, head->is_in_wait & 1);
	demand_reads(FRAMES_READS_MAX);
	demand(kind == LOOP_KIND_UNKNOWN || (LOOP_KIND_IS_BY_FRAMES(kind) && kind < LOOP_KIND_MAX));
	demand(s->nr <= EV_MAX_FRAMES && s->slot_addr == 0 && (kind == LOOP_KIND_UNKNOWN || s->slot_value));
	py_walk(s, head->target_id);
	depth = s->nr;
	for (kind = LOOP_KIND_TRIO; kind < LOOP_KIND_MAX; kind++) {
		nr_reads = 0;
		demand((u32)py_is_in_callback(s, kind) <= depth + 1 && s->nr == depth);
		demand_reads(FRAMES_READS_MAX);
	}
}

/* As pytask.bpf.c does; then whatever is there is taken for a task and for a Handle. */
static void find_task(struct scratch *s)
{
	struct ev_task *ev = pytask_record(s);
	u64 task = 0, handle = s->frame_addrs[0];

	s->layout.current_tasks_addr = 0x40;
	if (!pytask_begin(s))
		for (int i = 0; i < PYTASK_MAX_READS && s->dict_left && !task; i++)
			task = pytask_step(s, s->loop_addr);
	if (!pytask_name(s, task ? task : 0x80, 1)) {
		demand(ev->task_id & 1);
		demand(ev->name_bytes <= EV_TASK_NAME_BYTES);
		demand(!ev->kind || ev->name_bytes % ev->kind == 0);
	}
	pytask_of_callback(&s->layout, pytask_callback_of(&s->layout, handle), s->loop_addr);
	if (!pytask_builtin(s, pytask_builtin_of_callback(&s->layout, pytask_callback_of(&s->layout, handle)), 1))
		demand(ev->name_bytes && ev->name_bytes <= PYBUILTIN_BYTES && ev->name[0]);
	demand_reads(TASK_READS_MAX);
}

/* What uvloop runs, on a native stack that is not one; and what an import frame that is none imports. */
static void find_handle_and_import(struct scratch *s)
{
	nr_reads = 0;
	s->dict_left = 0;
	for (u32 chunk = 0; chunk < PYHANDLE_CHUNKS; chunk++)
		if (!pyhandle_read(s, s->frame_addrs[0], chunk))
			for (u32 i = 0; i < PYHANDLE_CHUNK; i++)
				pyhandle_is_running(s, s->buf.words[i], s->frame_addrs[0]);
	demand(s->dict_left <= PYHANDLE_MAX_SEEN);
	demand_reads(PYHANDLE_CHUNKS * (1 + HANDLE_READS_MAX * PYHANDLE_CHUNK));
	demand(pyimport_nr_inside(s, s->nr / 2) <= s->nr);
	if (!pyimport_name(s, 0, 1))
		demand(pytask_record(s)->name_bytes && pytask_record(s)->name_bytes <= EV_TASK_NAME_BYTES);
}

/* With whatever is there for a task that waits; and whether the interpreter ends. */
static void find_awaiting(struct scratch *s)
{
	struct loop_thread th = { .kind = LOOP_KIND_UVLOOP, .loop = s->loop_addr, .task = 0x80 };
	u32 nr = s->nr;

	nr_reads = 0;
	s->status = STACK_OK;
	s->flags = 0;
	await_walk(&th, s);
	demand(s->nr <= EV_MAX_FRAMES && s->nr - nr == s->nr_awaiting && !s->awaiting_at);
	pyending_is_ending(&s->layout);
	demand_reads(AWAIT_READS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scratch scratch;
	struct scratch *s = &scratch;
	struct head head;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	data += sizeof(head);
	size -= sizeof(head);
	memset(s, 0xa5, sizeof(*s));
	s->layout = layout_find(LAYOUT_MINOR_FIRST + head.minor % (LAYOUT_MINOR_LAST - LAYOUT_MINOR_FIRST + 1))->py;
	s->layout.tstate_slot = SLOT;
	if (head.is_layout_hostile & 2) { /* free-threaded */
		s->layout.object_shift = 16;
		s->layout.frame_tlbc = 72;
		s->layout.code_tlbc = 224;
	}
	if (head.is_layout_hostile & 1)
		spoil(&s->layout, &data, &size);
	plant(&s->layout);
	memory = data;
	memory_bytes = size;
	nr_reads = 0;
	s->status = STACK_OK;
	/* As wait.bpf.c does; but a thread that is not found is walked from the start of memory. */
	if (pyframe_thread(s, FS_BASE)) {
		demand(s->status == STACK_NO_THREAD_STATE || s->status == STACK_BAD_THREAD_STATE);
		s->tstate_addr = 0x40;
	}
	demand_reads(2);
	if (py_running_loop(s))
		s->loop_addr = 0x80;
	else
		demand(s->loop_addr && s->slot_addr);
	demand_reads(DICT_READS_MAX);
	walk(s, &head);
	find_task(s);
	find_handle_and_import(s);
	find_awaiting(s);
	return 0;
}
