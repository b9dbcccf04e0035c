/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every bound of the kernel half is kept, and what does not fit is counted. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>

#include "watched.h"

static void get_stats(const struct watch *w, uint64_t stats[STAT_MAX])
{
	memset(stats, 0, STAT_MAX * sizeof(*stats));
	probes_stats(w->probes, stats);
}

/* ---- the ring ---- */

static void a_full_ring_is_counted(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    for _ in range(300):\n"
		"        time.sleep(0.0001)\n"
		"        await asyncio.sleep(0)\n"
		"go()\n"
		"asyncio.run(main())\n";
	struct probes_config config = probes_default_config;
	uint64_t stats[STAT_MAX];
	struct child child;
	struct watch *w;

	(void)state;
	config.ring_bytes = 4096;
	config.report_asleep_ns = 1;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(child_end(&child), 0); /* nobody takes anything out */
	get_stats(w, stats);
	assert_true(stats[STAT_RING_FULL] >= 500);
	assert_true(stats[STAT_RECORDS_SUBMITTED] >= 4);
	assert_int_equal(stats[STAT_RECORDS_MADE],
			 stats[STAT_RECORDS_SUBMITTED] + stats[STAT_RING_FULL]);
	watch_drain(w);
	assert_int_equal(w->nr, stats[STAT_RECORDS_SUBMITTED]);
	watch_close(w);
}

static void a_stack_that_was_lost_is_sent_again(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    for _ in range(100):\n"
		"        time.sleep(0.0001)\n"
		"        await asyncio.sleep(0)\n"
		"    say('full')\n"
		"    sys.stdin.readline()\n"
		"    for _ in range(3):\n"
		"        os.sched_yield()\n"
		"        time.sleep(0.0001)\n"
		"        await asyncio.sleep(0)\n"
		"    say('done')\n"
		"    sys.stdin.readline()\n"
		"go()\n"
		"asyncio.run(main())\n";
	struct probes_config config = probes_default_config;
	const struct ev_sleep *sleep;
	struct child child;
	struct watch *w;

	(void)state;
	config.ring_bytes = 4096;
	config.report_asleep_ns = 1;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "full");
	watch_drain(w);
	child_go(&child);
	assert_string_equal(child_line(&child), "done");
	watch_drain(w);
	sleep = watch_nth(w, EV_SLEEP, child.target_id,
			  watch_count(w, EV_SLEEP, child.target_id) - 1);
	assert_non_null(sleep);
	watch_stack(w, sleep->stack_id);
	child_end(&child);
	watch_close(w);
}

/* ---- slots of loops ---- */

static void loops_without_a_slot_are_counted_and_slots_come_back(void **state)
{
	static const char script[] =
		"here = threading.Barrier(3)\n"
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"    await asyncio.get_running_loop().run_in_executor(None, here.wait)\n"
		"def run(): asyncio.run(main())\n"
		"for _ in range(2):\n"
		"    go()\n"
		"    threads = [threading.Thread(target=run) for _ in range(3)]\n"
		"    for thread in threads: thread.start()\n"
		"    for thread in threads: thread.join()\n"
		"go()\n";
	struct probes_config config = probes_default_config;
	uint64_t stats[STAT_MAX], refused;
	const struct ev_head *ev;
	struct child child;
	struct watch *w;

	(void)state;
	config.max_loops = 2;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "ready");
	watch_await(w, EV_LOOP_EXIT, child.target_id, 1);
	assert_int_equal(watch_count(w, EV_LOOP, child.target_id), 2);
	get_stats(w, stats);
	refused = stats[STAT_LOOPS_REFUSED];
	assert_true(refused >= 1);
	assert_null(probes_loop_counters(w->probes, config.max_loops));
	for (unsigned i = 0; i < 2; i++) {
		ev = watch_nth(w, EV_LOOP_EXIT, child.target_id, i);
		assert_true(ev->loop_id < config.max_loops);
		probes_release_loop(w->probes, ev->loop_id);
	}
	child_go(&child);
	assert_string_equal(child_line(&child), "ready");
	watch_await(w, EV_LOOP_EXIT, child.target_id, 3);
	assert_int_equal(watch_count(w, EV_LOOP, child.target_id), 4);
	get_stats(w, stats);
	assert_true(stats[STAT_LOOPS_REFUSED] > refused);
	watch_end(w, &child);
	watch_close(w);
}

