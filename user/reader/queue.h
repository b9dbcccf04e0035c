/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The requests that are not answered yet, oldest first: a few in flight, the rest not sent.  A ring
 * of fixed size; removal keeps the order.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

#define QUEUE_SLOTS 4096

struct queue_entry {
	struct protocol_request request;
	bool is_forgotten; /* in flight, but nobody wants the answer any more */
	bool was_at_work;  /* a reader died while it worked on it */
};

struct queue {
	struct queue_entry *slots;
	unsigned first, nr; /* in use, from first on */
	unsigned in_flight; /* the first so many of them are sent */
};

int queue_init(struct queue *queue);
void queue_free(struct queue *queue);
/* False: it is full. */
bool queue_push(struct queue *queue, const struct protocol_request *request);
/* The n-th oldest, n < nr; valid until the queue changes. */
struct queue_entry *queue_at(const struct queue *queue, unsigned n);
/* Removes the oldest; one less in flight, if it was. */
void queue_pop(struct queue *queue);
/* Removes the oldest one that is not sent. */
void queue_pop_unsent(struct queue *queue);
/*
 * Drops what is not sent for the target and marks what is; returns how many code requests it
 * dropped.
 */
unsigned queue_forget(struct queue *queue, uint32_t target_id);
/* Is there something, and nothing but counts of tasks? */
bool queue_is_patient(const struct queue *queue);
/* How many somebody wants the answer of; or of those the names: of code, and of threads. */
unsigned queue_wanted(const struct queue *queue, bool names_only);

#endif
