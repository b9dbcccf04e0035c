/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does the real kernel half find real loops, measure their iterations, and leave the rest alone? */
#include <errno.h>
#include <sys/syscall.h>

#include "watched.h"

/* What a busy machine does to a loop is no record: only sleeps are. */
static struct probes_config config_for(enum probes_boundary boundary)
{
	struct probes_config config = probes_default_config;

	config.boundary = boundary;
	config.report_on_cpu_ns = config.report_starved_ns = 1000 * NSEC_PER_SEC;
	config.sample_after_ns = 1000 * NSEC_PER_SEC;
	return config;
}

static void frame_name(const struct child *child, const struct ev_frame *frame, char *name,
		       size_t bytes)
{
	cleanup_free struct ev_code *code = malloc(EV_RECORD_MAX);
	struct mem mem;

	procmem_of_process(&mem, child->pid, PYCODE_BUDGET_BYTES);
	pycode_read(&mem, &child->target.layout, frame->code_addr, frame->fingerprint, code);
	assert_int_equal(code->status, CODE_OK);
	snprintf(name, bytes, "%.*s", code->name_bytes, code->data + code->filename_bytes);
}

static const char sleeps[] =
	"async def main():\n"
	"    await asyncio.sleep(0)\n"
	"    time.sleep(0.023)\n"
	"    await asyncio.sleep(0)\n"
	"go()\n"
	"asyncio.run(main())\n"
	"say('done')\n"
	"sys.stdin.readline()\n";

static void check_loop(const struct ev_loop *loop, const struct child *child)
{
	assert_int_equal(loop->kind, LOOP_KIND_ASYNCIO);
	assert_int_equal(loop->pid, child->pid);
	assert_int_equal(loop->tid, child->pid);
	assert_int_equal(loop->ns_tid, child->pid);
	if (loop->wait_syscall < 0) {
		assert_int_equal(loop->wait_fd, -1); /* a tick found it, before its first wait */
	} else {
		assert_true(loop->wait_syscall == SYS_epoll_wait ||
			    loop->wait_syscall == SYS_epoll_pwait);
		assert_true(loop->wait_fd > 2);
	}
	assert_true(loop->base_depth >= 3); /* <module>, run, ..., _run_once */
	assert_string_equal(loop->comm, child->target.comm);
}

static void check_sleep(const struct watch *w, const struct ev_loop *loop,
			const struct child *child)
{
	const struct ev_sleep *sleep = watch_sleep(w, child->target_id, -1);
	const struct ev_iteration *it = watch_iteration(w, sleep);
	const struct ev_stack *stack = watch_stack(w, sleep->stack_id);
	char name[64];

	if (child->target.layout.minor >= 11)
		assert_int_equal(sleep->syscall, SYS_clock_nanosleep);
	else
		assert_true(sleep->syscall == SYS_select || sleep->syscall == SYS_pselect6);
	assert_int_equal(sleep->count, 1);
	assert_in_range(sleep->total_ns, 23 * NSEC_PER_MSEC, 2 * NSEC_PER_SEC);
	assert_true(sleep->asleep_ns <= sleep->total_ns);
	assert_int_equal(sleep->max_ns, sleep->total_ns);
	assert_int_equal(sleep->last_ns - sleep->first_ns, sleep->total_ns);
	assert_int_equal(sleep->fd, -1);
	assert_int_equal(sleep->object.kind, OBJECT_NONE);

	assert_adds_up(it);
	assert_true(it->start_ns <= sleep->first_ns && sleep->last_ns <= it->end_ns);
	assert_true(it->off_ns[OFF_SYSCALL] >= sleep->asleep_ns);
	assert_true(it->nr_sleeps >= 1 && it->nr_voluntary >= 1);
	assert_int_equal(it->end, ITERATION_WAIT);
	assert_int_equal(it->flags, 0);

	assert_int_equal(stack->status, STACK_OK);
	assert_int_equal(stack->flags, 0);
	assert_true(stack->nr_frames > loop->base_depth);
	frame_name(child, &stack->frames[0], name, sizeof(name));
	assert_string_equal(name, "main");
	frame_name(child, &stack->frames[stack->nr_frames - loop->base_depth], name, sizeof(name));
	assert_string_equal(name, "_run_once");
}

static void a_sleep_is_found(enum probes_boundary boundary, const char *python)
{
	struct probes_config config = config_for(boundary);
	struct watch *w = watch_open(&config);
	const struct ev_loop *loop;
	struct child child;

	print_message("    %s\n", python);
	assert_int_equal(probes_boundary(w->probes), boundary);
	watch_run(w, &child, python, sleeps);
	assert_string_equal(child_line(&child), "done");
	loop = watch_await(w, EV_LOOP, child.target_id, 0);
	check_loop(loop, &child);
	check_sleep(w, loop, &child);
	assert_int_equal(watch_end(w, &child), 0);
	assert_int_equal(watch_count(w, EV_LOOP, ANY_TARGET), 1);
	assert_int_equal(watch_count(w, EV_LOOP_EXIT, ANY_TARGET), 1);
	watch_close(w);
}

static void a_sleep_is_found_with_tracepoints(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++)
		a_sleep_is_found(BOUNDARY_TRACEPOINT, pythons[i]);
}

static void a_sleep_is_found_with_raw_tracepoints(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++)
		a_sleep_is_found(BOUNDARY_RAW, pythons[i]);
}

