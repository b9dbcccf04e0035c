/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Quick calls that can block: when they come out of the model, and what the rules make of them. */
#include <stdio.h>

#include "records.h"
#undef MSEC
#include "made_iteration.h"

#include "ranking.h"

static struct model *started(void)
{
	struct model *model = new_model(&model_default_bounds);

	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 1);
	count_wants(model);
	add_code(model, 1, 100, CODE_OK);
	return model;
}

static void add_latent(struct model *model, uint64_t iteration, int32_t fd, uint32_t count)
{
	struct ev_latent ev = { HEAD(LATENT, 1, 0), .iteration = iteration, .stack_id = 11,
				.first_ns = 300,    .last_ns = 400,	    .count = count,
				.syscall = SYS_read, .fd = fd };

	add(model, &ev);
}

static void add_stats(struct model *model, uint64_t iterations)
{
	struct ev_loop_stats ev = { HEAD(LOOP_STATS, 1, 0), .counters.iterations = iterations };

	add(model, &ev);
}

static uint64_t calls_of(const struct iteration *it)
{
	uint64_t calls = 0;

	assert_non_null(it);
	for (uint32_t i = 0; i < it->nr_sleeps; i++)
		if (sleep_is_latent(&it->sleeps[i]))
			calls += it->sleeps[i].ev.count;
	return calls;
}

static void a_healthy_iteration_gives_them_out_when_it_is_known_to_be_over(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_latent(model, 5, 7, 1);
	add_latent(model, 5, 8, 2);
	assert_null(model_next_iteration(model));
	add_stats(model, 4);
	assert_null(model_next_iteration(model)); /* it is under way */
	add_stats(model, 5);
	it = model_next_iteration(model);
	assert_int_equal(calls_of(it), 3);
	assert_int_equal(it->nr_sleeps, 2);
	assert_int_equal(it->ev.start_ns, 300);
	assert_string_equal(it->sleeps[0].stack->frames[0].function, "C.f100");
	assert_null(model_next_iteration(model));
	add_latent(model, 6, 7, 1);
	add_latent(model, 7, 7, 1); /* the next one is under way */
	assert_int_equal(calls_of(model_next_iteration(model)), 1);
	assert_null(model_next_iteration(model));
	add_end(model);
	assert_int_equal(calls_of(model_next_iteration(model)), 1);
	model_free(model);
}

static void a_long_iteration_takes_them_along(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_latent(model, 5, 7, 1);
	add_sleep(model, 0, 5, 11, 300, 7);
	add_stats(model, 5); /* its end is on the way */
	assert_null(model_next_iteration(model));
	add_iteration(model, 1, 0, 5, 1, 0);
	it = model_next_iteration(model);
	assert_int_equal(calls_of(it), 1);
	assert_int_equal(it->nr_sleeps, 2);
	assert_int_equal(it->ev.end_ns, 200);
	assert_false(it->is_incomplete);
	model_free(model);
}

static void late_and_many_ones_come_out_by_themselves(void **state)
{
	struct model *model = started();
	uint64_t calls = 0;

	(void)state;
	add_sleep(model, 0, 9, 11, 300, 7);
	add_latent(model, 3, 7, 4);
	assert_int_equal(calls_of(model_next_iteration(model)), 4);
	for (int32_t fd = 0; fd < 100; fd++) {
		const struct iteration *it;

		add_latent(model, 9, fd, 1);
		while ((it = model_next_iteration(model)))
			calls += calls_of(it);
	}
	add_iteration(model, 1, 0, 9, 1, 0);
	calls += calls_of(model_next_iteration(model));
	assert_int_equal(calls, 100);
	model_free(model);
}

static void a_lost_end_loses_none(void **state)
{
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	add_latent(model, 5, 7, 1);
	add_sleep(model, 0, 5, 11, 300, 7);
	add_sample(model, 0, 5, 11);
	add_iteration(model, 1, 0, 6, 0, 0);
	it = model_next_iteration(model);
	assert_int_equal(calls_of(it), 1);
	assert_int_equal(it->nr_sleeps, 1); /* what is left of the sleeps of 5 explains nothing */
	assert_int_equal(it->nr_samples, 0);
	it = model_next_iteration(model);
	assert_int_equal(it->ev.iteration, 6);
	assert_int_equal(it->nr_sleeps, 0);
	model_free(model);
}

/* --- rules --- */

static struct made made;
static struct stack stack;

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	memset(&stack, 0, sizeof(stack));
	return 0;
}

static struct ev_sleep *made_latent(int syscall, uint32_t count)
{
	struct ev_sleep *ev = made_sleep(&made, &stack, syscall, 0);

	ev->off_class = SLEEP_LATENT;
	ev->count = count;
	return ev;
}

static void push_app(int32_t line)
{
	push(&stack, coroutine_at("/srv/shop/app.py", line, "handler"));
	push_loop(&stack);
}

static void calls_of_one_line_are_one_finding(void **state)
{
	(void)state;
	push_app(9);
	set_name(&made_latent(SYS_read, 3)->object, OBJECT_FILE, "b\0srv", 6);
	set_name(&made_latent(SYS_openat, 1)->object, OBJECT_FILE, "a\0srv", 6);
	set_peer(made_latent(SYS_connect, 1), "\x7f\0\0\1", 80);
	assert_int_equal(made_eval(&made), 2);
	assert_true(made.findings[0].is_latent);
	assert_int_equal(made.findings[0].cause, CAUSE_FILE);
	assert_int_equal(made.findings[0].calls, 4);
	assert_int_equal(made.findings[0].duration_ns, 0);
	assert_int_equal(made.findings[0].site, 0);
	assert_int_equal(made.findings[0].syscall, SYS_openat); /* it says most */
	assert_string_equal(made.findings[0].object, "/srv/a");
	assert_int_equal(made.findings[1].cause, CAUSE_NETWORK);
	made.config.is_enabled[RULE_BLOCKING_CALL] = false;
	assert_int_equal(made_eval(&made), 0);
}

