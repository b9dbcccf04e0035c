/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Loops that leave no note in the thread state: known by the Python functions at their wait and below
 * their callbacks.  One row a kind; to teach a new one see CONTRIBUTING.md.  Same rules as pyframe.h.
 *
 * Sources: trio/_core/_run.py and _io_epoll.py (0.22, 0.29, 0.34), twisted/internet/base.py and epollreactor.py
 * (22.4), gevent/hub.py (22.10).
 */
#ifndef PYLOOPS_H
#define PYLOOPS_H

#include "pyrunning.h"

/*
 * kind; the function that waits, and the end of its file; its caller, likewise: the loop; the function
 * below all callbacks, and how many frames further out the loop is.  Without a caller: the thread's
 * stack begins with the function that waits.
 */
/* clang-format off */
#define PYLOOP_LIST(X)                                                                           \
	X(LOOP_KIND_TRIO, "get_events", "trio/_core/_io_epoll.py",                               \
	  "run", "trio/_core/_run.py", "unrolled_run", 1)                                        \
	X(LOOP_KIND_TWISTED, "doPoll", "twisted/internet/epollreactor.py",                       \
	  "mainLoop", "twisted/internet/base.py", "mainLoop", 0)                                 \
	X(LOOP_KIND_GEVENT, "run", "gevent/hub.py", "", "", "", 0)
/* clang-format on */

/* A str that ends with text of len (<= PY_TEXT_MAX) bytes; one of wide characters is not looked at. */
static __always_inline int pyloop_ends(struct scratch *s, u64 addr, const char *text, u32 len)
{
	u64 head = pyobject(&s->layout, addr), length = read_user_u64(head + PYSTR_LENGTH_AT);
	u32 state = 0;

	if (length < len || length > EV_NAME_MAX || read_user(&state, sizeof(state), head + PYSTR_STATE_AT))
		return 0;
	state = pystr_state_of(&s->layout, state);
	if ((state >> 2 & 7) != 1) /* kind: bytes of a character */
		return 1;
	addr += state >> 6 & 1 ? s->layout.str_ascii_data : s->layout.str_compact_data;
	return pystr_is_text(addr + length - len, text, len);
}

static __always_inline int pyloop_is_frame(struct scratch *s, u32 index, const char *name, u32 name_len,
					   const char *file, u32 file_len)
{
	u64 code = s->frames[index & (EV_MAX_FRAMES - 1)].code_addr;
	u64 str = read_user_u64(code + s->layout.code_name);

	return pyobject_u64(&s->layout, str, PYSTR_LENGTH_AT) == name_len &&
	       pystr_is_text(str + s->layout.str_ascii_data, name, name_len) &&
	       pyloop_ends(s, read_user_u64(code + s->layout.code_filename), file, file_len);
}
#define PYLOOP_IS(s, index, name, file) \
	pyloop_is_frame(s, index, name, sizeof(name) - 1, file, sizeof(file) - 1)

/* After the two innermost frames were walked, or all there are: whose wait is this? */
static __always_inline u32 pyloop_of_wait(struct scratch *s)
{
#define X(kind, wait, wait_file, caller, caller_file, runner, further)                              \
	if ((sizeof(caller) > 1 ? s->nr > 1 : s->nr == 1 && !s->frame_addr) &&                      \
	    PYLOOP_IS(s, 0, wait, wait_file) &&                                                     \
	    (sizeof(caller) == 1 || PYLOOP_IS(s, 1, caller, caller_file)))                          \
		return kind;
	PYLOOP_LIST(X)
#undef X
	return LOOP_KIND_UNKNOWN;
}

/* The kind whose callbacks that frame of the walk runs; *depth is set to that of its loop. */
static __always_inline u32 pyloop_of_runner(struct scratch *s, u32 index, u32 *depth)
{
#define X(kind, wait, wait_file, caller, caller_file, runner, further)                              \
	if (sizeof(caller) > 1 && s->nr > index + further && PYLOOP_IS(s, index, runner, caller_file)) { \
		*depth = s->nr - index - further;                                                   \
		return kind;                                                                        \
	}
	PYLOOP_LIST(X)
#undef X
	return LOOP_KIND_UNKNOWN;
}

/*
 * gevent: a greenlet's stack is its own, and the hub is on none but its own.  The stack of a thread's
 * first greenlet begins with what no greenlet runs: a module's code, threading's _bootstrap, or, with
 * `python -m`, _run_module_as_main.  As much as is compared has to do for these names.
 */
static __always_inline int pyloop_is_greenlet(struct scratch *s)
{
	u32 last = (s->nr - 1) & (EV_MAX_FRAMES - 1);
	u64 code = s->frames[last].code_addr, name;

	if (!s->nr || s->status != STACK_OK || s->flags & STACK_TRUNCATED)
		return 0;
	if (s->passing[last >> 6 & 1] & 1ULL << (last & 63))
		return 0;
	name = read_user_u64(code + s->layout.code_name) + s->layout.str_ascii_data;
	switch (read_user_u64(name)) {
	case NAME8('_', 'b', 'o', 'o', 't', 's', 't', 'r'):
		return !pyloop_ends(s, read_user_u64(code + s->layout.code_filename), "threading.py", 12);
	case NAME8('_', 'r', 'u', 'n', '_', 'm', 'o', 'd'):
		return read_user_u64(name + 8) != NAME8('u', 'l', 'e', '_', 'a', 's', '_', 'm');
	}
	return 1;
}

/* The code object that the innermost frame of a thread runs; 0: none. */
static __always_inline u64 pyloop_current_code(const struct py_layout *l, u64 tstate_addr)
{
	u64 frame = read_user_u64(tstate_addr + l->tstate_frame);

	if (frame && l->has_cframe)
		frame = read_user_u64(frame + l->cframe_frame);
	return frame ? read_user_u64(frame + l->frame_code) & ~PY_REF_TAGS : 0;
}

#endif
