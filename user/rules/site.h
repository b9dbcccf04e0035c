/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A stack in, the frames that a report speaks of out. */
#ifndef SITE_H
#define SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "rules.h"

/* Indices into stack->frames; -1: none. */
struct site {
	int site; /* innermost frame of the application inside the loop, of generated code only if
		     there is no other; else the innermost frame */
	int coroutine;	/* innermost coroutine or async generator inside the loop */
	int callback;	/* what the loop called, if that is no coroutine */
	int called; /* what the loop called, of whatever kind: the outermost one inside the loop */
	int nr_library; /* frames [0, nr_library) are libraries that the site called; all inside if
			   it has none */
};

/* stack may be NULL; loop too, for the stack of a thread that is not the loop's. */
void site_find(const struct rules_config *config, const struct loop *loop,
	       const struct stack *stack, struct site *out);

/* The same of the frames from `first` on: what is further in is no matter of the site. */
void site_find_from(const struct rules_config *config, const struct loop *loop,
		    const struct stack *stack, int first, struct site *out);

/* The folder of the standard library, with its last slash, within a frame's file. */
struct stdlib {
	const char *path;
	size_t len; /* 0: not known */
};
/* Where the standard library is, from the frames of asyncio that run the loop; stack may be NULL.
 */
struct stdlib site_stdlib_of(const struct stack *stack);
/*
 * The standard library: what is below its folder outside of site-packages, and frozen modules.  If
 * the folder is not known (or stdlib is NULL), lib/python3.N or a zipped library.
 */
bool site_is_stdlib(const struct stdlib *stdlib, const char *file);
/* The standard library, installed packages and what the configuration adds; config and stdlib may
 * be NULL. */
bool site_is_library(const struct rules_config *config, const struct stdlib *stdlib,
		     const char *file);

/* file ends with suffix, at a path component. */
bool site_path_ends(const char *file, const char *suffix);
/* file has part as one or more whole components. */
bool site_path_has(const char *file, const char *part);

/* The site is silenced by the allow-list. */
bool site_is_allowed(const struct rules_config *config, const struct frame *frame);
/* Same file, function and line: one site. */
bool site_is_same(const struct frame *a, const struct frame *b);

#endif
