/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does the real kernel half see the collector and imports, by probes and without, and no more of
 * them? */
#include "watched.h"

static bool attaches_singly;

static struct probes_config quiet_config(void)
{
	struct probes_config config = probes_default_config;

	config.attaches_singly = attaches_singly;
	config.report_starved_ns = 1000 * NSEC_PER_SEC;
	config.report_gc_ns = config.report_import_ns = 2 * NSEC_PER_MSEC;
	return config;
}

/* A heap whose collection takes some ten milliseconds; what is asked for; how long it took. */
#define HEAP                                    \
	"import gc, json\n"                     \
	"gc.disable()\n"                        \
	"heap = [[i] for i in range(500000)]\n" \
	"async def main():\n"                   \
	"    await asyncio.sleep(0.01)\n"       \
	"    work()\n"                          \
	"    await asyncio.sleep(0.01)\n"

#define RUN "go()\nasyncio.run(main())\n"

static int attach_probes(const struct watch *w, const struct child *child)
{
	struct ev_probes probes;

	identify_probes(child->pid, &probes);
	probes.head.target_id = child->target_id;
	assert_int_equal(probes.nr_sites, 5); /* with that of audit, which only --latent uses */
	return probes_attach(w->probes, &probes);
}

static void attach(struct watch *w, struct child *child, const char *python, const char *script)
{
	child_start(child, python, script);
	child->target_id = ++w->last_target_id;
	watch_layout(w, child, child->pid);
	if (child->target.flags & TARGET_USDT)
		assert_int_equal(attach_probes(w, child), 4);
}

/* The iteration that had most of it. */
static const struct ev_iteration *heaviest(const struct watch *w, const struct child *child)
{
	const struct ev_iteration *best = NULL, *it;

	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, child->target_id, i)); i++) {
		assert_adds_up(it);
		assert_true(it->gc_on_cpu_ns + it->import_on_cpu_ns <= it->on_cpu_ns);
		assert_true(it->import_asleep_ns <= it->off_ns[OFF_SYSCALL]);
		if (!best || it->on_cpu_ns > best->on_cpu_ns)
			best = it;
	}
	assert_non_null(best);
	return best;
}

static void check_gc(const char *python, const char *script, bool is_explicit)
{
	struct probes_config config = quiet_config();
	struct watch *w = watch_open(&config);
	const struct ev_iteration *it;
	const struct ev_gc *gc;
	struct child child;

	attach(w, &child, python, script);
	child_go(&child);
	watch_end(w, &child);
	it = heaviest(w, &child);
	assert_true(it->gc_on_cpu_ns > it->on_cpu_ns / 2);
	if (child.target.flags & TARGET_USDT) {
		gc = watch_nth(w, EV_GC, child.target_id, 0);
		assert_non_null(gc);
		assert_int_equal(gc->iteration, it->iteration);
		/* The starting interpreter may have left the next generation due as well. */
		assert_in_range(gc->generation, is_explicit ? 2 : 0, is_explicit ? 2 : 1);
		assert_int_equal(gc->is_explicit, is_explicit);
		assert_in_range(gc->total_ns, 3 * NSEC_PER_MSEC,
				it->gc_on_cpu_ns + it->off_ns[OFF_OTHER]);
		assert_int_equal(watch_stack(w, gc->stack_id)->status, STACK_OK);
		assert_false(it->flags & ITERATION_GC_ESTIMATED);
		assert_true(it->nr_gcs >= 1);
	} else {
		assert_null(watch_nth(w, EV_GC, child.target_id, 0));
		assert_true(it->flags & ITERATION_GC_ESTIMATED);
	}
	watch_close(w);
}

static void a_call_of_collect_is_seen(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++)
		check_gc(pythons[i],
			 HEAP "def work():\n"
			      "    gc.collect()\n"
			      "    gc.collect()\n"
			      "    gc.collect()\n" RUN,
			 true);
}

/* In a thread as well: the kernel's filter is the process. */
static void a_call_in_a_thread_is_seen_however_attached(void **state)
{
	static const char script[] =
		HEAP "def work():\n"
		     "    gc.collect()\n"
		     "    gc.collect()\n"
		     "    gc.collect()\n"
		     "run = asyncio.run\n"
		     "def in_thread(coroutine):\n"
		     "    thread = threading.Thread(target=run, args=(coroutine,))\n"
		     "    thread.start()\n"
		     "    thread.join()\n"
		     "asyncio.run = in_thread\n" RUN;

	(void)state;
	check_gc(pythons[0], script, true);
	attaches_singly = true;
	check_gc(pythons[0], script, true);
	attaches_singly = false;
}

static void the_collectors_own_run_is_seen(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++)
		check_gc(pythons[i],
			 HEAP "def work():\n"
			      "    gc.enable()\n"
			      "    for i in range(5000): heap.append([])\n" RUN,
			 false);
}

