/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How full the kernel half says it is, against what was put into it. */
#include "watched.h"

#include <bpf/bpf.h>

#include "usage.h"

static uint64_t clock_ns = 1; /* the tables are walked anew each time that they are asked for */

static uint64_t entries(const struct watch *w, enum usage_map_id map)
{
	struct usage_map maps[USAGE_MAP_MAX];

	clock_ns += USAGE_WALK_NS;
	usage_maps(probes_usage(w->probes), clock_ns, maps);
	assert_true(maps[map].entries <= maps[map].max_entries);
	return maps[map].entries;
}

static struct usage_ring ring(const struct watch *w)
{
	struct usage_ring now;

	usage_ring(probes_usage(w->probes), &now);
	assert_true(now.bytes <= now.peak_bytes && now.peak_bytes <= now.capacity_bytes);
	return now;
}

static void targets_are_counted(void **state)
{
	struct probes_config config = probes_default_config;
	struct watch *w;

	(void)state;
	config.max_targets = 700; /* more than are walked at once */
	config.max_candidates = 0;
	w = watch_open(&config);
	assert_int_equal(entries(w, USAGE_TARGETS), 0);
	for (pid_t pid = 1; pid <= 700; pid++)
		assert_int_equal(probes_watch(w->probes, 10000000 + pid, (uint32_t)pid, NULL), 0);
	assert_int_equal(entries(w, USAGE_TARGETS), 700);
	assert_true(probes_watch(w->probes, 10000000, 701, NULL) < 0); /* it was full */
	for (pid_t pid = 1; pid <= 300; pid++)
		probes_unwatch(w->probes, 10000000 + pid, (uint32_t)pid);
	assert_int_equal(entries(w, USAGE_TARGETS), 400);
	watch_close(w);
}

static void loops_are_counted_until_they_are_given_back(void **state)
{
	static const char script[] =
		"is_over = False\n"
		"async def main():\n"
		"    while not is_over: await asyncio.sleep(0.01)\n"
		"threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]\n"
		"go()\n"
		"for thread in threads: thread.start()\n"
		"go()\n"
		"is_over = True\n"
		"for thread in threads: thread.join()\n";
	const struct ev_head *ev;
	struct child child;
	struct watch *w = watch_open(&probes_default_config);

	(void)state;
	assert_int_equal(entries(w, USAGE_LOOPS), 0);
	watch_run(w, &child, pythons[0], script);
	watch_await(w, EV_LOOP, child.target_id, 2);
	assert_int_equal(entries(w, USAGE_LOOPS), 3);
	child_go(&child);
	watch_end(w, &child);
	for (unsigned i = 0; (ev = watch_nth(w, EV_LOOP_EXIT, child.target_id, i)); i++) {
		assert_int_equal(entries(w, USAGE_LOOPS), 3 - i);
		probes_release_loop(w->probes, ev->loop_id);
	}
	assert_int_equal(entries(w, USAGE_LOOPS), 0);
	watch_close(w);
}

/* An end whose record has no room gives its slot back in the kernel. */
static void loops_are_counted_where_the_ring_is_full(void **state)
{
	enum { NR_THREADS = 200 };
	static const char script[] =
		"async def main():\n"
		"    for _ in range(3):\n"
		"        time.sleep(0.0001)\n"
		"        await asyncio.sleep(0)\n"
		"go()\n"
		"for _ in range(200):\n"
		"    thread = threading.Thread(target=lambda: asyncio.run(main()))\n"
		"    thread.start()\n"
		"    thread.join()\n";
	struct probes_config config = probes_default_config;
	const struct ev_head *ev;
	struct child child;
	unsigned nr = 0;
	struct watch *w;

	(void)state;
	config.ring_bytes = 4096;
	config.report_asleep_ns = 1;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	child_end(&child);
	assert_true(ring(w).bytes > 2048);
	watch_drain(w);
	for (; (ev = watch_nth(w, EV_LOOP_EXIT, child.target_id, nr)); nr++)
		;
	assert_true(nr < NR_THREADS / 2); /* there is not room for more */
	assert_int_equal(entries(w, USAGE_LOOPS), nr);
	while (nr--) {
		ev = watch_nth(w, EV_LOOP_EXIT, child.target_id, nr);
		probes_release_loop(w->probes, ev->loop_id);
	}
	assert_int_equal(entries(w, USAGE_LOOPS), 0);
	watch_close(w);
}

static void what_waits_in_the_ring_is_told(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	uint64_t before;

	(void)state;
	assert_int_equal(ring(w).bytes, 0);
	assert_int_equal(ring(w).capacity_bytes, probes_default_config.ring_bytes);
	watch_run(w, &child, pythons[0],
		  "async def main(): time.sleep(0.05)\ngo()\nasyncio.run(main())\ngo()\n");
	assert_string_equal(child_line(&child), "ready");
	before = ring(w).bytes;
	assert_true(before >= sizeof(struct ev_stack));
	watch_drain(w);
	assert_true(ring(w).bytes < before);
	assert_true(ring(w).peak_bytes >= before);
	watch_end(w, &child);
	watch_close(w);
}

struct seen {
	unsigned nr;
	uint64_t switches, switch_ns;
};

static void on_program(void *ctx, const struct usage_program *program)
{
	struct seen *seen = ctx;

	seen->nr++;
	if (!strcmp(program->name, "on_sched_switch")) {
		seen->switches = program->runs;
		seen->switch_ns = program->run_ns;
	}
}

static void programs_are_timed_where_the_kernel_does(void **state)
{
	int stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME); /* until it is closed */
	struct watch *w = watch_open(&probes_default_config);
	struct seen seen = {};
	struct child child;

	(void)state;
	assert_true(stats_fd >= 0);
	watch_run(w, &child, pythons[0], "go()\nfor _ in range(50): time.sleep(0.0001)\n");
	child_end(&child);
	usage_programs(probes_usage(w->probes), on_program, &seen);
	close(stats_fd);
	assert_true(seen.nr >= 8);
	assert_true(seen.switches >= 50);
	assert_true(seen.switch_ns >= seen.switches * 10); /* none of them takes less */
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_counted),
		cmocka_unit_test(loops_are_counted_until_they_are_given_back),
		cmocka_unit_test(loops_are_counted_where_the_ring_is_full),
		cmocka_unit_test(what_waits_in_the_ring_is_told),
		cmocka_unit_test(programs_are_timed_where_the_kernel_does),
	};

	require_host();
	return cmocka_run_group_tests_name("bpf/usage", tests, NULL, NULL);
}
