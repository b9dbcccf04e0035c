/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Can a hostile stream hurt?  Bytes become records (sizes are put right, so that the fuzzer gets
 * past the framing); what the decoder passes goes into a model with tight bounds, which is drained.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_stream.c user/stream/decode.c \
 *	user/model/[a-z]*.c
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct model_bounds bounds = {
	.targets = 4,
	.loops = 4,
	.codes = 12,
	.stacks = 6,
	.sleeps = 4,
	.samples = 4,
	.tasks = 3,
	.waiting = 3,
	.name_bytes = 4096,
	.connections = 3,
};

/* The size that the type asks for: a mutation mostly gets it wrong, and learns nothing. */
static uint32_t plausible_size(const struct ev_head *head, size_t left)
{
	static const uint32_t sizes[] = {
#define X(nr, upper, lower) [nr] = sizeof(struct ev_##lower),
		EVENT_LIST(X)
#undef X
	};
	uint32_t size = head->type < sizeof(sizes) / sizeof(sizes[0]) ? sizes[head->type] : 0;

	if (head->type == EV_STACK && left >= size)
		size += ((const struct ev_stack *)head)->nr_frames % 16 * sizeof(struct ev_frame);
	if (head->type == EV_CODE)
		size += head->size % 256;
	return size >= sizeof(*head) && size <= left ? size : 0;
}

static void drain(struct model *model)
{
	const struct connection *connection;
	const struct iteration *it;
	struct model_want want;
	uint64_t sum = 0;

	while ((it = model_next_iteration(model))) {
		sum += it->loop->target->info.pid;
		for (uint32_t i = 0; i < it->nr_sleeps; i++)
			for (uint32_t f = 0; it->sleeps[i].stack && f < it->sleeps[i].stack->nr;
			     f++)
				sum += strlen(it->sleeps[i].stack->frames[f].function) +
				       strlen(it->sleeps[i].stack->frames[f].file);
		for (uint32_t i = 0; i < it->nr_sleeps; i++)
			if (it->sleeps[i].task)
				sum += strlen(it->sleeps[i].task);
		for (uint32_t i = 0; i < it->nr_samples; i++)
			for (uint32_t f = 0; it->samples[i].stack && f < it->samples[i].stack->nr;
			     f++)
				sum += strlen(it->samples[i].stack->frames[f].name);
	}
	while ((connection = model_next_connection(model))) {
		sum += connection->about[0].loop->target->info.pid;
		for (uint32_t i = 0; i < connection->nr_sites; i++)
			for (uint32_t f = 0; f < connection->sites[i].stack->nr; f++)
				sum += strlen(connection->sites[i].stack->frames[f].file);
	}
	while (model_next_want(model, &want))
		sum += want.target->pid;
	__asm__ volatile("" : : "r"(sum)); /* looked at */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct model *model;

	if (model_new(&model, &bounds))
		return 0;
	while (size >= sizeof(struct ev_head)) {
		const struct ev_head *ev;
		struct ev_head *head = malloc(size); /* exact and aligned */
		uint32_t record;

		if (!head)
			break;
		memcpy(head, bytes, size);
		record = plausible_size(head, size);
		if (!record) {
			free(head);
			break;
		}
		head = realloc(head, record);
		head->size = record;
		if (decode(head, record, &ev) == 0 && model_add(model, ev) == 0)
			drain(model);
		free(head);
		bytes += record;
		size -= record;
	}
	model_free(model);
	return 0;
}
