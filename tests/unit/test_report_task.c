/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who ran, in both forms: a task, a callback in Python, a function in C; and of what was folded. */
#include "report_output.h"

#include "fold.h"

static void on_fold(void *context, const struct breach *breach)
{
	const struct reporter *reporter = context;

	reporter->breach(&opts, breach);
}

static void show(const struct reporter *reporter)
{
	uint64_t by_cause[CAUSE_MAX];
	struct breach breach = { .finding = &made.findings[0], .count = 1, .asleep_by_cause = by_cause };

	rules_asleep_by_cause(&made.iteration, by_cause);
	reporter->breach(&opts, &breach);
}

static void a_task_has_a_line_with_its_coroutine(void **state)
{
	(void)state;
	push(&stack, frame_at("/srv/shop/db.py", 7, "fetch"));
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "Shop.handler"));
	push_loop(&stack);
	made_sleep(&made, &stack, SYS_fsync, 31 * MSEC);
	made.sleeps[0].task = "import-42";
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_has("  task    import-42, coroutine Shop.handler\n");
	show(&report_jsonl);
	assert_has("\"callback\":null,\"task\":\"import-42\",");
	made.findings[0].task = "";
	show(&report_text);
	assert_has("  task    without a name, coroutine Shop.handler\n");
}

static void a_hostile_name_of_a_task_stays_on_its_line(void **state)
{
	static char name[300];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, "\033[2J\n\xe2\x80\xae\"", 9);
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	push_loop(&stack);
	made_sleep(&made, &stack, SYS_fsync, 31 * MSEC);
	made.sleeps[0].task = name;
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	output();
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_non_null(strstr(text, "coroutine handler\n"));
	show(&report_jsonl);
	assert_has("\"task\":\"\\u001b[2J\\u000a\\u202e\\\"xxx");
}

static void a_function_in_c_is_a_callback(void **state)
{
	(void)state;
	push_loop(&stack);
	made_sleep(&made, &stack, SYS_clock_nanosleep, 31 * MSEC);
	made.sleeps[0].builtin = "sleep";
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_has("  from    callback sleep, a function in C\n");
	show(&report_jsonl);
	assert_has("\"callback\":{\"function\":\"sleep\",\"file\":null,\"line\":null},\"task\":null,");
}

/* The step that was reported: not what else ran in the iteration. */
static void a_step_has_the_task_of_its_samples(void **state)
{
	struct stack other = { .id = 99 };

	(void)state;
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	push_loop(&stack);
	push(&other, coroutine_at("/srv/shop/app.py", 50, "other"));
	push_loop(&other);
	made_samples(&made, &other, 2, 3);
	made_samples(&made, &stack, 1, 30);
	for (uint32_t i = 0; i < 33; i++)
		made.samples[i].task = i < 3 ? "other" : "heavy";
	made.iteration.ev.on_cpu_ns = 200 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	show(&report_text);
	assert_has("  task    heavy, coroutine handler\n");
}

/* Its strings are gone by the time that it is shown. */
static void a_folded_breach_keeps_its_task(void **state)
{
	struct fold *fold;

	(void)state;
	assert_int_equal(fold_new(&fold, on_fold, (void *)&report_jsonl), 0);
	for (int i = 0; i <= FOLD_MAX_LINES; i++) {
		char *task = strdup("import-42"), *builtin = strdup("sleep");

		made_init(&made);
		memset(&stack, 0, sizeof(stack));
		push_loop(&stack);
		made_sleep(&made, &stack, SYS_fsync, 31 * MSEC);
		made.sleeps[0].task = i % 2 ? NULL : task;
		made.sleeps[0].builtin = i % 2 ? builtin : NULL;
		assert_int_equal(made_eval(&made), 1);
		if (i == FOLD_MAX_LINES)
			output();
		assert_int_equal(fold_add(fold, &made.findings[0], START + (uint64_t)i), 0);
		memset(task, 'y', strlen(task));
		memset(builtin, 'y', strlen(builtin));
		free(task);
		free(builtin);
	}
	fold_finish(fold);
	assert_has("\"task\":\"import-42\",");
	fold_free(fold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_task_has_a_line_with_its_coroutine, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hostile_name_of_a_task_stays_on_its_line, setup, teardown),
		cmocka_unit_test_setup_teardown(a_function_in_c_is_a_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(a_step_has_the_task_of_its_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folded_breach_keeps_its_task, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