static void an_import_is_seen_once_with_all_it_causes(void **state)
{
	static const char script[] =
		"async def main():\n"
		"    await asyncio.sleep(0.01)\n"
		"    import xml.sax.saxutils, email.mime.multipart, http.server, unittest.mock\n"
		"    await asyncio.sleep(0.01)\n" RUN;
	struct probes_config config = quiet_config();
	struct watch *w = watch_open(&config);
	const struct ev_import *import;
	const struct ev_iteration *it;
	uint64_t sum_ns = 0;
	struct child child;

	(void)state;
	attach(w, &child, pythons[0], script);
	if (!(child.target.flags & TARGET_USDT)) {
		child_end(&child);
		watch_close(w);
		skip();
	}
	child_go(&child);
	watch_end(w, &child);
	it = heaviest(w, &child);
	assert_in_range(it->nr_imports, 4, 8);
	for (unsigned i = 0; (import = watch_nth(w, EV_IMPORT, child.target_id, i)); i++) {
		assert_true(strncmp(import->module, "xml", 3) == 0 ||
			    strncmp(import->module, "email", 5) == 0 ||
			    strncmp(import->module, "http", 4) == 0 ||
			    strncmp(import->module, "unittest", 8) == 0);
		assert_true(import->on_cpu_ns + import->asleep_ns <= import->total_ns);
		sum_ns += import->on_cpu_ns;
	}
	assert_true(sum_ns > it->on_cpu_ns / 2);
	/* What the host took is known at the iteration's end, and taken off there. */
	assert_true(sum_ns <= it->import_on_cpu_ns + it->off_ns[OFF_OTHER]);
	watch_close(w);
}

/* A breakpoint is its process's own: the child's copy of it is removed when it is hit. */
static void a_child_is_attached_to_by_itself(void **state)
{
	static const char script[] = HEAP "def work():\n"
					  "    gc.collect()\n"
					  "    gc.collect()\n"
					  "go()\n"
					  "pid = os.fork()\n"
					  "if pid == 0:\n"
					  "    sys.stdin.readline()\n"
					  "    asyncio.run(main())\n"
					  "    os._exit(0)\n"
					  "say(pid)\n"
					  "os.waitpid(pid, 0)\n"
					  "asyncio.run(main())\n";
	struct probes_config config = quiet_config();
	struct watch *w = watch_open(&config);
	const struct ev_fork *fork_ev;
	struct ev_probes probes;
	const struct ev_gc *gc;
	struct child child;
	bool is_of_child = false, is_of_parent = false;

	(void)state;
	attach(w, &child, pythons[0], script);
	if (!(child.target.flags & TARGET_USDT)) {
		child_end(&child);
		watch_close(w);
		skip();
	}
	child_go(&child);
	child_line(&child);
	fork_ev = watch_await(w, EV_FORK, ANY_TARGET, 0);
	identify_probes((pid_t)fork_ev->child_pid, &probes);
	probes.head.target_id = fork_ev->head.target_id;
	assert_int_equal(probes_attach(w->probes, &probes), 4);
	child_go(&child);
	watch_end(w, &child);
	for (unsigned i = 0; (gc = watch_nth(w, EV_GC, ANY_TARGET, i)); i++) {
		is_of_child |= gc->head.target_id == fork_ev->head.target_id;
		is_of_parent |= gc->head.target_id == child.target_id;
	}
	assert_true(is_of_child);
	assert_true(is_of_parent);
	probes_detach(w->probes, probes.head.target_id);
	watch_close(w);
}

static void at_the_end_all_are_let_go_of(void **state)
{
	struct probes_config config = quiet_config();
	struct watch *w = watch_open(&config);
	struct child child;

	(void)state;
	attach(w, &child, pythons[0], HEAP "def work(): pass\n" RUN);
	if (!(child.target.flags & TARGET_USDT)) {
		child_end(&child);
		watch_close(w);
		skip();
	}
	assert_int_equal(attach_probes(w, &child), 4); /* as it is already */
	probes_detach(w->probes, child.target_id);
	assert_int_equal(attach_probes(w, &child), 4);
	probes_detach(w->probes, PROBES_OF_ALL);
	assert_int_equal(attach_probes(w, &child), -ENOENT);
	child_end(&child);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_of_collect_is_seen),
		cmocka_unit_test(a_call_in_a_thread_is_seen_however_attached),
		cmocka_unit_test(the_collectors_own_run_is_seen),
		cmocka_unit_test(an_import_is_seen_once_with_all_it_causes),
		cmocka_unit_test(a_child_is_attached_to_by_itself),
		cmocka_unit_test(at_the_end_all_are_let_go_of),
	};

	require_host();
	return cmocka_run_group_tests_name("within", tests, NULL, NULL);
}
