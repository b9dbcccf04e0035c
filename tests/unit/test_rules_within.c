/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* gc-pause and import-on-loop: what counts, for which line, and that no other rule has it again. */
#include "made_iteration.h"

#define BOOTSTRAP "<frozen importlib._bootstrap>"

static struct made made;
static struct gc_run gcs[8];
static struct import_run imports[8];

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	made.iteration.gcs = gcs;
	made.iteration.imports = imports;
	return 0;
}

static struct stack stack_at(int32_t line)
{
	struct stack stack = { 0 };

	push(&stack, coroutine_at("/srv/shop/app.py", line, "Shop.handler"));
	push_loop(&stack);
	return stack;
}

/* The code of /srv/shop/reports/__init__.py, imported by that line; below it a frame of its own. */
static struct stack importing_at(int32_t line, const char *innermost)
{
	struct stack stack = { 0 };

	push(&stack, frame_at(innermost, 7, "<module>"));
	push(&stack, frame_at(BOOTSTRAP, 241, "_call_with_frames_removed"));
	push(&stack, frame_at(BOOTSTRAP, 1176, "_find_and_load"));
	push(&stack, frame_at("/srv/shop/reports/__init__.py", 3, "<module>"));
	push(&stack, frame_at(BOOTSTRAP, 241, "_call_with_frames_removed"));
	push(&stack, frame_at(BOOTSTRAP, 1176, "_find_and_load"));
	push(&stack, coroutine_at("/srv/shop/app.py", line, "Shop.handler"));
	push_loop(&stack);
	return stack;
}

static void on_cpu(uint64_t ns)
{
	made.iteration.ev.on_cpu_ns += ns;
	made.iteration.ev.end_ns += ns;
}

static struct ev_gc *add_gc(const struct stack *stack, uint64_t ns)
{
	struct gc_run *run = &gcs[made.iteration.nr_gcs++];

	*run = (struct gc_run){ .ev = { .start_ns = START + 1,
					.total_ns = ns,
					.generation = 2,
					.nr_collected = 10 },
				.stack = stack };
	made.iteration.ev.gc_on_cpu_ns += ns;
	on_cpu(ns);
	return &run->ev;
}

static struct ev_import *add_import(const struct stack *stack, const char *module,
				    uint64_t on_cpu_ns, uint64_t asleep_ns)
{
	struct import_run *run = &imports[made.iteration.nr_imports++];

	*run = (struct import_run){
		.ev = { .start_ns = START + 1, .on_cpu_ns = on_cpu_ns, .asleep_ns = asleep_ns },
		.stack = stack
	};
	strcpy(run->ev.module, module);
	made.iteration.ev.import_on_cpu_ns += on_cpu_ns;
	made.iteration.ev.import_asleep_ns += asleep_ns;
	on_cpu(on_cpu_ns);
	return &run->ev;
}

static void samples_within(const struct stack *stack, unsigned nr, uint32_t within)
{
	uint32_t first = made.iteration.nr_samples;

	made_samples(&made, stack, 1, nr);
	for (; first < made.iteration.nr_samples; first++)
		made.samples[first].within = within;
}

static void runs_of_one_line_add_up(void **state)
{
	struct stack line_42 = stack_at(42), line_43 = stack_at(43);

	(void)state;
	add_gc(&line_42, 12 * MSEC)->generation = 1;
	add_gc(&line_42, 7 * MSEC);
	add_gc(&line_43, 19 * MSEC);
	assert_int_equal(made_eval(&made), 0);
	add_gc(&line_42, 1 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_GC_PAUSE);
	assert_int_equal(made.findings[0].cause, CAUSE_AUTOMATIC);
	assert_int_equal(made.findings[0].duration_ns, 20 * MSEC);
	assert_int_equal(made.findings[0].calls, 3);
	assert_int_equal(made.findings[0].gc.generation, 2);
	assert_int_equal(made.findings[0].gc.collected, 30);
	assert_false(made.findings[0].is_estimated);
	assert_int_equal(made.findings[0].stack->frames[made.findings[0].site].line, 42);
}

static void a_call_of_collect_is_told_from_the_collectors_own_run(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	add_gc(&stack, 30 * MSEC)->is_explicit = 1;
	add_gc(&stack, 25 * MSEC);
	assert_int_equal(made_eval(&made), 2);
	assert_int_equal(made.findings[0].cause, CAUSE_EXPLICIT);
	assert_int_equal(made.findings[1].cause, CAUSE_AUTOMATIC);
}

static void without_records_samples_share_it_out(void **state)
{
	struct stack line_42 = stack_at(42), line_43 = stack_at(43);

	(void)state;
	on_cpu(100 * MSEC);
	made.iteration.ev.gc_on_cpu_ns = 80 * MSEC;
	samples_within(&line_42, 3, IN_GC | IN_ESTIMATED);
	samples_within(&line_43, 1, IN_GC | IN_ESTIMATED | IN_COLLECT);
	samples_within(&line_43, 5, 0);
	assert_int_equal(made_eval(&made), 2);
	assert_int_equal(made.findings[0].duration_ns, 60 * MSEC);
	assert_true(made.findings[0].is_estimated);
	assert_int_equal(made.findings[0].calls, 0);
	assert_int_equal(made.findings[0].cause, CAUSE_AUTOMATIC);
	assert_int_equal(made.findings[1].duration_ns, 20 * MSEC);
	assert_int_equal(made.findings[1].cause, CAUSE_EXPLICIT);
}

