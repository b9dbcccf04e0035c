/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Copies a finding with all that a reporter needs of it: one allocation, strings behind the stacks. */
#include "kept.h"

#include <stddef.h>
#include <string.h>

#include "util.h"

static size_t string_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* Copies a string to *at and moves *at behind it. NULL of NULL. */
static const char *keep_string(char **at, const char *text)
{
	size_t size = string_bytes(text);
	char *copy = *at;

	if (!text)
		return NULL;
	memcpy(copy, text, size);
	*at += size;
	return copy;
}

static size_t frame_bytes(const struct frame *frame)
{
	return strlen(frame->function) + strlen(frame->name) + strlen(frame->file) + 3;
}

static void keep_frame(char **at, struct frame *frame)
{
	frame->function = keep_string(at, frame->function);
	frame->name = keep_string(at, frame->name);
	frame->file = keep_string(at, frame->file);
}

/* Bytes of a stack with so many frames as it has; a multiple of its alignment. */
static size_t stack_bytes(const struct stack *stack)
{
	return stack ? offsetof(struct stack, frames) + stack->nr * sizeof(struct frame) : 0;
}

static size_t strings_bytes(const struct stack *stack)
{
	size_t size = 0;

	for (uint32_t i = 0; stack && i < stack->nr; i++)
		size += frame_bytes(&stack->frames[i]);
	return size;
}

/* Copies a stack to *at and its strings to *strings. NULL of NULL. */
static const struct stack *keep_stack(char *at, char **strings, const struct stack *stack)
{
	struct stack *copy = (struct stack *)at;

	if (!stack)
		return NULL;
	memcpy(copy, stack, stack_bytes(stack));
	for (uint32_t i = 0; i < stack->nr; i++)
		keep_frame(strings, &copy->frames[i]);
	return copy;
}

static size_t all_strings_bytes(const struct finding *finding)
{
	size_t size = strings_bytes(finding->stack) + strings_bytes(finding->holder.stack) +
		      string_bytes(finding->task) + string_bytes(finding->builtin);

	for (uint32_t i = 0; i < finding->nr_hot; i++)
		size += frame_bytes(&finding->hot[i].frame);
	return size;
}

struct kept *kept_new(struct finding *finding)
{
	const struct stack *stack = finding->stack, *holder = finding->holder.stack;
	size_t own = max(stack_bytes(stack), offsetof(struct stack, frames));
	size_t head = offsetof(struct kept, stack) + own + stack_bytes(holder);
	struct kept *kept = malloc(head + all_strings_bytes(finding));
	char *strings;

	if (!kept)
		return NULL;
	rules_describe(finding);
	kept->finding = *finding;
	kept->finding.sleep = NULL; /* described already */
	kept->iteration = *finding->iteration;
	kept->loop = *finding->iteration->loop;
	kept->target = *finding->iteration->loop->target;
	kept->target.hosts = NULL; /* the finding has its own */
	kept->target.nr_hosts = 0;
	kept->finding.iteration = &kept->iteration;
	rules_asleep_by_cause(finding->iteration, kept->asleep_by_cause);
	kept->iteration.loop = &kept->loop;
	/* What the reporters need of these is in the sums. */
	kept->iteration.sleeps = NULL;
	kept->iteration.nr_sleeps = 0;
	kept->iteration.samples = NULL;
	kept->iteration.nr_samples = 0;
	kept->iteration.gcs = NULL;
	kept->iteration.nr_gcs = 0;
	kept->iteration.imports = NULL;
	kept->iteration.nr_imports = 0;
	kept->loop.target = &kept->target;
	strings = (char *)kept + head;
	kept->finding.task = keep_string(&strings, finding->task);
	kept->finding.builtin = keep_string(&strings, finding->builtin);
	for (uint32_t i = 0; i < finding->nr_hot; i++)
		keep_frame(&strings, &kept->finding.hot[i].frame);
	kept->finding.stack = keep_stack((char *)&kept->stack, &strings, stack);
	kept->finding.holder.stack = keep_stack((char *)&kept->stack + own, &strings, holder);
	return kept;
}