static void each_thread_is_one_loop_and_takes_one_slot(void **state)
{
	enum { NR_THREADS = 1000 };
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"def run(): asyncio.run(main())\n"
		"go()\n"
		"for _ in range(1000):\n"
		"    thread = threading.Thread(target=run)\n"
		"    thread.start()\n"
		"    thread.join()\n";
	static bool is_taken[1024]; /* slots */
	const struct ev_head *ev;
	struct child child;
	struct watch *w;

	(void)state;
	w = watch_open(&probes_default_config);
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(watch_end(w, &child), 0);
	for (unsigned i = 0; (ev = watch_nth(w, EV_LOOP_EXIT, child.target_id, i)); i++) {
		assert_true(ev->loop_id < ARRAY_SIZE(is_taken));
		assert_false(is_taken[ev->loop_id]);
		is_taken[ev->loop_id] = true;
	}
	assert_int_equal(watch_count(w, EV_LOOP_EXIT, child.target_id), NR_THREADS);
	assert_int_equal(watch_count(w, EV_LOOP, child.target_id), NR_THREADS);
	watch_close(w);
}

/* ---- targets ---- */

static void targets_beyond_the_bound_are_refused(void **state)
{
	struct probes_config config = probes_default_config;
	struct watch *w;
	int err = 0;

	(void)state;
	config.max_targets = 8;
	config.max_candidates = 0;
	w = watch_open(&config);
	for (pid_t pid = 0x70000000; !err && pid < 0x70000000 + 1024; pid++)
		err = probes_watch(w->probes, pid, 1, NULL);
	assert_int_equal(err, -E2BIG);
	watch_close(w);
}

static void a_late_answer_for_another_image_changes_nothing(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	const pid_t pid = 0x70000000;

	(void)state;
	assert_int_equal(probes_watch(w->probes, pid, 5, NULL), 0);
	assert_int_equal(probes_watch(w->probes, pid, 5, NULL), 0);
	assert_int_equal(probes_watch(w->probes, pid, 4, NULL), -ESTALE);
	assert_int_equal(probes_unwatch(w->probes, pid, 4), -ESTALE);
	assert_int_equal(probes_unwatch(w->probes, pid, 5), 0);
	assert_int_equal(probes_unwatch(w->probes, pid, 5), -ENOENT);
	watch_close(w);
}

/* ---- the end ---- */

#define MAX_IDS 256

/* The numbers of the programs (or maps) that this process holds descriptors of. */
static unsigned own_ids(const char *key, uint32_t *ids)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	struct dirent *entry;
	char path[300], line[256];
	unsigned nr = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		cleanup_fclose FILE *file = NULL;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file)) {
			if (strncmp(line, key, strlen(key)) == 0 && nr < MAX_IDS)
				ids[nr++] = (uint32_t)atoi(line + strlen(key));
		}
	}
	closedir(dir);
	return nr;
}

/* The kernel frees a little later: waits until the number means nothing. */
static void await_gone(int (*fd_of)(uint32_t id), uint32_t id)
{
	uint64_t deadline_ns = now_ns() + DEADLINE_NS;
	int fd;

	while ((fd = fd_of(id)) >= 0) {
		close(fd);
		if (now_ns() > deadline_ns)
			fail_msg("number %u is still there", id);
		poll(NULL, 0, 5);
	}
	assert_int_equal(fd, -ENOENT);
}

static void closing_leaves_nothing_behind(void **state)
{
	static const enum probes_boundary boundaries[] = { BOUNDARY_TRACEPOINT, BOUNDARY_RAW };
	uint32_t programs[MAX_IDS], maps[MAX_IDS];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(boundaries); i++) {
		struct probes_config config = probes_default_config;
		unsigned nr_programs, nr_maps;
		struct watch *w;

		config.boundary = boundaries[i];
		w = watch_open(&config);
		nr_programs = own_ids("prog_id:", programs);
		nr_maps = own_ids("map_id:", maps);
		assert_true(nr_programs >= 7 && nr_maps >= 8);
		watch_close(w);
		for (unsigned p = 0; p < nr_programs; p++)
			await_gone(bpf_prog_get_fd_by_id, programs[p]);
		for (unsigned m = 0; m < nr_maps; m++)
			await_gone(bpf_map_get_fd_by_id, maps[m]);
		assert_int_equal(own_ids("prog_id:", programs), 0);
		assert_int_equal(own_ids("map_id:", maps), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: a test that fails leaves its own behind. */
		cmocka_unit_test(closing_leaves_nothing_behind),
		cmocka_unit_test(a_full_ring_is_counted),
		cmocka_unit_test(a_stack_that_was_lost_is_sent_again),
		cmocka_unit_test(loops_without_a_slot_are_counted_and_slots_come_back),
		cmocka_unit_test(each_thread_is_one_loop_and_takes_one_slot),
		cmocka_unit_test(targets_beyond_the_bound_are_refused),
		cmocka_unit_test(a_late_answer_for_another_image_changes_nothing),
	};

	require_host();
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
