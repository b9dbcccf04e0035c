/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which frame of a stack its reader can act on: tells the application from its libraries, and what
 * runs inside an iteration from what runs the loop.
 */
#include "site.h"

#include <string.h>

bool site_path_ends(const char *file, const char *suffix)
{
	size_t file_len = strlen(file), len = strlen(suffix);

	if (len > file_len || strcmp(file + file_len - len, suffix) != 0)
		return false;
	return len == file_len || suffix[0] == '/' || file[file_len - len - 1] == '/';
}

bool site_path_has(const char *file, const char *part)
{
	size_t len = strlen(part);
	const char *at;

	while (len && part[len - 1] == '/')
		len--;
	if (!len)
		return false;
	for (at = file; (at = memmem(at, strlen(at), part, len)); at++) {
		if (at[len] && at[len] != '/')
			continue;
		if (at == file || at[-1] == '/' || part[0] == '/')
			return true;
	}
	return false;
}

static bool is_installed(const char *file)
{
	return strstr(file, "/site-packages/") || strstr(file, "/dist-packages/");
}

bool site_is_stdlib(const char *file)
{
	const char *at;

	if (!strncmp(file, "<frozen ", strlen("<frozen ")))
		return true;
	if (is_installed(file))
		return false;
	/* /usr/lib/python3.11/json/decoder.py, lib64 too; .../lib/python311.zip/json/decoder.py */
	for (at = strstr(file, "/python3"); at; at = strstr(at + 1, "/python3")) {
		bool is_lib = (at - file >= 4 && !strncmp(at - 4, "/lib", 4)) ||
			      (at - file >= 6 && !strncmp(at - 6, "/lib64", 6));
		const char *rest = at + strlen("/python3");

		if (*rest == '.')
			rest++;
		if (!is_lib || *rest < '0' || *rest > '9')
			continue;
		rest += strspn(rest, "0123456789t"); /* python3.13t is the free-threaded build's */
		if (*rest == '/' || !strncmp(rest, ".zip/", strlen(".zip/")))
			return true;
	}
	return false;
}

bool site_is_library(const struct rules_config *config, const char *file)
{
	unsigned int i;

	if (is_installed(file) || site_is_stdlib(file))
		return true;
	for (i = 0; config && i < config->nr_library; i++) {
		if (site_path_has(file, config->library[i]))
			return true;
	}
	return false;
}

/*
 * How many of the frames run inside the iteration; the rest runs the loop.  The loop's own frame is
 * known by its name; other loops by how many frames were below when their thread was found.
 */
static int nr_inside(const struct loop *loop, const struct stack *stack)
{
	uint32_t base = loop->info.base_depth;
	uint32_t i;

	for (i = 0; i < stack->nr; i++) {
		if (!strcmp(stack->frames[i].name, "_run_once") &&
		    site_path_ends(stack->frames[i].file, "asyncio/base_events.py"))
			return i;
	}
	/* Counting from the outermost frame needs all of them. */
	if (stack->status == STACK_OK && !stack->is_truncated && base && base < stack->nr)
		return stack->nr - base;
	return stack->nr;
}

/* The frame that the loop called: the outermost one inside, without Handle._run() around it. */
static int find_callback(const struct stack *stack, int inside)
{
	int i = inside - 1;

	if (inside == (int)stack->nr) /* where the loop begins is not known */
		return -1;
	if (i >= 0 && !strcmp(stack->frames[i].name, "_run") &&
	    site_path_ends(stack->frames[i].file, "asyncio/events.py"))
		i--;
	return i;
}

void site_find(const struct rules_config *config, const struct loop *loop,
	       const struct stack *stack, struct site *out)
{
	int inside, i;

	*out = (struct site){ .site = -1, .coroutine = -1, .callback = -1 };
	if (!stack || !stack->nr)
		return;
	inside = nr_inside(loop, stack);
	out->nr_library = inside;
	for (i = 0; i < inside; i++) {
		const struct frame *frame = &stack->frames[i];

		if (out->coroutine < 0 && frame->is_coroutine)
			out->coroutine = i;
		if (out->site < 0 && frame->naming == FRAME_NAMED &&
		    !site_is_library(config, frame->file)) {
			out->site = i;
			out->nr_library = i;
		}
	}
	if (out->site < 0)
		out->site = 0;
	if (out->coroutine < 0)
		out->callback = find_callback(stack, inside);
}

bool site_is_allowed(const struct rules_config *config, const struct frame *frame)
{
	unsigned int i;

	for (i = 0; i < config->nr_allow; i++) {
		const char *function = config->allow[i].function;

		if (site_path_ends(frame->file, config->allow[i].file) &&
		    (!strcmp(frame->function, function) || !strcmp(frame->name, function)))
			return true;
	}
	return false;
}

bool site_is_same(const struct frame *a, const struct frame *b)
{
	return a->line == b->line && !strcmp(a->function, b->function) && !strcmp(a->file, b->file);
}
