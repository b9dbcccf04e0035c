/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes come, fork, become others and go, and the kernel half follows. */
#include <signal.h>

#include "watched.h"

static const char loop_once[] =
	"async def main():\n"
	"    await asyncio.sleep(0)\n"
	"go()\n"
	"asyncio.run(main())\n"
	"say('done')\n"
	"sys.stdin.readline()\n";

static void a_loop_and_its_process_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&probes_default_config);
		const struct ev_loop_exit *loop_exit;
		const struct ev_loop *loop;
		const struct ev_exit *ev;
		struct child child;

		watch_run(w, &child, pythons[i], loop_once);
		watch_end(w, &child);
		loop = watch_nth(w, EV_LOOP, child.target_id, 0);
		loop_exit = watch_nth(w, EV_LOOP_EXIT, child.target_id, 0);
		ev = watch_nth(w, EV_EXIT, child.target_id, 0);
		assert_non_null(loop);
		assert_non_null(loop_exit);
		assert_int_equal(loop_exit->head.loop_id, loop->head.loop_id);
		assert_int_equal(loop_exit->tid, child.pid);
		assert_int_equal(ev->pid, child.pid);
		assert_int_equal(ev->exit_code, 0);
		assert_int_equal(ev->head.loop_id, EV_NO_LOOP);
		assert_true(loop->head.ts_ns < loop_exit->head.ts_ns);
		assert_true(loop_exit->head.ts_ns <= ev->head.ts_ns);
		assert_int_equal(probes_unwatch(w->probes, child.pid, child.target_id), -ENOENT);
		watch_close(w);
	}
}

static void the_exit_code_is_that_of_wait(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_exit *ev;
	struct child child;
	int status;

	(void)state;
	watch_run(w, &child, pythons[0], "go()\nsys.exit(3)\n");
	status = watch_end(w, &child);
	ev = watch_nth(w, EV_EXIT, child.target_id, 0);
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(ev->exit_code, status);
	watch_run(w, &child, pythons[0], "go()\nos.kill(os.getpid(), 9)\n");
	status = watch_end(w, &child);
	ev = watch_nth(w, EV_EXIT, child.target_id, 0);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(ev->exit_code, status);
	watch_close(w);
}

static void an_iteration_that_the_end_cuts_short_is_reported(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_iteration *it;
	struct child child;

	(void)state;
	watch_run(w, &child, pythons[0],
		  "async def main():\n"
		  "    await asyncio.sleep(0)\n"
		  "    time.sleep(0.03)\n"
		  "    os._exit(0)\n"
		  "go()\n"
		  "asyncio.run(main())\n");
	watch_end(w, &child);
	it = watch_iteration(w, watch_sleep(w, child.target_id, -1));
	assert_int_equal(it->end, ITERATION_EXIT);
	assert_adds_up(it);
	watch_close(w);
}

static void a_thread_that_leaves_its_loop_ends_the_iteration(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_iteration *it;
	const struct ev_sleep *sleep;
	struct child child;

	(void)state;
	watch_run(w, &child, pythons[0],
		  "async def main():\n"
		  "    await asyncio.sleep(0)\n"
		  "    time.sleep(0.03)\n"
		  "go()\n"
		  "asyncio.run(main())\n"
		  "time.sleep(0.3)\n");
	watch_end(w, &child);
	sleep = watch_sleep(w, child.target_id, -1);
	assert_in_range(sleep->total_ns, 30 * NSEC_PER_MSEC, 250 * NSEC_PER_MSEC);
	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, child.target_id, i)); i++) {
		assert_adds_up(it);
		assert_true(it->end_ns - it->start_ns < 300 * NSEC_PER_MSEC);
	}
	watch_close(w);
}

static void a_child_is_watched_from_its_first_instruction(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"    time.sleep(0.03)\n"
		"    await asyncio.sleep(0)\n"
		"go()\n"
		"pid = os.fork()\n"
		"if pid == 0:\n"
		"    asyncio.run(main())\n"
		"    os._exit(5)\n"
		"os.waitpid(pid, 0)\n"
		"say(pid)\n"
		"sys.stdin.readline()\n";

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&probes_default_config);
		const struct ev_fork *ev;
		const struct ev_loop *loop;
		const struct ev_exit *end;
		struct child child;
		long pid;

		watch_run(w, &child, pythons[i], script);
		pid = atol(child_line(&child));
		ev = watch_await(w, EV_FORK, ANY_TARGET, 0);
		assert_int_equal(ev->parent_pid, child.pid);
		assert_int_equal(ev->child_pid, pid);
		assert_int_equal(ev->parent_target_id, child.target_id);
		assert_true(ev->head.target_id >= 0x80000000u);
		end = watch_await(w, EV_EXIT, ev->head.target_id, 0);
		assert_int_equal(end->pid, pid);
		assert_int_equal(WEXITSTATUS(end->exit_code), 5);
		loop = watch_nth(w, EV_LOOP, ev->head.target_id, 0);
		assert_non_null(loop);
		assert_int_equal(loop->pid, pid);
		assert_adds_up(watch_iteration(w, watch_sleep(w, ev->head.target_id, -1)));
		assert_int_equal(watch_count(w, EV_LOOP, child.target_id), 0);
		watch_end(w, &child);
		watch_close(w);
	}
}

static void a_thread_is_no_child(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	struct child child;

	(void)state;
	watch_run(w, &child, pythons[0],
		  "go()\n"
		  "thread = threading.Thread(target=str)\n"
		  "thread.start()\n"
		  "thread.join()\n");
	watch_end(w, &child);
	assert_int_equal(watch_count(w, EV_FORK, ANY_TARGET), 0);
	assert_int_equal(watch_count(w, EV_EXIT, ANY_TARGET), 1);
	watch_close(w);
}

