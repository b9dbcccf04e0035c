/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What both halves must know of a CPython to read it: a part of the stream's ABI, see events.h. */
#ifndef PYLAYOUT_H
#define PYLAYOUT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

/*
 * Where things are in a target.  Offsets are bytes; a field that a version does not have is 0.
 * The kernel half reads frames with it, the reader names.  What only old and what only new versions
 * have shares its place where the comments say so: recordings hold this structure.
 *
 * musl keeps a thread's values in memory of their own: a tstate_slot from PY_SLOT_MUSL up is 0x10000 * (where the
 * pointer to that is, from the FS base) + where in it.  No slot of glibc's is that far up.
 */
#define PY_SLOT_MUSL 0x10000

struct py_layout {
	__u64 runtime_addr; /* _PyRuntime */
	__u64 gil_addr;	    /* the main interpreter's struct _gil_runtime_state; 0: not known */
	__u16 gil_bytes;    /* futex words in [gil_addr, gil_addr + gil_bytes) are the GIL's */
	__u16 frame_tlbc;   /* free-threaded 3.14+: _PyInterpreterFrame.tlbc_index, an int; else 0 */
	__u32 version;	    /* hex as sys.hexversion */
	__s32 tstate_slot;  /* from the thread's FS base to its PyThreadState pointer; musl: see PY_SLOT_MUSL */
	__u16 minor;	    /* 9 .. 15 */
	__u8 valid;	    /* 1: stacks can be read */
	/*
	 * Free-threaded builds begin an object with 32 bytes and not with 16 (Include/object.h): how much further in
	 * all its members are than pyrunning.h and its like have them.  The offsets of code objects, of
	 * str and of a task below have it in them.
	 */
	__u8 object_shift;
	/* PyThreadState */
	__u16 tstate_frame;	   /* 3.9, 3.10: frame; 3.11, 3.12: cframe; 3.13+: current_frame */
	__u16 tstate_thread_id;	   /* == the thread's FS base */
	__u16 tstate_dict;
	__u16 tstate_running_loop; /* 3.13+: the running loop itself; before: 0, it is in the dict */
	union {
		__u16 cframe_frame;	   /* 3.11, 3.12: current_frame within the _PyCFrame */
		__u16 tstate_running_task; /* 3.14+: the running task itself; 0: see current_tasks_addr */
	};
	__u16 has_cframe;	   /* 1: tstate_frame leads to a _PyCFrame */
	/* PyFrameObject (3.9, 3.10) or _PyInterpreterFrame */
	__u16 frame_back;
	__u16 frame_code;
	__u16 frame_instr;	/* 3.9, 3.10: f_lasti (int); later: prev_instr or instr_ptr (pointer) */
	__u16 frame_owner;	/* 3.11+: owner, 1: owned by a generator, 3 and more: runs no code */
	union {
		__u16 frame_generator; /* 3.9, 3.10: f_gen, not NULL for generators */
		/* 3.13+: how far before collecting_addr the youngest generation's threshold and count are */
		__u16 gc_young; /* 0: not known */
	};
	__u16 frame_locals;	/* localsplus */
	__u16 instr_scale;	/* 3.9: 1, 3.10: 2 (f_lasti counts code units); later: 0, a pointer */
	/* PyCodeObject */
	__u16 code_flags;
	__u16 code_firstlineno;
	__u16 code_filename;
	__u16 code_name;
	__u16 code_qualname;	    /* 3.11+ */
	__u16 code_linetable;	    /* 3.9: co_lnotab */
	__u16 code_bytecode;	    /* 3.11+: co_code_adaptive */
	__u16 code_firsttraceable;  /* 3.11+ */
	__u16 str_ascii_data;	    /* of a compact ASCII str */
	__u16 str_compact_data;	    /* of a compact str that is not ASCII */
	__u16 running_loop_holder;  /* 3.9 to 3.11: rl_loop within the holder; later: 0, no holder */
	__u16 task_name;	    /* TaskObj.task_name */
	__u16 tstate_native_id;	    /* native_thread_id; 3.9, 3.10: 0, see pthread_tid */
	union {
		__u16 pthread_tid; /* 3.9, 3.10: from a thread's ident to its number */
		__u16 code_tlbc;   /* with frame_tlbc: PyCodeObject.co_tlbc */
	};
	__u16 gil_last_holder, gil_locked;
	__u16 run_once_ntodo;	    /* index of _run_once's local `ntodo`; 0: not known */
	__u16 trio_task; /* index of unrolled_run's local `task`, and 256 * (offset of Task.name / 8); 0: not known */
	__u16 loop_kinds; /* of those that ran when the process was looked at: 1 << enum loop_kind */
	__u64 current_tasks_addr;   /* to 3.13: the dict _asyncio._current_tasks; 0: not known (yet) */
	__u64 find_and_load_addr;   /* code object of importlib._bootstrap._find_and_load; 0: not known */
	__u64 collecting_addr;	    /* int, 1 while the collector runs; 0: not known */
};
_Static_assert(sizeof(struct py_layout) == 32 + 32 * 2 + 24, "stream ABI");

#endif
