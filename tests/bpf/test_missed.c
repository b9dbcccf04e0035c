/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Is no stall lost when the kernel skips our programs?  It does so with a tracepoint's program on a CPU whose
 * task was preempted within bpf(2), and now and then while any program is attached or detached.  Here a
 * program is detached while the loop runs: then all is missed that it should have seen.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "disturb.h"

#define NR_SLEEPS  50
#define SLEEP_NS   (10 * NSEC_PER_MSEC)
#define NR_HOGS	  10
#define HOG_NS	  (70 * NSEC_PER_MSEC)
#define TICK_NS	  (10 * NSEC_PER_MSEC) /* the longest there is */

/* The first CPU (from 0) that we may use, and the others if there are any. */
static void choose_cpus(cpu_set_t *all, cpu_set_t *first, cpu_set_t *rest)
{
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(*all), all), 0);
	while (!CPU_ISSET(cpu, all))
		cpu++;
	CPU_ZERO(first);
	CPU_SET(cpu, first);
	*rest = *all;
	if (CPU_COUNT(all) > 1)
		CPU_CLR(cpu, rest);
}

/* ---- what is missed ---- */

static uint64_t missed(const struct watch *w)
{
	uint64_t stats[STAT_MAX] = {};

	probes_stats(w->probes, stats);
	return stats[STAT_EVENTS_MISSED];
}

/* What a descriptor of ours is: a program, or the link of one. False: neither. */
static bool program_of(int fd, bool is_link, struct bpf_prog_info *info)
{
	struct bpf_link_info link = {};
	uint32_t size = sizeof(link);
	cleanup_close int program = -1;

	memset(info, 0, sizeof(*info));
	if (is_link) {
		if (bpf_obj_get_info_by_fd(fd, &link, &size))
			return false;
		program = bpf_prog_get_fd_by_id(link.prog_id);
		fd = program;
	}
	size = sizeof(*info);
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, info, &size);
}

static bool is_descriptor(int fd, const char *kind)
{
	char path[64], link[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, link, sizeof(link) - 1) > 0 && strcmp(link, kind) == 0;
}

/* Ends the links of that program: closed behind libbpf's back, which closes what is put there instead. */
static void detach(const char *program)
{
	cleanup_close int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct bpf_prog_info info;
	unsigned nr = 0;

	assert_true(nothing >= 0);
	for (int fd = 3; fd < 256; fd++) {
		if (!is_descriptor(fd, "anon_inode:bpf_link") && !is_descriptor(fd, "anon_inode:bpf-link"))
			continue;
		if (!program_of(fd, true, &info) || strcmp(info.name, program) != 0)
			continue;
		assert_int_equal(dup3(nothing, fd, O_CLOEXEC), fd);
		nr++;
	}
	assert_true(nr > 0);
}

/* What the kernel says it skipped of the program for the returns of waits. */
static uint64_t skipped(const char *program)
{
	struct bpf_prog_info info;

	for (int fd = 3; fd < 256; fd++)
		if (is_descriptor(fd, "anon_inode:bpf-prog") && program_of(fd, false, &info) &&
		    !strcmp(info.name, program))
			return info.recursion_misses;
	fail_msg("%s is not loaded", program);
	return 0;
}

/* From now on it is not preempted by what else the machine does: each switch is one of its own. */
static void keep_on_cpu(const struct child *child)
{
	struct sched_param lowest = { .sched_priority = 1 };

	assert_int_equal(sched_setscheduler(child->pid, SCHED_FIFO, &lowest), 0);
}

static const char *exits_of(enum probes_boundary boundary)
{
	return boundary == BOUNDARY_RAW ? "on_any_exit" : "on_wait_exits";
}

static void await_wait(struct watch *w, const struct child *child)
{
	const struct ev_loop *loop = watch_await(w, EV_LOOP, child->target_id, 0);
	const volatile struct loop_counters *c = probes_loop_counters(w->probes, loop->head.loop_id);
	uint64_t deadline_ns = now_ns() + DEADLINE_NS;

	while (c->in_wait != 1) {
		assert_true(now_ns() < deadline_ns);
		sched_yield();
	}
}

#define STALL(stall)                                    \
	"def callback():\n"                             \
	"    sys.stdin.readline()\n"                    \
	stall                                           \
	"    loop.stop()\n"                             \
	"loop = asyncio.new_event_loop()\n"             \
	"loop.add_reader(0, callback)\n"                \
	"go()\n"                                        \
	"loop.call_soon(say, 'waits')\n"                \
	"loop.run_forever()\n"                          \
	"say('done')\n"                                 \
	"sys.stdin.readline()\n"

/* Runs a loop whose callback stalls after a wait whose return is not seen. */
static struct watch *run_unseen(enum probes_boundary boundary, const char *script, struct child *child)
{
	struct probes_config config = probes_default_config;
	struct watch *w;

