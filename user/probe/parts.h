/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel half's programs are loaded in two parts, side by side: most of the time from a start to the first
 * thing seen goes to the kernel's verifier, which works for a program on one CPU.  The skeleton makes the maps
 * and loads no program; each part is an object of the same bytes that takes over these maps.
 */
#ifndef PARTS_H
#define PARTS_H

#include <bpf/libbpf.h>

#define PARTS_NR 2

/* A file in memory, and its path. */
struct parts_file {
	int fd;
	char path[32];
};

/* All zero: nothing is loaded. */
struct parts {
	struct bpf_object *objects[PARTS_NR];
	struct parts_file own; /* of the skeleton's own types */
};

/* With what the skeleton is to be opened: sets opts, which live as long as parts.  0 or a negative errno. */
int parts_open(struct parts *parts, struct bpf_object_open_opts *opts);

/*
 * Creates the skeleton's maps and loads all programs that it was told to load; its pointers to them lead into the
 * parts then.  They are the caller's to close, after a failure too.  Returns 0 or a negative errno.
 */
int parts_load(struct parts *parts, struct bpf_object_skeleton *skeleton);
void parts_close(struct parts *parts);

#endif
