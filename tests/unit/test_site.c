/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which frame of a stack is the site, the coroutine, the callback. */
#include "made_iteration.h"

#include "site.h"

static struct site find(const struct stack *stack)
{
	static struct made made;
	struct site site;

	made_init(&made);
	site_find(&made.config, &made.loop, stack, &site);
	return site;
}

static void library_paths(void **state)
{
	(void)state;
	assert_true(site_is_stdlib(NULL, "/usr/lib/python3.11/json/decoder.py"));
	assert_true(site_is_stdlib(NULL, "/usr/lib64/python3.9/socket.py"));
	assert_true(site_is_stdlib(NULL, "/home/u/.pyenv/versions/3.13.0/lib/python3.13/queue.py"));
	assert_true(site_is_stdlib(NULL, "/opt/py/lib/python3.13t/queue.py"));
	assert_true(site_is_stdlib(NULL, "/opt/py/lib/python311.zip/queue.py"));
	assert_true(site_is_stdlib(NULL, "<frozen importlib._bootstrap>"));
	assert_false(site_is_stdlib(NULL, "/usr/lib/python3/dist-packages/requests/api.py"));
	assert_false(site_is_stdlib(NULL, SITE_PACKAGES "requests/api.py"));
	assert_true(site_is_library(NULL, NULL, "/usr/lib/python3/dist-packages/requests/api.py"));
	assert_true(site_is_library(NULL, NULL, SITE_PACKAGES "requests/api.py"));
	assert_false(site_is_library(NULL, NULL, "/srv/shop/app.py"));
	assert_false(site_is_library(NULL, NULL, "/srv/python3.11/app.py"));
	assert_false(site_is_library(NULL, NULL, "/srv/lib/python3.x/app.py"));
	assert_false(site_is_library(NULL, NULL, "<string>"));
	assert_false(site_is_library(NULL, NULL, "<stdin>"));
	assert_false(site_is_library(NULL, NULL, "app.py"));
	assert_false(site_is_library(NULL, NULL, ""));
}

static void configured_libraries(void **state)
{
	static struct rules_config config;

	(void)state;
	rules_config_init(&config);
	strcpy(config.library[0], "vendor");
	strcpy(config.library[1], "/srv/common/");
	config.nr_library = 2;
	assert_true(site_is_library(&config, NULL, "/srv/shop/vendor/x.py"));
	assert_true(site_is_library(&config, NULL, "/srv/common/x.py"));
	assert_false(site_is_library(&config, NULL, "/srv/shop/vendors/x.py"));
	assert_false(site_is_library(&config, NULL, "/srv/shop/myvendor/x.py"));
	assert_false(site_is_library(&config, NULL, "/srv/commonplace/x.py"));
}

static void path_parts(void **state)
{
	(void)state;
	assert_true(site_path_ends("/srv/shop/app.py", "app.py"));
	assert_true(site_path_ends("/srv/shop/app.py", "/app.py"));
	assert_true(site_path_ends("/srv/shop/app.py", "shop/app.py"));
	assert_true(site_path_ends("app.py", "app.py"));
	assert_false(site_path_ends("/srv/shop/myapp.py", "app.py"));
	assert_false(site_path_ends("py", "app.py"));
	assert_false(site_path_ends("/srv/shop/app.py", ""));
	assert_false(site_path_has("/srv/shop/app.py", ""));
	assert_false(site_path_has("/srv/shop/app.py", "/"));
}

static void the_site_is_the_innermost_frame_of_the_application(void **state)
{
	struct stack stack = { 0 };
	struct site site;

	(void)state;
	push(&stack, frame_at(STDLIB "http/client.py", 279, "HTTPResponse._read_status"));
	push(&stack, frame_at(SITE_PACKAGES "urllib3/connectionpool.py", 700, "urlopen"));
	push(&stack, frame_at(SITE_PACKAGES "requests/api.py", 73, "get"));
	push(&stack, frame_at("/srv/shop/app.py", 57, "fetch"));
	push(&stack, coroutine_at("/srv/shop/app.py", 88, "Checkout.post"));
	push(&stack, coroutine_at("/srv/shop/app.py", 99, "outer"));
	push_loop(&stack);
	site = find(&stack);
	assert_int_equal(site.site, 3);
	assert_int_equal(site.coroutine, 4);
	assert_int_equal(site.callback, -1);
	assert_int_equal(site.nr_library, 3);
}