static void a_new_image_is_a_new_target(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"go()\n"
		"asyncio.run(main())\n"
		"os.execv(sys.executable, [sys.executable, '-X', 'utf8', '-c', '''\n"
		"import asyncio, sys, time\n"
		"async def main():\n"
		"    await asyncio.sleep(0)\n"
		"    time.sleep(0.03)\n"
		"    await asyncio.sleep(0)\n"
		"asyncio.run(main())\n"
		"print('new', flush=True)\n"
		"sys.stdin.readline()\n"
		"asyncio.run(main())\n"
		"'''])\n";

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&probes_default_config);
		uint32_t old_id, new_id;
		const struct ev_exec *ev;
		struct child child;

		watch_run(w, &child, pythons[i], script);
		assert_string_equal(child_line(&child), "new");
		old_id = child.target_id;
		ev = watch_await(w, EV_EXEC, old_id, 0);
		new_id = ev->new_target_id;
		assert_int_equal(ev->pid, child.pid);
		assert_int_not_equal(new_id, old_id);
		assert_int_equal(watch_count(w, EV_LOOP, old_id), 1);
		assert_int_equal(watch_count(w, EV_LOOP_EXIT, old_id), 1);
		/* Its layout is not known yet: nothing is found, a late answer is refused. */
		assert_int_equal(watch_count(w, EV_LOOP, new_id), 0);
		assert_int_equal(probes_watch(w->probes, child.pid, old_id, &child.target.layout),
				 -ESTALE);
		child.target_id = new_id;
		watch_layout(w, &child, child.pid);
		child_go(&child);
		watch_end(w, &child);
		assert_int_equal(watch_count(w, EV_LOOP, new_id), 1);
		assert_adds_up(watch_iteration(w, watch_sleep(w, new_id, -1)));
		watch_close(w);
	}
}

static void watching_may_begin_in_the_middle(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    loop = asyncio.get_running_loop()\n"
		"    reader = asyncio.Event()\n"
		"    loop.add_reader(0, reader.set)\n"
		"    say('ready')\n"
		"    await reader.wait()\n"
		"    time.sleep(0.03)\n"
		"    await asyncio.sleep(0)\n"
		"asyncio.run(main())\n";

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&probes_default_config);
		struct child child;

		watch_run(w, &child, pythons[i], script);
		watch_end(w, &child);
		assert_int_equal(watch_count(w, EV_LOOP, child.target_id), 1);
		assert_adds_up(watch_iteration(w, watch_sleep(w, child.target_id, -1)));
		watch_close(w);
	}
}

/* One that is let go of is heard of no more, but that its loop ends; watched anew it is another target. */
static void who_is_let_go_of_can_be_watched_again(void **state)
{
	static const char script[] = "async def main():\n"
				     "    loop = asyncio.get_running_loop()\n"
				     "    while await loop.run_in_executor(None, sys.stdin.readline):\n"
				     "        time.sleep(0.03)\n"
				     "        say('done')\n"
				     "go()\n"
				     "asyncio.run(main())\n";

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = watch_open(&probes_default_config);
		struct child child;
		uint32_t before;
		unsigned nr;

		watch_run(w, &child, pythons[i], script);
		before = child.target_id;
		child_go(&child);
		assert_string_equal(child_line(&child), "done");
		watch_await(w, EV_ITERATION, before, 0);
		assert_int_equal(probes_let_go(w->probes, child.pid, before), 0);
		assert_int_equal(probes_watched(w->probes, child.pid), 0);
		child_go(&child);
		assert_string_equal(child_line(&child), "done");
		watch_await(w, EV_LOOP_EXIT, before, 0);
		nr = watch_count(w, EV_ITERATION, before);
		child_go(&child);
		assert_string_equal(child_line(&child), "done");

		child.target_id = ++w->last_target_id;
		watch_layout(w, &child, child.pid);
		assert_int_equal(probes_candidates(w->probes), 0);
		child_go(&child);
		assert_string_equal(child_line(&child), "done");
		watch_await(w, EV_ITERATION, child.target_id, 0);
		assert_int_equal(watch_count(w, EV_LOOP, before), 1);
		assert_int_equal(watch_count(w, EV_LOOP, child.target_id), 1);
		assert_int_equal(watch_count(w, EV_ITERATION, before), nr);
		assert_int_equal(watch_count(w, EV_LOOP_EXIT, before), 1);
		watch_end(w, &child);
		watch_close(w);
	}
}

static void what_is_no_target_makes_no_record(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	struct child child;

	(void)state;
	child_start(&child, pythons[0], loop_once);
	child_go(&child);
	assert_string_equal(child_line(&child), "done");
	child_end(&child);
	watch_drain(w);
	assert_int_equal(w->nr, 0);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_and_its_process_end),
		cmocka_unit_test(the_exit_code_is_that_of_wait),
		cmocka_unit_test(an_iteration_that_the_end_cuts_short_is_reported),
		cmocka_unit_test(a_thread_that_leaves_its_loop_ends_the_iteration),
		cmocka_unit_test(a_child_is_watched_from_its_first_instruction),
		cmocka_unit_test(a_thread_is_no_child),
		cmocka_unit_test(a_new_image_is_a_new_target),
		cmocka_unit_test(watching_may_begin_in_the_middle),
		cmocka_unit_test(who_is_let_go_of_can_be_watched_again),
		cmocka_unit_test(what_is_no_target_makes_no_record),
	};

	require_host();
	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
