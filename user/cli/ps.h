/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What `ps` knows of the processes that it lists: gathered by cmd_ps.c and ps_live.c, shown by ps_text.c and
 * ps_json.c.
 */
#ifndef PS_H
#define PS_H

#include "events.h"
#include "opts.h"
#include "sockets.h"

struct ps_loop {
	uint32_t tid, ns_tid; /* the host's, the target's own; 0: not known */
	uint32_t kind;	      /* enum loop_kind */
	bool is_seen;	      /* by --live: what follows is known */
	double utilization;   /* busy share of the time that it was watched for */
	double iterations_per_s;
};

struct ps_row {
	struct ev_target target;
	struct ps_loop *loops; /* the row's, to be freed */
	unsigned nr_loops;
	struct socket_counts sockets;
};

struct ps_table {
	struct ps_row *rows;
	unsigned nr;
	bool is_live;
	bool is_verbose; /* a line for each loop */
};

/* Adds a loop to a row. NULL: no memory. The pointer is valid until the next one is added. */
struct ps_loop *ps_add_loop(struct ps_row *row);
/* The busiest of its loops; below 0: none was seen. */
double ps_busy(const struct ps_row *row);

/*
 * Watches the rows that can be watched for opts->live_s and fills in what their loops did.  An exit code;
 * messages are printed.
 */
int ps_live(const struct opts *opts, struct ps_table *table);

/* On a terminal as wide as that is, at least 80 columns; else as wide as it gets. */
void ps_print_text(const struct ps_table *table, FILE *out);
void ps_print_json(const struct ps_table *table, FILE *out);

#endif