	config.boundary = boundary;
	w = watch_open(&config);
	watch_run(w, child, pythons[0], script);
	assert_string_equal(child_line(child), "waits");
	await_wait(w, child);
	keep_on_cpu(child);
	detach(exits_of(boundary));
	child_go(child);
	assert_string_equal(child_line(child), "done");
	assert_int_equal(watch_end(w, child), 0);
	assert_true(missed(w) >= 1);
	return w;
}

static void a_hog_is_seen(enum probes_boundary boundary)
{
	const struct ev_iteration *it, *hog = NULL;
	struct child child;
	struct watch *w;

	w = run_unseen(boundary, STALL("    end = time.thread_time_ns() + 150000000\n"
				       "    while time.thread_time_ns() < end: pass\n"), &child);
	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, child.target_id, i)); i++)
		if (!hog || it->on_cpu_ns > hog->on_cpu_ns)
			hog = it;
	assert_non_null(hog);
	assert_adds_up(hog);
	assert_true(hog->on_cpu_ns >= 150 * NSEC_PER_MSEC - 2 * TICK_NS);
	assert_true(hog->flags & ITERATION_PARTIAL); /* the collector may have run besides */
	assert_true(hog->nr_samples >= 1);
	watch_close(w);
}

static void a_hog_behind_an_unseen_return_is_seen(void **state)
{
	(void)state;
	a_hog_is_seen(BOUNDARY_TRACEPOINT);
	a_hog_is_seen(BOUNDARY_RAW);
}

static void a_sleep_behind_an_unseen_return_is_seen(void **state)
{
	const struct ev_sleep *sleep;
	struct child child;
	struct watch *w;

	(void)state;
	w = run_unseen(BOUNDARY_AUTO, STALL("    time.sleep(0.05)\n"), &child);
	sleep = watch_sleep(w, child.target_id, -1);
	/* Until a moment that was chosen before: whoever is interrupted in between sleeps less. */
	assert_true(sleep->total_ns >= 50 * NSEC_PER_MSEC - TICK_NS);
	assert_true(watch_iteration(w, sleep)->flags & ITERATION_PARTIAL);
	watch_close(w);
}

/* Its length is known, not what it was: nobody's code is blamed, and it is counted. */
static void a_sleep_that_went_unseen_is_counted(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"    say('spins')\n"
		"    os.set_blocking(0, False)\n"
		"    while not sys.stdin.readline(): pass\n"
		"    os.set_blocking(0, True)\n"
		"    time.sleep(0.2)\n"
		"    await asyncio.sleep(0)\n"
		"    say('done')\n"
		"go()\n"
		"asyncio.run(main())\n";
	struct probes_config config = probes_default_config;
	const struct ev_iteration *it;
	struct child child;
	struct watch *w;
	uint64_t before;

	(void)state;
	config.report_on_cpu_ns = 1;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "spins");
	keep_on_cpu(&child);
	before = missed(w);
	detach("on_sched_switch");
	child_go(&child);
	assert_string_equal(child_line(&child), "done");
	assert_true(missed(w) > before);
	assert_int_equal(watch_end(w, &child), 0);
	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, child.target_id, i)); i++) {
		assert_adds_up(it);
		if (it->end_ns - it->start_ns >= 200 * NSEC_PER_MSEC)
			break;
	}
	assert_non_null(it);
	assert_true(it->end_ns - it->start_ns - it->on_cpu_ns >= 200 * NSEC_PER_MSEC - 2 * TICK_NS);
	watch_close(w);
}

static void a_hog_whose_return_went_unseen_is_not_said_to_be_off_the_cpu(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"    say('reads')\n"
		"    sys.stdin.readline()\n"
		"    say('spins')\n"
		"    os.set_blocking(0, False)\n"
		"    while not sys.stdin.readline(): pass\n"
		"    os.set_blocking(0, True)\n"
		"    await asyncio.sleep(0)\n"
		"    say('done')\n"
		"go()\n"
		"asyncio.run(main())\n";
	struct probes_config config = probes_default_config;
	const volatile struct loop_live *live;
	const struct ev_loop *loop;
	struct child child;
	struct watch *w;
	uint64_t before, deadline_ns;

	(void)state;
	config.report_on_cpu_ns = 1;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "reads");
	loop = watch_await(w, EV_LOOP, child.target_id, 0);
	live = probes_loop_live(w->probes, loop->head.loop_id);
	deadline_ns = now_ns() + DEADLINE_NS;
	while (!live->out_ns || !live->has_sleep || live->sleep.syscall != SYS_read)
		assert_true(now_ns() < deadline_ns);
	before = missed(w);
	detach("on_sched_switch");
	child_go(&child);
	assert_string_equal(child_line(&child), "spins");
	for (deadline_ns = now_ns() + DEADLINE_NS; live->out_ns || live->sequence % 2;)
		assert_true(now_ns() < deadline_ns);
	assert_true(missed(w) > before);
	child_go(&child);
	assert_string_equal(child_line(&child), "done");
	assert_int_equal(watch_end(w, &child), 0);
	assert_adds_up(watch_iteration(w, watch_sleep(w, child.target_id, SYS_read)));
	watch_close(w);
}

