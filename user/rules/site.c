/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which frame of a stack its reader can act on: tells the application from its libraries, and what
 * runs inside an iteration from what runs the loop.
 */
#include "site.h"

#include <string.h>

#include "util.h"

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
	const char *at;

	/* Every frame of every finding comes by: one search for both. */
	for (at = strstr(file, "-packages/"); at; at = strstr(at + 1, "-packages/")) {
		if (at - file >= 5 && (!memcmp(at - 5, "/site", 5) || !memcmp(at - 5, "/dist", 5)))
			return true;
	}
	return false;
}

struct stdlib site_stdlib_of(const struct stack *stack)
{
	/* With the function, since a program can have an asyncio/events.py of its own. */
	static const struct {
		const char *file, *name;
	} runners[] = {
		{ "asyncio/base_events.py", "_run_once" },
		{ "asyncio/base_events.py", "run_forever" },
		{ "asyncio/events.py", "_run" },
		{ "asyncio/runners.py", "run" },
	};
	size_t k;

	for (k = 0; stack && k < ARRAY_SIZE(runners); k++) {
		uint32_t i;

		for (i = stack->nr; i-- > 0;) {
			const char *file = stack->frames[i].file;

			if (stack->frames[i].name[0] != runners[k].name[0] ||
			    strcmp(stack->frames[i].name, runners[k].name) != 0 ||
			    !site_path_ends(file, runners[k].file) || is_installed(file))
				continue;
			/* Without a folder, or in the root, there is nothing to tell files by. */
			if (strlen(file) - strlen(runners[k].file) > 1)
				return (struct stdlib){ file,
							strlen(file) - strlen(runners[k].file) };
		}
	}
	return (struct stdlib){ 0 };
}

/* Of a file that is not installed. */
static bool is_stdlib(const struct stdlib *stdlib, const char *file)
{
	const char *at;

	if (!strncmp(file, "<frozen ", strlen("<frozen ")))
		return true;
	if (stdlib && stdlib->len)
		return !strncmp(file, stdlib->path, stdlib->len);
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

bool site_is_stdlib(const struct stdlib *stdlib, const char *file)
{
	return !is_installed(file) && is_stdlib(stdlib, file);
}

bool site_is_library(const struct rules_config *config, const struct stdlib *stdlib,
		     const char *file)
{
	unsigned int i;

	if (is_installed(file) || is_stdlib(stdlib, file))
		return true;
	for (i = 0; config && i < config->nr_library; i++) {
		if (site_path_has(file, config->library[i]))
			return true;
	}
	return false;
}

/* Frames of the loop's own between it and what it calls. */
static bool is_dispatcher(const struct frame *frame)
{
	static const struct {
		const char *file, *name;
	} dispatchers[] = {
		{ "asyncio/events.py", "_run" },
		{ "/selectors.py", "select" }, /* a signal's handler runs within it */
		{ "twisted/internet/base.py", "runUntilCurrent" },
		{ "twisted/internet/epollreactor.py", "doPoll" },
		{ "twisted/internet/posixbase.py", "_doReadOrWrite" },
		{ "twisted/python/log.py", "callWithLogger" },
		{ "twisted/python/log.py", "callWithContext" },
		{ "twisted/python/context.py", "callWithContext" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(dispatchers); i++) {
		if (!strcmp(frame->name, dispatchers[i].name) &&
		    site_path_ends(frame->file, dispatchers[i].file))
			return true;
	}
	return false;
}

/* The frame that the loop called: the outermost one inside, without those around it. */
static int find_callback(const struct loop *loop, const struct stack *stack, int inside)
{
	int i = inside - 1, k;

	if (inside == (int)stack->nr && (!loop || loop->info.kind != LOOP_KIND_GEVENT))
		return -1; /* where the loop begins is not known */
	/* What has been put around Handle._run, to time callbacks, is none. */
	for (k = i; k > 0; k--) {
		if (!strcmp(stack->frames[k].name, "_run") &&
		    site_path_ends(stack->frames[k].file, "asyncio/events.py")) {
			i = k;
			break;
		}
	}
	while (i >= 0 && is_dispatcher(&stack->frames[i]))
		i--;
	return i;
}

/* How much a reader can do at a frame: most at a file, less at what was typed or given to -c, least
 * at generated code (<attrs generated init ...>, <template>); 0: nothing, it is a library. */
static int site_rank(const struct rules_config *config, const struct stdlib *stdlib,
		     const struct frame *frame)
{
	static const char *const typed[] = { "<stdin>", "<string>", "<console>", "<python-input-",
					     "<ipython-input-" };
	unsigned int i;

	if (frame->naming != FRAME_NAMED || site_is_library(config, stdlib, frame->file))
		return 0;
	if (frame->file[0] != '<')
		return 3;
	for (i = 0; i < ARRAY_SIZE(typed); i++) {
		if (!strncmp(frame->file, typed[i], strlen(typed[i])))
			return 2;
	}
	return 1;
}

void site_find(const struct rules_config *config, const struct loop *loop,
	       const struct stack *stack, struct site *out)
{
	site_find_from(config, loop, stack, 0, out);
}

void site_find_from(const struct rules_config *config, const struct loop *loop,
		    const struct stack *stack, int first, struct site *out)
{
	struct stdlib stdlib = site_stdlib_of(stack);
	int inside, i, best = 0;

	*out = (struct site){ .site = -1, .coroutine = -1, .callback = -1, .called = -1 };
	if (!stack || !stack->nr)
		return;
	inside = stack_nr_inside(loop, stack);
	out->nr_library = inside;
	for (i = first; i < inside; i++) {
		const struct frame *frame = &stack->frames[i];
		int rank = site_rank(config, &stdlib, frame);

		if (out->coroutine < 0 && frame->is_coroutine)
			out->coroutine = i;
		if (rank > best) {
			best = rank;
			out->site = i;
			out->nr_library = i;
		}
	}
	if (out->site < 0)
		out->site = first < (int)stack->nr ? first : 0;
	out->called = find_callback(loop, stack, inside);
	if (out->coroutine < 0)
		out->callback = out->called;
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