static void without_samples_either_it_has_no_line(void **state)
{
	(void)state;
	on_cpu(30 * MSEC);
	made.iteration.ev.gc_on_cpu_ns = 25 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].duration_ns, 25 * MSEC);
	assert_int_equal(made.findings[0].site, -1);
}

static void the_collectors_time_is_not_cpu_bound(void **state)
{
	struct stack own = stack_at(42), collecting = stack_at(43);

	(void)state;
	add_gc(&collecting, 90 * MSEC);
	on_cpu(49 * MSEC);
	samples_within(&collecting, 20, IN_GC);
	samples_within(&own, 10, 0);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_GC_PAUSE);
	on_cpu(2 * MSEC);
	assert_int_equal(made_eval(&made), 2);
	assert_int_equal(made.findings[1].rule, RULE_CPU_BOUND);
	assert_int_equal(made.findings[1].duration_ns, 51 * MSEC);
	assert_int_equal(made.findings[1].stack->frames[0].line, 42);
	assert_int_equal(made.findings[1].calls, 10);
}

static void an_import_is_one_finding_with_all_it_did(void **state)
{
	struct stack stack = stack_at(42), deep = importing_at(42, "/srv/shop/reports/pdf.py");

	(void)state;
	add_import(&stack, "reports", 70 * MSEC, 40 * MSEC);
	samples_within(&deep, 20, IN_IMPORT);
	made_sleep(&made, &deep, SYS_read, 40 * MSEC)->within = IN_IMPORT;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_IMPORT_ON_LOOP);
	assert_int_equal(made.findings[0].cause, CAUSE_IMPORT);
	assert_int_equal(made.findings[0].duration_ns, 110 * MSEC);
	assert_int_equal(made.findings[0].asleep_ns, 40 * MSEC);
	assert_string_equal(made.findings[0].module, "reports");
	assert_int_equal(made.findings[0].stack->frames[made.findings[0].site].line, 42);
	assert_false(made.findings[0].is_estimated);
}

static void submodules_of_one_statement_add_up(void **state)
{
	struct stack package = stack_at(42), submodule = { 0 };

	(void)state;
	push(&submodule, frame_at(BOOTSTRAP, 241, "_call_with_frames_removed"));
	push(&submodule, frame_at(BOOTSTRAP, 1229, "_handle_fromlist"));
	push(&submodule, coroutine_at("/srv/shop/app.py", 42, "Shop.handler"));
	push_loop(&submodule);
	add_import(&package, "reports", 11 * MSEC, 0);
	assert_int_equal(made_eval(&made), 0);
	add_import(&submodule, "reports.pdf", 9 * MSEC, 0);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].calls, 2);
	assert_string_equal(made.findings[0].module, "reports");
}

/* As model/within.c marks them. */
static void without_probes_the_stack_says_who_imported_what(void **state)
{
	struct stack one = importing_at(42, "/srv/shop/reports/pdf.py"),
		     other = importing_at(42, "/srv/shop/reports/html.py");

	(void)state;
	on_cpu(60 * MSEC);
	made.iteration.ev.import_on_cpu_ns = made.iteration.import_guess_ns = 60 * MSEC;
	made.iteration.ev.import_asleep_ns = 15 * MSEC;
	samples_within(&one, 4, IN_IMPORT | IN_ESTIMATED);
	samples_within(&other, 2, IN_IMPORT | IN_ESTIMATED);
	made_sleep(&made, &other, SYS_read, 15 * MSEC)->within = IN_IMPORT | IN_ESTIMATED;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_IMPORT_ON_LOOP);
	assert_int_equal(made.findings[0].duration_ns, 75 * MSEC);
	assert_true(made.findings[0].is_estimated);
	assert_string_equal(made.findings[0].module, "reports");
	assert_int_equal(made.findings[0].stack->frames[made.findings[0].site].line, 42);
	assert_int_equal(made.findings[0].nr_library, 6);
}

/* The record that says what is imported from then on. */
static void add_name(const char *module, uint64_t start_ns)
{
	struct import_run *run = &imports[made.iteration.nr_imports++];

	*run = (struct import_run){ .ev = { .start_ns = start_ns, .within = IN_ESTIMATED } };
	strcpy(run->ev.module, module);
}

static void the_loaders_frame_names_what_most_time_went_to(void **state)
{
	struct stack stack = importing_at(42, "/srv/shop/reports/pdf.py");

	(void)state;
	on_cpu(60 * MSEC);
	made.iteration.ev.import_on_cpu_ns = made.iteration.import_guess_ns = 60 * MSEC;
	samples_within(&stack, 6, IN_IMPORT | IN_ESTIMATED);
	for (unsigned i = 0; i < 6; i++)
		made.samples[i].ts_ns = START + i;
	add_name("shop.html", START);
	add_name("shop.reports", START + 2);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].duration_ns, 60 * MSEC);
	assert_string_equal(made.findings[0].module, "shop.reports");
	add_name("", START + 3); /* one that had no room: its samples are nobody's */
	assert_int_equal(made_eval(&made), 1);
	assert_string_equal(made.findings[0].module, "shop.html");
}

