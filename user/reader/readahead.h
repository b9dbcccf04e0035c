/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is read of a process again and again is mostly what was read the last time, word by word where one leads to the
 * next.  So it is read ahead, all in one call, at the beginning.  Each read that is as the last time, one after the
 * other, is answered by what was read then; from the first that is not on all are of the process as it is now: it
 * went on meanwhile, and what is looked at twice, to see whether it changed, must not be of two times the wrong way
 * round.
 */
#ifndef READAHEAD_H
#define READAHEAD_H

#include <stdbool.h>

#include "procmem.h"

#define READAHEAD_MAX	    64	/* reads, from the first one on */
#define READAHEAD_MAX_BYTES 512 /* of one of them; a longer one ends the list */

/* What was read, in order. Begins as zeros, and is its owner's. */
struct readahead_list {
	unsigned nr;
	bool is_full;
	struct {
		uint64_t addr;
		uint32_t bytes;
	} reads[READAHEAD_MAX];
};

struct readahead {
	struct mem *under;
	struct readahead_list *list, now;
	unsigned nr_got, next; /* of the list: were read ahead, were asked for */
	size_t at;	       /* in data: of the next */
	uint8_t data[READAHEAD_MAX * READAHEAD_MAX_BYTES];
};

/* Reads ahead what the list says.  mem then reads the process, through under, until readahead_end(). */
void readahead_begin(struct readahead *ahead, pid_t pid, struct mem *under, struct readahead_list *list,
		     struct mem *mem);
/* The list is now of what was read in between. */
void readahead_end(struct readahead *ahead);

#endif