/* ---- the same, while others disturb ---- */

/* Runs on a CPU of its own with the disturber, which is beside it from the first iteration on. */
static struct watch *run_disturbed(enum probes_boundary boundary, void (*disturb)(void), uint64_t *nr_skipped)
{
	static const char script[] =
		"async def main():\n"
		"    for _ in range(50):\n"
		"        await asyncio.sleep(0.0005)\n"
		"        time.sleep(0.03)\n" /* until then: whoever is put off before it sleeps less */
		"    for _ in range(10):\n"
		"        await asyncio.sleep(0.0005)\n"
		"        end = time.thread_time_ns() + 70000000\n"
		"        while time.thread_time_ns() < end: pass\n"
		"    await asyncio.sleep(0)\n"
		"go()\n"
		"asyncio.run(main())\n";
	struct probes_config config = probes_default_config;
	cpu_set_t all, first, rest;
	struct child child;
	struct watch *w;
	pid_t other;

	config.boundary = boundary;
	w = watch_open(&config);
	choose_cpus(&all, &first, &rest);
	sched_setaffinity(0, sizeof(first), &first);
	child_start(&child, pythons[0], script);
	child.target_id = ++w->last_target_id;
	watch_layout(w, &child, child.pid);
	sched_setaffinity(0, sizeof(rest), &rest);
	other = disturb_start(disturb, &first);
	child_go(&child);
	watch_await(w, EV_EXIT, child.target_id, 0);
	assert_int_equal(child_end(&child), 0);
	disturb_stop(other);
	sched_setaffinity(0, sizeof(all), &all);
	*nr_skipped = skipped(exits_of(boundary));
	return w;
}

static void no_stall_is_lost(enum probes_boundary boundary, void (*disturb)(void))
{
	uint64_t nr_skipped, nr_sleeps = 0, hogs_ns = 0;
	struct watch *w = run_disturbed(boundary, disturb, &nr_skipped);
	const struct ev_iteration *it;
	const struct ev_sleep *sleep;

	for (unsigned i = 0; (sleep = watch_nth(w, EV_SLEEP, ANY_TARGET, i)); i++)
		if (sleep->max_ns >= SLEEP_NS)
			nr_sleeps += sleep->count;
	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, ANY_TARGET, i)); i++)
		if (it->on_cpu_ns >= HOG_NS / 2)
			hogs_ns += it->on_cpu_ns;
	print_message("    of %d sleeps %llu, of %llu ms on CPU %llu; the kernel skipped %llu returns, %llu "
		      "events missed\n", NR_SLEEPS, (unsigned long long)nr_sleeps,
		      NR_HOGS * HOG_NS / NSEC_PER_MSEC, (unsigned long long)(hogs_ns / NSEC_PER_MSEC),
		      (unsigned long long)nr_skipped, (unsigned long long)missed(w));
	assert_true(nr_sleeps + missed(w) >= NR_SLEEPS);
	assert_true(hogs_ns >= NR_HOGS * (HOG_NS - 2 * TICK_NS));
	if (boundary == BOUNDARY_RAW)
		assert_int_equal(nr_skipped, 0); /* this kind is not skipped for what others do */
	watch_close(w);
}

static void no_stall_is_lost_beside_map_updates(void **state)
{
	(void)state;
	no_stall_is_lost(BOUNDARY_TRACEPOINT, update_maps);
	no_stall_is_lost(BOUNDARY_RAW, update_maps);
}

static void no_stall_is_lost_beside_attachments(void **state)
{
	(void)state;
	no_stall_is_lost(BOUNDARY_TRACEPOINT, attach_programs);
	no_stall_is_lost(BOUNDARY_RAW, attach_programs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hog_behind_an_unseen_return_is_seen),
		cmocka_unit_test(a_sleep_behind_an_unseen_return_is_seen),
		cmocka_unit_test(a_sleep_that_went_unseen_is_counted),
		cmocka_unit_test(a_hog_whose_return_went_unseen_is_not_said_to_be_off_the_cpu),
		cmocka_unit_test(no_stall_is_lost_beside_map_updates),
		cmocka_unit_test(no_stall_is_lost_beside_attachments),
	};

	require_host();
	return cmocka_run_group_tests_name("missed", tests, NULL, NULL);
}