static void a_breach_of_the_same_line_says_it_all(void **state)
{
	struct stack other = { .nr = 0 };

	(void)state;
	push_app(9);
	made_sleep(&made, &stack, SYS_wait4, 50 * MSEC);
	made_latent(SYS_clone, 1);
	assert_int_equal(made_eval(&made), 1);
	assert_false(made.findings[0].is_latent);
	other = stack;
	other.frames[0].line = 10;
	made_latent(SYS_clone, 1);
	made.sleeps[2].stack = &other;
	assert_int_equal(made_eval(&made), 2);
	assert_true(made.findings[1].is_latent);
}

static void reading_the_files_of_the_resolver_is_dns(void **state)
{
	static const char hosts[] = "hosts\0etc";

	(void)state;
	push_app(9);
	set_name(&made_latent(SYS_openat, 1)->object, OBJECT_FILE, hosts, sizeof(hosts));
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_DNS);
}

static void an_audit_event_is_called_what_it_is(void **state)
{
	struct ev_sleep *ev;

	(void)state;
	push_app(9);
	ev = made_latent(-1, 1);
	ev->args[0] = 2;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_FILE);
	assert_string_equal(made.findings[0].object, "os.chmod");
	ev->args[0] = 1;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_DNS);
	ev->args[0] = AUDIT_MAX; /* of a later release */
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_OTHER);
}

static void the_harmless_is_left_alone(void **state)
{
	static const struct {
		const char *file, *name;
	} harmless[] = {
		{ STDLIB "asyncio/unix_events.py", "_UnixSubprocessTransport._start" },
		{ STDLIB "asyncio/unix_events.py", "_UnixSelectorEventLoop.create_unix_server" },
		{ "<frozen importlib._bootstrap_external>", "SourceFileLoader.get_data" },
		{ STDLIB "linecache.py", "updatecache" },
		{ STDLIB "asyncio/subprocess.py", "create_subprocess_exec" },
		{ STDLIB "concurrent/futures/process.py", "submit" },
		{ SITE_PACKAGES "coverage/python.py", "get_python_source" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		setup(NULL);
		push(&stack, frame_at(harmless[i].file, 3, harmless[i].name));
		push_app(9);
		made_latent(SYS_openat, 1)->object.kind = OBJECT_FILE;
		assert_int_equal(made_eval(&made), 0);
	}
	/* above the site it says nothing of the call */
	setup(NULL);
	push(&stack, frame_at("/srv/shop/app.py", 5, "on_line"));
	push(&stack, frame_at(STDLIB "asyncio/unix_events.py", 3, "_read_ready"));
	push_loop(&stack);
	made_latent(SYS_openat, 1)->object.kind = OBJECT_FILE;
	assert_int_equal(made_eval(&made), 1);
	/* but an import does, however deep */
	setup(NULL);
	push(&stack, frame_at("/srv/shop/settings.py", 5, "<module>"));
	push(&stack, frame_at("<frozen importlib._bootstrap>", 241, "_find_and_load"));
	push_app(9);
	made_latent(SYS_openat, 1)->object.kind = OBJECT_FILE;
	assert_int_equal(made_eval(&made), 0);
}

static void allowed_sites_are_silent(void **state)
{
	(void)state;
	push_app(9);
	made_latent(SYS_clone, 1);
	made.config.nr_allow = 1;
	strcpy(made.config.allow[0].file, "app.py");
	strcpy(made.config.allow[0].function, "handler");
	assert_int_equal(made_eval(&made), 0);
}

static void ranked_behind_what_cost_time_and_no_news_after_a_breach(void **state)
{
	const struct site_total *sites;
	struct ranking *ranking;

	(void)state;
	push_app(9);
	made_latent(SYS_wait4, 7);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(ranking_new(&ranking), 0);
	assert_false(ranking_knows(ranking, &made.findings[0]));
	ranking_add(ranking, &made.findings[0]);
	assert_false(ranking_knows(ranking, &made.findings[0]));
	made.findings[0].is_latent = false;
	made.findings[0].duration_ns = 5;
	ranking_add(ranking, &made.findings[0]);
	assert_true(ranking_knows(ranking, &made.findings[0]));
	assert_int_equal(ranking_sort(ranking, &sites), 2);
	assert_false(sites[0].is_latent);
	assert_int_equal(sites[0].count, 1);
	assert_true(sites[1].is_latent);
	assert_int_equal(sites[1].count, 7);
	ranking_free(ranking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_iteration_gives_them_out_when_it_is_known_to_be_over),
		cmocka_unit_test(a_long_iteration_takes_them_along),
		cmocka_unit_test(late_and_many_ones_come_out_by_themselves),
		cmocka_unit_test(a_lost_end_loses_none),
		cmocka_unit_test_setup(calls_of_one_line_are_one_finding, setup),
		cmocka_unit_test_setup(a_breach_of_the_same_line_says_it_all, setup),
		cmocka_unit_test_setup(reading_the_files_of_the_resolver_is_dns, setup),
		cmocka_unit_test_setup(an_audit_event_is_called_what_it_is, setup),
		cmocka_unit_test_setup(the_harmless_is_left_alone, setup),
		cmocka_unit_test_setup(allowed_sites_are_silent, setup),
		cmocka_unit_test_setup(ranked_behind_what_cost_time_and_no_news_after_a_breach, setup),
	};

	return cmocka_run_group_tests_name("latent", tests, NULL, NULL);
}