static void the_script_that_runs_the_loop_is_never_the_site(void **state)
{
	struct stack stack = { 0 };
	struct site site;

	(void)state;
	push(&stack, frame_at(SITE_PACKAGES "lib/cache.py", 5, "refresh"));
	push(&stack, frame_at(SITE_PACKAGES "lib/cache.py", 9, "tick"));
	push_loop(&stack);
	site = find(&stack);
	assert_int_equal(site.site, 0);
	assert_int_equal(site.coroutine, -1);
	assert_int_equal(site.callback, 1);
	assert_int_equal(site.nr_library, 3);
}

static void a_coroutine_outside_the_loop_is_not_the_one_that_ran(void **state)
{
	struct stack stack = { 0 };
	struct site site;

	(void)state;
	push(&stack, frame_at("/srv/shop/app.py", 5, "on_timer"));
	push_loop(&stack);
	push(&stack, coroutine_at("/srv/shop/app.py", 9, "nested_loop_starter"));
	site = find(&stack);
	assert_int_equal(site.site, 0);
	assert_int_equal(site.coroutine, -1);
	assert_int_equal(site.callback, 0);
}

static void other_loops_are_told_by_their_depth(void **state)
{
	static struct made made;
	struct stack stack = { 0 };
	struct site site;

	(void)state;
	made_init(&made);
	made.loop.info.base_depth = 2;
	push(&stack, frame_at(SITE_PACKAGES "lib/cache.py", 5, "refresh"));
	push(&stack, frame_at(STDLIB "asyncio/runners.py", 190, "run"));
	push(&stack, frame_at("/srv/shop/app.py", 200, "<module>"));
	site_find(&made.config, &made.loop, &stack, &site);
	assert_int_equal(site.site, 0);
	assert_int_equal(site.callback, 0);
	/* a stack that is not whole cannot be counted from its outer end */
	stack.is_truncated = true;
	site_find(&made.config, &made.loop, &stack, &site);
	assert_int_equal(site.site, 2);
	assert_int_equal(site.callback, -1);
	stack.is_truncated = false;
	/* nor can a greenlet's, which has no frame of the loop */
	stack.nr--;
	made.loop.info.base_depth = 1;
	push(&stack, frame_at("/srv/shop/app.py", 9, "load"));
	site_find(&made.config, &made.loop, &stack, &site);
	assert_int_equal(site.site, 2);
	assert_int_equal(site.callback, -1);
	stack.nr--;
	push(&stack, frame_at("/srv/shop/app.py", 200, "<module>"));
	made.loop.info.base_depth = 99;
	site_find(&made.config, &made.loop, &stack, &site);
	assert_int_equal(site.site, 2);
}

