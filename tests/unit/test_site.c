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
	assert_true(site_is_stdlib("/usr/lib/python3.11/json/decoder.py"));
	assert_true(site_is_stdlib("/usr/lib64/python3.9/socket.py"));
	assert_true(site_is_stdlib("/home/u/.pyenv/versions/3.13.0/lib/python3.13/queue.py"));
	assert_true(site_is_stdlib("/opt/py/lib/python3.13t/queue.py"));
	assert_true(site_is_stdlib("/opt/py/lib/python311.zip/queue.py"));
	assert_true(site_is_stdlib("<frozen importlib._bootstrap>"));
	assert_false(site_is_stdlib("/usr/lib/python3/dist-packages/requests/api.py"));
	assert_false(site_is_stdlib(SITE_PACKAGES "requests/api.py"));
	assert_true(site_is_library(NULL, "/usr/lib/python3/dist-packages/requests/api.py"));
	assert_true(site_is_library(NULL, SITE_PACKAGES "requests/api.py"));
	assert_false(site_is_library(NULL, "/srv/shop/app.py"));
	assert_false(site_is_library(NULL, "/srv/python3.11/app.py"));
	assert_false(site_is_library(NULL, "/srv/lib/python3.x/app.py"));
	assert_false(site_is_library(NULL, "<string>"));
	assert_false(site_is_library(NULL, "<stdin>"));
	assert_false(site_is_library(NULL, "app.py"));
	assert_false(site_is_library(NULL, ""));
}

static void configured_libraries(void **state)
{
	static struct rules_config config;

	(void)state;
	rules_config_init(&config);
	strcpy(config.library[0], "vendor");
	strcpy(config.library[1], "/srv/common/");
	config.nr_library = 2;
	assert_true(site_is_library(&config, "/srv/shop/vendor/x.py"));
	assert_true(site_is_library(&config, "/srv/common/x.py"));
	assert_false(site_is_library(&config, "/srv/shop/vendors/x.py"));
	assert_false(site_is_library(&config, "/srv/shop/myvendor/x.py"));
	assert_false(site_is_library(&config, "/srv/commonplace/x.py"));
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
	made.loop.info.base_depth = 99;
	site_find(&made.config, &made.loop, &stack, &site);
	assert_int_equal(site.site, 2);
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
		cmocka_unit_test(no_stack_no_site),
		cmocka_unit_test(frames_without_a_name_are_no_application),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
