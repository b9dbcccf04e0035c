/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Repeated findings: how many lines they make, and that their sums are whole. */
#include "made_iteration.h"

#include "fold.h"
#include "ranking.h"

static struct made made;
static struct fold *fold;
static unsigned int nr_lines;
static uint64_t count, total_ns;
static struct breach last; /* its finding may be gone */
static char last_function[64];
static char last_holder[160];
static uint64_t last_lock_ns;

static void on_line(void *context, const struct breach *breach)
{
	assert_ptr_equal(context, &made);
	nr_lines++;
	count += breach->count;
	total_ns += breach->total_ns;
	last = *breach;
	last_lock_ns = breach->asleep_by_cause[CAUSE_LOCK];
	last_function[0] = '\0';
	if (breach->finding->stack && breach->finding->site >= 0)
		snprintf(last_function, sizeof(last_function), "%s",
			 breach->finding->stack->frames[breach->finding->site].function);
	last_holder[0] = '\0';
	if (breach->finding->holder.stack)
		snprintf(last_holder, sizeof(last_holder), "%s in %s",
			 breach->finding->holder.name,
			 breach->finding->holder.stack->frames[0].function);
	assert_int_equal(breach->finding->iteration->loop->target->info.pid, 4711);
}

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	nr_lines = 0;
	count = total_ns = 0;
	return fold_new(&fold, on_line, &made);
}

static int teardown(void **state)
{
	(void)state;
	fold_free(fold);
	return 0;
}

/* Adds a finding whose strings and stack are gone right after. */
static void add(const char *function, int32_t line, uint64_t duration_ns, uint64_t now_ns)
{
	struct stack *stack = calloc(1, sizeof(*stack));
	char *name = strdup(function);

	made_init(&made);
	push(stack, coroutine_at("/srv/shop/app.py", line, name));
	push_loop(stack);
	made_sleep(&made, stack, SYS_futex, duration_ns);
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(fold_add(fold, &made.findings[0], now_ns), 0);
	memset(stack, 0x55, sizeof(*stack));
	free(stack);
	free(name);
	memset(made.sleeps, 0x55, sizeof(made.sleeps));
}

static void ten_lines_a_second_then_one_for_the_rest(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++)
		add("handler", 42, (20 + i % 50) * MSEC, START + i * MSEC);
	assert_int_equal(nr_lines, FOLD_MAX_LINES);
	fold_flush(fold, START + FOLD_WINDOW_NS - 1);
	assert_int_equal(nr_lines, FOLD_MAX_LINES);
	fold_flush(fold, START + FOLD_WINDOW_NS);
	assert_int_equal(nr_lines, FOLD_MAX_LINES + 1);
	assert_int_equal(last.count, 90);
	assert_int_equal(last.max_ns, 69 * MSEC);
	assert_string_equal(last_function, "handler");
	assert_int_equal(last_lock_ns, 69 * MSEC);
	assert_int_equal(count, 100);
	/* that line was the first of the new second */
	for (i = 0; i < 20; i++)
		add("handler", 42, 20 * MSEC, START + FOLD_WINDOW_NS + i);
	assert_int_equal(nr_lines, 2 * FOLD_MAX_LINES);
	fold_finish(fold);
	assert_int_equal(count, 120);
}

static void who_held_the_gil_is_kept_as_well(void **state)
{
	struct stack *own, *holder;
	struct ev_sleep *ev;
	char *name;

	(void)state;
	for (unsigned int i = 0; i < 12; i++) {
		own = calloc(1, sizeof(*own));
		holder = calloc(1, sizeof(*holder));
		name = strdup("crunch");
		made_init(&made);
		push_loop(own);
		push(holder, frame_at("/srv/shop/crunch.py", 31, name));
		push(holder, frame_at(STDLIB "threading.py", 995, "Thread._bootstrap"));
		ev = made_sleep(&made, own, SYS_futex, 50 * MSEC);
		ev->off_class = OFF_GIL;
		ev->holder_ident = 1;
		made.sleeps[0].holder_stack = holder;
		strcpy(made.sleeps[0].holder_name, "burner");
		made.iteration.ev.off_ns[OFF_SYSCALL] = 0;
		made.iteration.ev.off_ns[OFF_GIL] = 50 * MSEC;
		assert_int_equal(made_eval(&made), 1);
		assert_int_equal(fold_add(fold, &made.findings[0], START), 0);
		memset(own, 0x55, sizeof(*own));
		memset(holder, 0x55, sizeof(*holder));
		free(own);
		free(holder);
		free(name);
		memset(made.sleeps, 0x55, sizeof(made.sleeps));
	}
	last_holder[0] = '\0';
	fold_finish(fold);
	assert_int_equal(last.count, 2);
	assert_string_equal(last_holder, "burner in crunch");
}