static void below_an_import_by_name_a_record_is_a_part_of_it(void **state)
{
	struct stack stack = importing_at(42, "/srv/shop/reports/pdf.py");
	struct ev_import *part;

	(void)state;
	add_name("shop.reports", START + 2);
	part = add_import(&stack, "shop.reports.pdf", 30 * MSEC, 0);
	part->total_ns = 30 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].duration_ns, 30 * MSEC);
	assert_int_equal(made.findings[0].calls, 1);
	assert_string_equal(made.findings[0].module, "shop.reports");
}

static void what_a_finalizer_sleeps_is_a_blocking_call(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	add_gc(&stack, 5 * MSEC);
	made_sleep(&made, &stack, SYS_fsync, 30 * MSEC)->within = IN_GC;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_BLOCKING_CALL);
}

/* A free-threaded build: the thread sleeps on a futex, and was stopped by another; mostly by its collector. */
static void what_another_thread_stops_is_no_lock(void **state)
{
	struct stack here = stack_at(42), there = stack_at(50);
	struct ev_sleep *sleep;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		sleep = made_sleep(&made, i < 2 ? &here : &there, SYS_futex, 15 * MSEC);
		sleep->off_class = OFF_OTHER;
		sleep->within = IN_GC;
	}
	sleep = made_sleep(&made, &there, SYS_futex, 90 * MSEC); /* for a fork */
	sleep->off_class = OFF_OTHER;
	made.iteration.ev.off_ns[OFF_OTHER] = made.iteration.ev.off_ns[OFF_SYSCALL];
	made.iteration.ev.off_ns[OFF_SYSCALL] = 0;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].rule, RULE_GC_PAUSE);
	assert_int_equal(made.findings[0].cause, CAUSE_OTHER_THREAD);
	assert_int_equal(made.findings[0].duration_ns, 30 * MSEC);
	assert_false(made.findings[0].is_estimated);
	assert_string_equal(cause_names[CAUSE_OTHER_THREAD], "other-thread");
}

static void an_allowed_line_is_silent(void **state)
{
	struct stack stack = stack_at(42);

	(void)state;
	strcpy(made.config.allow[0].file, "app.py");
	strcpy(made.config.allow[0].function, "handler");
	made.config.nr_allow = 1;
	add_gc(&stack, 30 * MSEC);
	add_import(&stack, "reports", 30 * MSEC, 0);
	assert_int_equal(made_eval(&made), 0);
}

static void the_import_statement_is_outside_of_importlib(void **state)
{
	struct stack stack = importing_at(42, "/srv/shop/reports/pdf.py"), plain = stack_at(42),
		     whole = { 0 };

	(void)state;
	assert_int_equal(stack_import_frame(&made.loop, &stack), 6);
	assert_int_equal(stack_import_frame(&made.loop, &plain), -1);
	assert_int_equal(stack_import_frame(&made.loop, NULL), -1);
	assert_int_equal(stack_importer_frame(&made.loop, &plain), 0);
	/* A program that runs its loop while it is imported: that import is not the loop's. */
	push(&whole, coroutine_at("/srv/shop/app.py", 42, "Shop.handler"));
	push_loop(&whole);
	push(&whole, frame_at(BOOTSTRAP, 1176, "_find_and_load"));
	push(&whole, frame_at("/srv/shop/run.py", 1, "<module>"));
	assert_int_equal(stack_import_frame(&made.loop, &whole), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(runs_of_one_line_add_up, setup),
		cmocka_unit_test_setup(a_call_of_collect_is_told_from_the_collectors_own_run,
				       setup),
		cmocka_unit_test_setup(without_records_samples_share_it_out, setup),
		cmocka_unit_test_setup(without_samples_either_it_has_no_line, setup),
		cmocka_unit_test_setup(the_collectors_time_is_not_cpu_bound, setup),
		cmocka_unit_test_setup(an_import_is_one_finding_with_all_it_did, setup),
		cmocka_unit_test_setup(submodules_of_one_statement_add_up, setup),
		cmocka_unit_test_setup(the_loaders_frame_names_what_most_time_went_to, setup),
		cmocka_unit_test_setup(below_an_import_by_name_a_record_is_a_part_of_it, setup),
		cmocka_unit_test_setup(without_probes_the_stack_says_who_imported_what, setup),
		cmocka_unit_test_setup(what_a_finalizer_sleeps_is_a_blocking_call, setup),
		cmocka_unit_test_setup(what_another_thread_stops_is_no_lock, setup),
		cmocka_unit_test_setup(an_allowed_line_is_silent, setup),
		cmocka_unit_test_setup(the_import_statement_is_outside_of_importlib, setup),
	};

	return cmocka_run_group_tests_name("rules_within", tests, NULL, NULL);
}
