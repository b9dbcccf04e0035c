/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ring of requests. */
#include "queue.h"

#include <errno.h>

#include "util.h"

int queue_init(struct queue *queue)
{
	*queue = (struct queue){ .slots = calloc(QUEUE_SLOTS, sizeof(*queue->slots)) };
	return queue->slots ? 0 : -ENOMEM;
}

void queue_free(struct queue *queue)
{
	free(queue->slots);
	*queue = (struct queue){ 0 };
}

bool queue_push(struct queue *queue, const struct protocol_request *request)
{
	if (queue->nr == QUEUE_SLOTS)
		return false;
	*queue_at(queue, queue->nr++) = (struct queue_entry){ .request = *request };
	return true;
}

struct queue_entry *queue_at(const struct queue *queue, unsigned n)
{
	return &queue->slots[(queue->first + n) % QUEUE_SLOTS];
}

void queue_pop(struct queue *queue)
{
	if (queue->nr == 0)
		return;
	queue->first = (queue->first + 1) % QUEUE_SLOTS;
	queue->nr--;
	if (queue->in_flight)
		queue->in_flight--;
}

void queue_pop_unsent(struct queue *queue)
{
	unsigned in_flight = queue->in_flight;

	if (queue->nr == in_flight)
		return;
	/* Few are in flight: they close up over the gap. */
	for (unsigned i = in_flight; i > 0; i--)
		*queue_at(queue, i) = *queue_at(queue, i - 1);
	queue_pop(queue);
	queue->in_flight = in_flight;
}

unsigned queue_forget(struct queue *queue, uint32_t target_id)
{
	unsigned kept = queue->in_flight, dropped_codes = 0;

	for (unsigned i = 0; i < queue->in_flight; i++) {
		if (queue_at(queue, i)->request.target_id == target_id)
			queue_at(queue, i)->is_forgotten = true;
	}
	for (unsigned i = queue->in_flight; i < queue->nr; i++) {
		const struct queue_entry *entry = queue_at(queue, i);

		if (entry->request.target_id == target_id)
			dropped_codes += entry->request.kind == PROTOCOL_CODE;
		else
			*queue_at(queue, kept++) = *entry;
	}
	queue->nr = kept;
	return dropped_codes;
}

bool queue_is_patient(const struct queue *queue)
{
	for (unsigned i = 0; i < queue->nr; i++)
		if (queue_at(queue, i)->request.kind != PROTOCOL_TASKS)
			return false;
	return queue->nr > 0;
}

unsigned queue_wanted(const struct queue *queue, bool names_only)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < queue->nr; i++) {
		const struct queue_entry *entry = queue_at(queue, i);

		nr += !entry->is_forgotten && (!names_only || protocol_is_name(&entry->request));
	}
	return nr;
}