static void the_next_record_flushes_before_it_counts(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 12; i++)
		add("handler", 42, 20 * MSEC, START);
	assert_int_equal(nr_lines, 10);
	add("other", 50, 20 * MSEC, START + 5 * FOLD_WINDOW_NS);
	assert_int_equal(nr_lines, 12);
	assert_int_equal(count, 13);
}

static void sites_do_not_share_a_budget(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		add("handler", 42, 20 * MSEC, START);
		add("handler", 43, 20 * MSEC, START);
		add("other", 42, 20 * MSEC, START);
	}
	assert_int_equal(nr_lines, 30);
}

static void findings_without_a_site_fold_by_loop(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		made_init(&made);
		made.loop.info.head.loop_id = i % 2;
		made.iteration.ev.run_queue_ns = 60 * MSEC;
		assert_int_equal(made_eval(&made), 1);
		assert_int_equal(fold_add(fold, &made.findings[0], START), 0);
	}
	assert_int_equal(nr_lines, 20);
	fold_finish(fold);
	assert_int_equal(nr_lines, 22);
	assert_int_equal(count, 30);
}

static void a_flood_of_sites_is_bounded_and_loses_nothing(void **state)
{
	const unsigned int nr = 3 * FOLD_MAX_SITES;
	unsigned int i, k;

	(void)state;
	for (i = 0; i < nr; i++) {
		for (k = 0; k < 12; k++)
			add("handler", (int32_t)i + 1, 20 * MSEC, START);
	}
	fold_finish(fold);
	assert_int_equal(count, nr * 12);
	assert_int_equal(total_ns, nr * 12 * 20 * MSEC);
	assert_int_equal(nr_lines, nr * 11);
}

static void the_ranking_adds_up(void **state)
{
	const struct site_total *sites;
	struct ranking *ranking;
	struct stack stack = { 0 };
	unsigned int nr, i;

	(void)state;
	assert_int_equal(ranking_new(&ranking), 0);
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	for (i = 0; i < RANKING_MAX_SITES + 5; i++) {
		made_init(&made);
		stack.frames[0].line = (int32_t)i + 1;
		made_sleep(&made, &stack, SYS_futex, 20 * MSEC);
		assert_int_equal(made_eval(&made), 1);
		ranking_add(ranking, &made.findings[0]);
	}
	stack.frames[0].line = 7;
	assert_int_equal(made_eval(&made), 1);
	made.findings[0].duration_ns = 50 * MSEC;
	ranking_add(ranking, &made.findings[0]);
	nr = ranking_sort(ranking, &sites);
	assert_int_equal(nr, RANKING_MAX_SITES);
	assert_int_equal(ranking_refused(ranking), 5);
	assert_int_equal(sites[0].line, 7);
	assert_int_equal(sites[0].count, 2);
	assert_int_equal(sites[0].total_ns, 70 * MSEC);
	assert_int_equal(sites[0].max_ns, 50 * MSEC);
	assert_string_equal(sites[0].function, "handler");
	assert_string_equal(sites[0].file, "/srv/shop/app.py");
	/* equal costs are in order of place */
	assert_int_equal(sites[1].line, 1);
	assert_int_equal(sites[2].line, 2);
	ranking_free(ranking);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ten_lines_a_second_then_one_for_the_rest),
		TEST(who_held_the_gil_is_kept_as_well),
		TEST(the_next_record_flushes_before_it_counts),
		TEST(sites_do_not_share_a_budget),
		TEST(findings_without_a_site_fold_by_loop),
		TEST(a_flood_of_sites_is_bounded_and_loses_nothing),
		TEST(the_ranking_adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