static void a_callback_is_what_the_loop_called(void **state)
{
	const struct frame work = frame_at("/srv/shop/app.py", 9, "work");
	const struct frame timed = frame_at("/srv/shop/slow.py", 7, "timed");
	const struct frame run = frame_at(STDLIB "asyncio/events.py", 80, "_run");
	const struct frame select = frame_at(STDLIB "selectors.py", 468, "select");
	const struct frame once = frame_at(STDLIB "asyncio/base_events.py", 1922, "_run_once");
	const struct {
		struct frame frames[4];
		int callback;
	} cases[] = {
		{ { work, run, once }, 0 },
		{ { work, run, timed, once }, 0 }, /* something that times callbacks is around them */
		{ { run, timed, once }, 1 },	   /* a function in C has no frame */
		{ { work, select, once }, 0 },	   /* a signal's handler, while the loop waits */
		{ { select, once }, -1 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stack stack = { 0 };

		for (unsigned int k = 0; k < 4 && cases[i].frames[k].name; k++)
			push(&stack, cases[i].frames[k]);
		push(&stack, frame_at("/srv/shop/app.py", 200, "<module>"));
		assert_int_equal(find(&stack).callback, cases[i].callback);
	}
}

/* One application's frame below generated code of a file, in the loop. */
static int site_below(const char *generated, const char *application)
{
	struct stack stack = { 0 };

	push(&stack, frame_at(STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode"));
	push(&stack, frame_at(generated, 2, "__init__"));
	push(&stack, frame_at(application, 57, "fetch"));
	push_loop(&stack);
	assert_int_equal(find(&stack).nr_library, find(&stack).site);
	return find(&stack).site;
}

static void generated_code_is_the_site_only_if_there_is_no_other(void **state)
{
	(void)state;
	assert_int_equal(site_below("<string>", "/srv/shop/app.py"), 2);
	assert_int_equal(site_below("<attrs generated init shop.Order>", "/srv/shop/app.py"), 2);
	assert_int_equal(site_below("<template>", "app.py"), 2);
	/* python -c, a console, a notebook; what they typed before what was generated for it */
	assert_int_equal(site_below("<string>", SITE_PACKAGES "lib/cache.py"), 1);
	assert_int_equal(site_below("<stdin>", SITE_PACKAGES "lib/cache.py"), 1);
	assert_int_equal(site_below("<attrs generated init Order>", "<stdin>"), 2);
	assert_int_equal(site_below("<attrs generated init Order>", "<string>"), 2);
	assert_int_equal(site_below("<attrs generated init Order>", "<ipython-input-3-0123>"), 2);
	assert_int_equal(site_below("<attrs generated init Order>", "<python-input-3>"), 2);
	/* nothing else is left */
	assert_int_equal(site_below("<template>", SITE_PACKAGES "lib/cache.py"), 1);
	assert_int_equal(site_below("<frozen os>", "<template>"), 2);
}

/* The index of the site; the stack ends in an asyncio of the given library. */
static int site_with(const char *runner, const char *name, const char *inner, const char *outer)
{
	static struct made made;
	struct stack stack = { 0 };
	struct site site;

	made_init(&made);
	made.loop.info.base_depth = 1;
	push(&stack, frame_at(inner, 5, "inner"));
	push(&stack, frame_at(outer, 6, "outer"));
	push(&stack, frame_at(runner, 190, name));
	site_find(&made.config, &made.loop, &stack, &site);
	return site.site;
}

static void the_standard_library_is_where_asyncio_is(void **state)
{
	static const char app[] = "/opt/lib/python3.11/myapp/srv.py";
	struct stack stack = { 0 };
	struct stdlib stdlib;

	(void)state;
	assert_int_equal(site_with(STDLIB "asyncio/base_events.py", "_run_once", app, "/srv/x.py"),
			 0);
	assert_int_equal(site_with(STDLIB "asyncio/runners.py", "run", app, "/srv/x.py"), 0);
	assert_int_equal(site_with(STDLIB "asyncio/events.py", "Handle._run", app, "/srv/x.py"), 0);
	assert_int_equal(
		site_with(STDLIB "asyncio/base_events.py", "_run_once", STDLIB "ssl.py", app), 1);
	assert_int_equal(site_with("/src/cpython/Lib/asyncio/base_events.py", "_run_once",
				   "/src/cpython/Lib/ssl.py", "/srv/x.py"),
			 1);
	/* not known where it is: by the look of the path */
	assert_int_equal(site_with(SITE_PACKAGES "uvloop/__init__.py", "run", app, "/srv/x.py"), 1);
	assert_int_equal(site_with("asyncio/base_events.py", "_run_once", app, "x.py"), 1);
	assert_int_equal(site_with("/asyncio/base_events.py", "_run_once", app, "/srv/x.py"), 1);
	assert_int_equal(
		site_with(SITE_PACKAGES "redis/asyncio/runners.py", "run", app, "/srv/x.py"), 1);
	assert_int_equal(site_with("/srv/asyncio/events.py", "on_order", app, "/srv/x.py"), 1);

	push_loop(&stack);
	stdlib = site_stdlib_of(&stack);
	assert_true(site_is_stdlib(&stdlib, STDLIB "json/decoder.py"));
	assert_true(site_is_stdlib(&stdlib, "<frozen importlib._bootstrap>"));
	assert_false(site_is_stdlib(&stdlib, STDLIB "site-packages/requests/api.py"));
	assert_false(site_is_stdlib(&stdlib, STDLIB "dist-packages/requests/api.py"));
	assert_false(site_is_stdlib(&stdlib, "/usr/lib/python3.110/x.py"));
	assert_false(site_is_stdlib(&stdlib, app));
	assert_true(site_is_library(NULL, &stdlib, SITE_PACKAGES "requests/api.py"));
	assert_false(site_is_library(NULL, &stdlib, app));
	assert_int_equal(site_stdlib_of(NULL).len, 0);
}

static void no_stack_no_site(void **state)
{
	struct stack empty = { 0 };

	(void)state;
	assert_int_equal(find(NULL).site, -1);
	assert_int_equal(find(&empty).site, -1);
	assert_int_equal(find(&empty).coroutine, -1);
	assert_int_equal(find(&empty).callback, -1);
}

static void frames_without_a_name_are_no_application(void **state)
{
	struct stack stack = { 0 };
	struct frame unnamed = { .function = "?", .name = "?", .file = "?", .naming = FRAME_GONE };

	(void)state;
	push(&stack, unnamed);
	push(&stack, coroutine_at("/srv/shop/app.py", 57, "fetch"));
	assert_int_equal(find(&stack).site, 1);
	stack.nr = 1;
	assert_int_equal(find(&stack).site, 0);
}

#define DIST "/usr/lib/python3/dist-packages/"

/* Inside, callback and coroutine of a stack on a loop of that kind; frames innermost first. */
static struct site on_loop(uint32_t kind, const struct frame *frames, uint32_t nr)
{
	static struct stack stack;
	struct made made;
	struct site site;

	stack = (struct stack){ 0 };
	made_init(&made);
	made.loop.info.kind = kind;
	made.loop.info.base_depth = 1;
	for (uint32_t i = 0; i < nr; i++)
		push(&stack, frames[i]);
	site_find(&made.config, &made.loop, &stack, &site);
	return site;
}

static void other_loops_are_known_by_their_own_frames(void **state)
{
	struct frame work = frame_at("/srv/app.py", 5, "work"), handler = coroutine_at("/srv/app.py", 9, "handler");
	struct frame module = frame_at("/srv/app.py", 99, "<module>");
	struct frame trio[] = { work, handler, frame_at(DIST "trio/_core/_run.py", 2200, "unrolled_run"),
				frame_at(DIST "trio/_core/_run.py", 2001, "run"), module };
	struct frame called[] = { work, frame_at(DIST "twisted/internet/base.py", 991, "ReactorBase.runUntilCurrent"),
				  frame_at(DIST "twisted/internet/base.py", 1325, "_SignalReactorMixin.mainLoop"),
				  module };
	struct frame read[] = { work, frame_at(DIST "twisted/internet/tcp.py", 250, "Connection.doRead"),
				frame_at(DIST "twisted/internet/posixbase.py", 400, "_doReadOrWrite"),
				frame_at(DIST "twisted/python/context.py", 80, "callWithContext"),
				frame_at(DIST "twisted/python/log.py", 100, "callWithLogger"),
				frame_at(DIST "twisted/internet/epollreactor.py", 244, "EPollReactor.doPoll"),
				frame_at(DIST "twisted/internet/base.py", 1328, "_SignalReactorMixin.mainLoop"),
				module };
	struct frame hub[] = { work, frame_at(DIST "gevent/hub.py", 647, "Hub.run") };
	struct frame greenlet[] = { work, frame_at("/srv/app.py", 30, "serve") };
	struct site site;

	(void)state;
	site = on_loop(LOOP_KIND_TRIO, trio, ARRAY_SIZE(trio));
	assert_int_equal(site.site, 0);
	assert_int_equal(site.coroutine, 1);
	assert_int_equal(site.called, 1);
	site = on_loop(LOOP_KIND_TWISTED, called, ARRAY_SIZE(called));
	assert_int_equal(site.coroutine, -1);
	assert_int_equal(site.callback, 0);
	site = on_loop(LOOP_KIND_TWISTED, read, ARRAY_SIZE(read));
	assert_int_equal(site.site, 0);
	assert_int_equal(site.callback, 1);
	site = on_loop(LOOP_KIND_GEVENT, hub, ARRAY_SIZE(hub));
	assert_int_equal(site.callback, 0);
	site = on_loop(LOOP_KIND_GEVENT, greenlet, ARRAY_SIZE(greenlet));
	assert_int_equal(site.site, 0);
	assert_int_equal(site.callback, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library_paths),
		cmocka_unit_test(configured_libraries),
		cmocka_unit_test(path_parts),
		cmocka_unit_test(the_site_is_the_innermost_frame_of_the_application),
		cmocka_unit_test(the_script_that_runs_the_loop_is_never_the_site),
		cmocka_unit_test(a_coroutine_outside_the_loop_is_not_the_one_that_ran),
		cmocka_unit_test(other_loops_are_told_by_their_depth),
		cmocka_unit_test(a_callback_is_what_the_loop_called),
		cmocka_unit_test(generated_code_is_the_site_only_if_there_is_no_other),
		cmocka_unit_test(the_standard_library_is_where_asyncio_is),
		cmocka_unit_test(no_stack_no_site),
		cmocka_unit_test(frames_without_a_name_are_no_application),
		cmocka_unit_test(other_loops_are_known_by_their_own_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
