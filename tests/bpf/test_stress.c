/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Do the records of an iteration keep together while timers interrupt the kernel half itself?  A thousand
 * timers that nobody waits for go off one after the other on the loop's CPU, and each one may sample.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "disturb.h"

#define NR_TIMERS	 1000
#define TIMER_PERIOD_NS	 (20 * NSEC_PER_USEC)
#define MAX_LOOPS_SEEN	 8
/* A storm that left fewer proves nothing: of 12,000 iterations 600 were wrong when this was found. */
#define MIN_ITERATIONS	 10000
#define MIN_SAMPLES	 1000

/* ---- the storm ---- */

static int timers[NR_TIMERS];

static void timers_open(void)
{
	struct rlimit files = { NR_TIMERS + 256, NR_TIMERS + 256 };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (unsigned i = 0; i < NR_TIMERS; i++) {
		timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		assert_true(timers[i] >= 0);
	}
}

static void timers_close(void)
{
	for (unsigned i = 0; i < NR_TIMERS; i++)
		close(timers[i]);
}

/* Arms them all, on this CPU; returns when the last has gone off. */
static void timers_storm(void)
{
	uint64_t at_ns = now_ns() + NSEC_PER_MSEC;
	struct timespec end;

	for (unsigned i = 0; i < NR_TIMERS; i++) {
		struct itimerspec at = {};

		at_ns += TIMER_PERIOD_NS;
		at.it_value.tv_sec = (time_t)(at_ns / NSEC_PER_SEC);
		at.it_value.tv_nsec = (long)(at_ns % NSEC_PER_SEC);
		assert_int_equal(timerfd_settime(timers[i], TFD_TIMER_ABSTIME, &at, NULL), 0);
		end = at.it_value;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

/* This process and its children run on one CPU. */
static cpu_set_t pin(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	return all;
}

/* ---- what is said of each loop ---- */

struct order {
	uint64_t ended;	    /* number of the last iteration whose record came */
	uint64_t announced; /* highest number that a sleep or sample bore */
	uint64_t nr_sleeps, nr_samples; /* since, of `announced` */
};

struct check {
	struct order loops[MAX_LOOPS_SEEN];
	uint64_t nr_sleeps, nr_samples, nr_iterations, nr_loops;
	uint64_t nr_late, nr_early, nr_mixed, nr_miscounted, nr_invalid;
	bool has_ended;
};

static void check_part(struct check *c, struct order *o, uint64_t iteration, uint64_t *nr)
{
	c->nr_late += iteration <= o->ended;
	if (iteration != o->announced) {
		/* Of another iteration than the last one, whose end should have come in between. */
		c->nr_mixed += o->announced > o->ended;
		o->announced = iteration;
		o->nr_sleeps = o->nr_samples = 0;
	}
	(*nr)++;
}

static void check_iteration(struct check *c, struct order *o, const struct ev_iteration *it)
{
	bool has_parts = o->announced == it->iteration;

	c->nr_iterations++;
	c->nr_early += o->announced > it->iteration;
	c->nr_miscounted += it->nr_sleeps != (has_parts ? o->nr_sleeps : 0) ||
			    it->nr_samples != (has_parts ? o->nr_samples : 0);
	o->ended = it->iteration;
}

/* The first that the kernel half made and must not make: the sums of an iteration, the bytes of another record. */
static void print_invalid(const void *record, size_t size)
{
	const struct ev_iteration *it = record;
	const unsigned char *bytes = record;

	if (size == sizeof(*it) && it->head.type == EV_ITERATION) {
		print_message("    invalid iteration %llu: %llu ns in all, %llu on CPU, %llu in the run queue, asleep",
			      (unsigned long long)it->iteration, (unsigned long long)(it->end_ns - it->start_ns),
			      (unsigned long long)it->on_cpu_ns, (unsigned long long)it->run_queue_ns);
		for (unsigned i = 0; i < OFF_CLASS_MAX; i++)
			print_message(" %llu", (unsigned long long)it->off_ns[i]);
		print_message("; gc %llu, import %llu\n", (unsigned long long)it->gc_on_cpu_ns,
			      (unsigned long long)it->import_on_cpu_ns);
		return;
	}
	print_message("    invalid record of %zu bytes:", size);
	for (size_t i = 0; i < size && i < 96; i++)
		print_message(" %02x", bytes[i]);
	print_message("\n");
}

static int check_record(void *ctx, void *record, size_t size)
{
	struct check *c = ctx;
	const struct ev_head *ev;
	struct order *o;

	if (decode(record, size, &ev)) {
		if (!c->nr_invalid++)
			print_invalid(record, size);
		return 0;
	}
	c->has_ended |= ev->type == EV_EXIT;
	c->nr_loops += ev->type == EV_LOOP;
	if (ev->loop_id >= MAX_LOOPS_SEEN)
		return 0;
	o = &c->loops[ev->loop_id];
	if (ev->type == EV_SLEEP) {
		c->nr_sleeps++;
		check_part(c, o, ((const struct ev_sleep *)ev)->iteration, &o->nr_sleeps);
	} else if (ev->type == EV_SAMPLE) {
		c->nr_samples++;
		check_part(c, o, ((const struct ev_sample *)ev)->iteration, &o->nr_samples);
	} else if (ev->type == EV_ITERATION) {
		check_iteration(c, o, (const struct ev_iteration *)ev);
	}
	return 0;
}

static bool has_enough(const struct check *c)
{
	return c->nr_iterations >= MIN_ITERATIONS && c->nr_samples >= MIN_SAMPLES;
}

/* disturb: what runs beside it, on whatever CPU; NULL: nothing. */
static void records_keep_together(enum probes_boundary boundary, const char *python, void (*disturb)(void))
{
	/* The wait between two iterations does not sleep, so it ends where interrupts are allowed. */
	static const char script[] =
		"import signal\n"
		"done = []\n"
		"signal.signal(signal.SIGUSR1, lambda *_: done.append(1))\n"
		"async def main():\n"
		"    while not done:\n"
		"        time.sleep(0.00005)\n"
		"        await asyncio.sleep(0)\n"
		"go()\n"
		"asyncio.run(main())\n";
	struct probes_config config = probes_default_config;
	cpu_set_t all = pin();
	uint64_t stats[STAT_MAX] = {};
	struct check c = {};
	struct child child;
	uint64_t deadline_ns;
	bool is_told = false;
	pid_t other = 0;
	struct watch *w;

	config.boundary = boundary;
	config.report_asleep_ns = 1;
	config.sample_after_ns = config.sample_gap_ns = 0;
	config.ring_bytes = 32 * 1024 * 1024;
	w = watch_open(&config);
	timers_open();
	if (disturb)
		other = disturb_start(disturb, &all);
	watch_run(w, &child, python, script);
	deadline_ns = now_ns() + 4 * DEADLINE_NS; /* a slow machine takes a while for so many */
	while (!c.has_ended) {
		timers_storm();
		assert_true(probes_consume(w->probes, check_record, &c) >= 0);
		if (!is_told && (has_enough(&c) || now_ns() > deadline_ns)) {
			kill(child.pid, SIGUSR1);
			is_told = true;
		}
	}
	assert_int_equal(child_end(&child), 0);
	if (other)
		disturb_stop(other);
	timers_close();
	sched_setaffinity(0, sizeof(all), &all);
	probes_stats(w->probes, stats);
	print_message("    %s: %llu iterations, %llu sleeps, %llu samples: %llu early, %llu mixed, "
		      "%llu late, %llu miscounted, %llu invalid; %llu refused by the ring, %llu events missed\n",
		      python, (unsigned long long)c.nr_iterations, (unsigned long long)c.nr_sleeps,
		      (unsigned long long)c.nr_samples, (unsigned long long)c.nr_early,
		      (unsigned long long)c.nr_mixed, (unsigned long long)c.nr_late,
		      (unsigned long long)c.nr_miscounted, (unsigned long long)c.nr_invalid,
		      (unsigned long long)stats[STAT_RING_FULL], (unsigned long long)stats[STAT_EVENTS_MISSED]);
	assert_int_equal(stats[STAT_RING_FULL] + c.nr_invalid, 0);
	assert_true(has_enough(&c));
	assert_int_equal(c.nr_early + c.nr_mixed + c.nr_late + c.nr_miscounted, 0);
	watch_close(w);
}

static void records_keep_together_with_tracepoints(void **state)
{
	(void)state;
	records_keep_together(BOUNDARY_TRACEPOINT, pythons[0], NULL);
}

static void records_keep_together_with_raw_tracepoints(void **state)
{
	(void)state;
	records_keep_together(BOUNDARY_RAW, pythons[0], NULL);
}

/* The return to the CPU that goes unseen is made good by the next tick or the next return of a wait: by one of them. */
static void records_keep_together_where_events_go_missing(void **state)
{
	(void)state;
	records_keep_together(BOUNDARY_RAW, pythons[0], attach_programs);
}

/* The timer may come while a thread's wait is being found to be a loop's. */
static void a_loop_is_found_once(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"    await asyncio.sleep(0)\n"
		"def run(): asyncio.run(main())\n"
		"go()\n"
		"for _ in range(1000):\n"
		"    thread = threading.Thread(target=run)\n"
		"    thread.start()\n"
		"    thread.join()\n";
	cpu_set_t all = pin();
	uint64_t stats[STAT_MAX] = {};
	struct check c = {};
	struct child child;
	struct watch *w;

	(void)state;
	w = watch_open(&probes_default_config);
	timers_open();
	watch_run(w, &child, pythons[0], script);
	while (!c.has_ended) {
		timers_storm();
		assert_true(probes_consume(w->probes, check_record, &c) >= 0);
	}
	assert_int_equal(child_end(&child), 0);
	timers_close();
	sched_setaffinity(0, sizeof(all), &all);
	probes_stats(w->probes, stats);
	print_message("    %llu loops found, %llu refused, %llu events missed\n",
		      (unsigned long long)c.nr_loops, (unsigned long long)stats[STAT_LOOPS_REFUSED],
		      (unsigned long long)stats[STAT_EVENTS_MISSED]);
	assert_int_equal(c.nr_loops, 1000);
	assert_int_equal(stats[STAT_LOOPS_REFUSED], 0);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_keep_together_with_tracepoints),
		cmocka_unit_test(records_keep_together_with_raw_tracepoints),
		cmocka_unit_test(records_keep_together_where_events_go_missing),
		cmocka_unit_test(a_loop_is_found_once),
	};

	require_host();
	return cmocka_run_group_tests_name("stress", tests, NULL, NULL);
}