static void a_healthy_loop_is_counted_and_makes_no_record(void **state)
{
	static const char script[] =
		"waits = 0\n"
		"async def main():\n"
		"    selector = asyncio.get_running_loop()._selector\n"
		"    select = selector.select\n"
		"    def counted(timeout=None):\n"
		"        global waits\n"
		"        waits += 1\n"
		"        return select(timeout)\n"
		"    selector.select = counted\n"
		"    for _ in range(10000):\n"
		"        await asyncio.sleep(0)\n"
		"go()\n"
		"asyncio.run(main())\n"
		"say(waits)\n"
		"sys.stdin.readline()\n";
	struct probes_config config = config_for(BOUNDARY_AUTO);

	(void)state;
	config.report_asleep_ns = 1000 * NSEC_PER_SEC;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&config);
		const struct loop_counters *counters;
		const struct ev_loop *loop;
		struct child child;
		long waits;

		watch_run(w, &child, pythons[i], script);
		waits = atol(child_line(&child));
		assert_true(waits >= 10000);
		loop = watch_await(w, EV_LOOP, child.target_id, 0);
		counters = probes_loop_counters(w->probes, loop->head.loop_id);
		assert_in_range(counters->iterations, waits - 3, waits + 3);
		assert_true(counters->busy_ns > 0 && counters->max_ns <= counters->busy_ns);
		watch_end(w, &child);
		assert_int_equal(watch_count(w, EV_SLEEP, ANY_TARGET), 0);
		assert_int_equal(watch_count(w, EV_SAMPLE, ANY_TARGET), 0);
		assert_int_equal(watch_count(w, EV_ITERATION, ANY_TARGET), 0);
		watch_close(w);
	}
}

static void a_script_without_a_loop_is_none(void **state)
{
	static const char script[] =
		"go()\n"
		"poller = select.epoll()\n"
		"for _ in range(20):\n"
		"    poller.poll(0.001)\n"
		"    time.sleep(0.001)\n";

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&probes_default_config);
		struct child child;

		watch_run(w, &child, pythons[i], script);
		assert_int_equal(watch_end(w, &child), 0);
		assert_int_equal(w->nr, 1); /* that it ended */
		watch_close(w);
	}
}

static void a_worker_thread_is_no_loop(void **state)
{
	static const char script[] =
		"def work():\n"
		"    poller = selectors.EpollSelector()\n"
		"    for _ in range(20):\n"
		"        poller.select(0.001)\n"
		"        time.sleep(0.001)\n"
		"async def main():\n"
		"    await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(None, work)\n"
		"                           for _ in range(3)))\n"
		"go()\n"
		"asyncio.run(main())\n";

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct probes_config config = config_for(BOUNDARY_AUTO);
		struct watch *w = watch_open(&config);
		const struct ev_loop *loop;
		struct child child;

		watch_run(w, &child, pythons[i], script);
		assert_int_equal(watch_end(w, &child), 0);
		assert_int_equal(watch_count(w, EV_LOOP, ANY_TARGET), 1);
		loop = watch_nth(w, EV_LOOP, ANY_TARGET, 0);
		assert_int_equal(loop->tid, child.pid);
		watch_close(w);
	}
}

/* A call that waits on something else is a sleep, within one iteration. */
static void check_wait_in_callback(const char *python, const char *script, int syscall)
{
	struct probes_config config = config_for(BOUNDARY_AUTO);
	struct watch *w = watch_open(&config);
	const struct ev_iteration *it;
	const struct ev_sleep *sleep;
	struct child child;

	watch_run(w, &child, python, script);
	assert_int_equal(watch_end(w, &child), 0);
	sleep = watch_sleep(w, child.target_id, syscall);
	assert_true(sleep->total_ns >= 40 * NSEC_PER_MSEC);
	it = watch_iteration(w, sleep);
	assert_adds_up(it);
	assert_true(it->start_ns <= sleep->first_ns && sleep->last_ns <= it->end_ns);
	assert_int_equal(watch_count(w, EV_LOOP, child.target_id), 1);
	watch_close(w);
}

static void a_subprocess_is_a_sleep_and_no_boundary(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++)
		check_wait_in_callback(pythons[i],
			"async def main():\n"
			"    await asyncio.sleep(0)\n"
			"    subprocess.run(['sleep', '0.05'], capture_output=True)\n"
			"    await asyncio.sleep(0)\n"
			"go()\n"
			"asyncio.run(main())\n", SYS_poll);
}

static void a_callbacks_own_epoll_is_a_sleep_and_no_boundary(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		check_wait_in_callback(pythons[i],
			"async def main():\n"
			"    await asyncio.sleep(0)\n"
			"    selectors.DefaultSelector().select(0.05)\n"
			"    await asyncio.sleep(0)\n"
			"go()\n"
			"asyncio.run(main())\n", SYS_epoll_wait);
		check_wait_in_callback(pythons[i],
			"def callback(loop):\n"
			"    select.epoll().poll(0.05)\n"
			"    loop.call_soon(loop.stop)\n"
			"loop = asyncio.new_event_loop()\n"
			"loop.call_later(0.001, callback, loop)\n"
			"go()\n"
			"loop.run_forever()\n", SYS_epoll_wait);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleep_is_found_with_tracepoints),
		cmocka_unit_test(a_sleep_is_found_with_raw_tracepoints),
		cmocka_unit_test(a_healthy_loop_is_counted_and_makes_no_record),
		cmocka_unit_test(a_script_without_a_loop_is_none),
		cmocka_unit_test(a_worker_thread_is_no_loop),
		cmocka_unit_test(a_subprocess_is_a_sleep_and_no_boundary),
		cmocka_unit_test(a_callbacks_own_epoll_is_a_sleep_and_no_boundary),
	};

	require_host();
	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
