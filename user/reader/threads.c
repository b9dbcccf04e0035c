/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The name of a thread.  The outermost frame of a threading.Thread is Thread._bootstrap(self): from its
 * first local leads one attribute to the name, with no dictionary of all threads and no module to be
 * found.  The thread runs meanwhile, but that frame stays while it lives.
 */
#include "threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "layout.h"
#include "procinfo.h"
#include "pyattribute.h"
#include "pystr.h"
#include "util.h"

#define MAX_THREADS	  4096
#define MAX_INTERPRETERS  256
#define MAX_FRAMES	  4096
#define MAX_TRIES	  3 /* of a walk that a running thread tore */
#define STATUS_BYTES_MAX  8192
#define TSTATE_NEXT	  8 /* PyThreadState.next, 3.9 to 3.15 */
#define FRAME_SPAN	  128
#define RUNS_NO_CODE	  3	/* and the owners above it, see pyframe.h */
#define REF_TAGS	  7ULL	/* 3.14+, likewise */

void threads_begin(uint64_t ident, uint32_t tid, struct ev_thread *thread)
{
	memset(thread, 0, sizeof(*thread));
	thread->head.type = EV_THREAD;
	thread->head.size = sizeof(*thread);
	thread->head.loop_id = EV_NO_LOOP;
	thread->ident = ident;
	thread->tid = tid;
}

/* In a list of threads, of which *nr_left may still be looked at. */
static uint64_t find_tstate(struct mem *mem, const struct py_layout *layout, uint64_t tstate, uint64_t ident,
			    unsigned *nr_left)
{
	for (; *nr_left && tstate; --*nr_left) {
		if (procmem_word(mem, tstate + layout->tstate_thread_id) == ident)
			return tstate;
		tstate = procmem_word(mem, tstate + TSTATE_NEXT);
	}
	return 0;
}

/* The outermost Python frame; 0: there is none, or the walk was torn. */
static uint64_t outermost_frame(struct mem *mem, const struct py_layout *layout, uint64_t tstate)
{
	uint64_t frame = procmem_word(mem, tstate + layout->tstate_frame), outermost = 0;
	size_t span = max((size_t)layout->frame_back + 8, (size_t)layout->frame_owner + 1);
	uint8_t raw[FRAME_SPAN];

	if (span > sizeof(raw))
		return 0;
	if (layout->has_cframe)
		frame = procmem_word(mem, frame ? frame + layout->cframe_frame : 0);
	for (unsigned i = 0; i < MAX_FRAMES; i++) {
		if (!frame)
			return outermost;
		if (procmem_read(mem, frame, raw, span))
			return 0;
		if (layout->instr_scale || raw[layout->frame_owner] < RUNS_NO_CODE)
			outermost = frame;
		memcpy(&frame, raw + layout->frame_back, sizeof(frame));
	}
	return 0;
}

/* The Thread that runs in a thread; 0: none, or it could not be read. */
static uint64_t find_thread(struct mem *mem, const struct py_layout *layout, uint64_t tstate)
{
	uint64_t frame = 0, code;

	for (unsigned i = 0; i < MAX_TRIES && !frame; i++)
		frame = outermost_frame(mem, layout, tstate);
	code = procmem_word(mem, frame ? frame + layout->frame_code : 0) & ~REF_TAGS;
	if (!code || !pystr_is(mem, layout, procmem_word(mem, code + layout->code_name), "_bootstrap"))
		return 0;
	return procmem_word(mem, frame + layout->frame_locals) & ~REF_TAGS;
}

/* A thread has a state in each interpreter that it was in, and its Thread in the one that started it. */
static uint64_t find_thread_of(struct mem *mem, const struct py_layout *layout, uint64_t ident)
{
	uint64_t lists[MAX_INTERPRETERS], tstate, thread = 0;
	unsigned nr_left = MAX_THREADS,
		 nr = layout_first_threads(mem, layout->runtime_addr, layout->version, lists, MAX_INTERPRETERS);

	while (nr-- && !thread) {
		tstate = find_tstate(mem, layout, lists[nr], ident, &nr_left);
		thread = tstate ? find_thread(mem, layout, tstate) : 0;
	}
	return thread;
}

int threads_python_name(struct mem *mem, const struct py_layout *layout, uint64_t ident, char *name,
			size_t room)
{
	uint64_t thread = find_thread_of(mem, layout, ident), text;
	size_t bytes;
	bool is_cut;
	int err;

	name[0] = '\0';
	text = thread ? pyattribute_find(mem, layout, thread, "_name") : 0;
	if (!text)
		return -ENOENT;
	err = pystr_read(mem, layout, text, name, room - 1, &bytes, &is_cut);
	name[err ? 0 : bytes] = '\0';
	return err;
}

static bool is_task(int proc_fd, const char *task, uint32_t tid)
{
	cleanup_free char *text = NULL;
	char path[300];
	size_t bytes;

	snprintf(path, sizeof(path), "task/%s/status", task);
	return !procinfo_read(proc_fd, path, STATUS_BYTES_MAX, &text, &bytes) &&
	       procinfo_parse_nspid(text, bytes) == tid;
}

/* The thread's number here, of its number in the target's PID namespace; 0: not found. */
static pid_t find_task(int proc_fd, uint32_t tid)
{
	int fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char task[16];
	pid_t found = 0;

	snprintf(task, sizeof(task), "%u", tid);
	if (is_task(proc_fd, task, tid)) /* mostly the namespaces are the same */
		found = (pid_t)tid;
	for (unsigned i = 0; dir && !found && i < MAX_THREADS && (entry = readdir(dir)); i++)
		if (is_task(proc_fd, entry->d_name, tid))
			found = (pid_t)strtol(entry->d_name, NULL, 10);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return found;
}

static void read_comm(int proc_fd, pid_t task, struct ev_thread *thread)
{
	cleanup_free char *text = NULL;
	char path[40];
	size_t bytes;

	snprintf(path, sizeof(path), "task/%d/comm", task);
	if (procinfo_read(proc_fd, path, EV_COMM_LEN, &text, &bytes) || !bytes)
		return;
	memcpy(thread->comm, text, bytes - 1); /* without its line's end */
}

void threads_read(struct mem *mem, pid_t pid, const struct py_layout *layout, uint64_t ident,
		  uint32_t tid, struct ev_thread *thread)
{
	cleanup_close int proc_fd = procinfo_open(pid);
	pid_t task;

	threads_begin(ident, tid, thread);
	if (proc_fd < 0)
		return;
	task = tid ? find_task(proc_fd, tid) : 0;
	if (task)
		read_comm(proc_fd, task, thread);
	threads_python_name(mem, layout, ident, thread->name, sizeof(thread->name));
	/* It has no _bootstrap. */
	if (task == pid && !thread->name[0])
		snprintf(thread->name, sizeof(thread->name), "MainThread");
}
