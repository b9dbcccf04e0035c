/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Both reporters, byte for byte, from findings made by hand. */
#include "report_output.h"

#include "facts.h"
#include "text.h"

static void show(const struct reporter *reporter, unsigned int i, uint64_t count)
{
	uint64_t by_cause[CAUSE_MAX];
	struct breach breach = {
		.finding = &made.findings[i],
		.count = count,
		.total_ns = made.findings[i].duration_ns * count,
		.max_ns = made.findings[i].duration_ns,
		.asleep_by_cause = by_cause,
	};

	rules_asleep_by_cause(&made.iteration, by_cause);
	reporter->breach(&opts, &breach);
}

static void push_requests(void)
{
	int i;

	push(&stack, frame_at(STDLIB "socket.py", 706, "SocketIO.readinto"));
	for (i = 0; i < 8; i++)
		push(&stack, frame_at(SITE_PACKAGES "urllib3/connectionpool.py", 279, "urlopen"));
	push(&stack, frame_at(SITE_PACKAGES "requests/api.py", 73, "get"));
	push(&stack, frame_at("/srv/shop/pricing/remote.py", 57, "PriceClient.fetch"));
	push(&stack, frame_at("/srv/shop/pricing/cart.py", 61, "Cart.total"));
	push(&stack, coroutine_at("/srv/shop/views.py", 88, "Checkout.post"));
	push_loop(&stack);
}

static void a_breach_is_a_short_paragraph(void **state)
{
	struct ev_sleep *ev;

	(void)state;
	push_requests();
	ev = made_sleep(&made, &stack, SYS_recvfrom, 1204 * MSEC);
	set_peer(ev, "\x7f\0\0\1", 8081);
	ev->count = 3;
	assert_int_equal(made_eval(&made), 1);
	show(&report_text, 0, 213);
	assert_string_equal(
		output(),
		"\n"
		"06:00:00.000  blocking-call, network, 1.20 s                        python3 4711\n"
		"  waited  recvfrom on 127.0.0.1:8081, 3 sleeps\n"
		"  leaf    /usr/lib/python3.11/socket.py:706 in SocketIO.readinto\n"
		"          \xe2\x80\xa6 9 more frames\n"
		"  site    /srv/shop/pricing/remote.py:57 in PriceClient.fetch\n"
		"  from    /srv/shop/pricing/cart.py:61 in Cart.total\n"
		"          /srv/shop/views.py:88 in coroutine Checkout.post\n"
		"  seen    213 times in a second: 4 min 16 s in all, 1.20 s the longest\n"
		"  advice  aiohttp or httpx.AsyncClient instead of requests  [ASYNC210]\n");
}

static void verbose_shows_every_frame(void **state)
{
	(void)state;
	push_requests();
	made_sleep(&made, &stack, SYS_recvfrom, 1204 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	opts.is_verbose = true;
	show(&report_text, 0, 1);
	assert_has("requests/api.py:73 in get\n");
	assert_has("BaseEventLoop._run_once\n");
	assert_has("/srv/shop/app.py:200 in <module>\n");
	assert_null(strstr(text, "more frame"));
}

static void what_could_not_be_read_is_said(void **state)
{
	struct frame unnamed = { .function = "?", .name = "?", .file = "?", .naming = FRAME_GONE };
	struct stack bad = { .status = STACK_BAD_THREAD_STATE };

	(void)state;
	made_sleep(&made, &bad, SYS_fsync, 31 * MSEC);
	made.iteration.ev.flags = ITERATION_PARTIAL;
	assert_int_equal(made_eval(&made), 1);
	show(&report_text, 0, 1);
	assert_has("  stack   not readable: the thread's Python state could not be read\n");
	assert_has("  note    under way when watching began");
	made_init(&made);
	push(&stack, unnamed);
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	stack.is_truncated = true;
	made_sleep(&made, &stack, SYS_fsync, 31 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	show(&report_text, 0, 1);
	assert_has("  leaf    ? (the code object was freed before it could be read)\n");
	assert_has("  stack   not whole: it is deeper than what is read of one\n");
}

static void every_rule_has_its_paragraph(void **state)
{
	unsigned int i, nr;

	(void)state;
	push(&stack, frame_at("/srv/shop/app.py", 42, "on_timer"));
	push_loop(&stack);
	made_samples(&made, &stack, 1, 34);
	made.loop.number = 1;
	made.iteration.ev.on_cpu_ns = 350 * MSEC;
	made.iteration.ev.run_queue_ns = 100 * MSEC;
	made.iteration.ev.wake_delay_ns = 20 * MSEC;
	made.iteration.ev.off_ns[OFF_FAULT] = 70 * MSEC;
	made.iteration.ev.off_ns[OFF_STOPPED] = 3 * NSEC_PER_SEC;
	nr = made_eval(&made);
	assert_int_equal(nr, 4);
	for (i = 0; i < nr; i++)
		show(&report_text, i, 1);
	assert_has("cpu-bound, native, 350 ms                     python3 4711, loop 1\n"
		   "  on CPU  C code, in an iteration of 3.52 s, 34 samples\n"
		   "  site    /srv/shop/app.py:42 in callback on_timer\n");
	assert_has("05:59:59.980  host-starved, run-queue, 120 ms");
	assert_has("  waited  for a CPU, ready to run; 20.0 ms of it before the iteration began\n");
	assert_has("host-starved, page-fault, 70.0 ms");
	assert_has("host-starved, stopped, 3.00 s");
}

static void a_starved_loop_has_its_evidence(void **state)
{
	struct ev_host host = { .head = { .ts_ns = START + 500 * MSEC }, .since_ns = START - 10 * MSEC,
				.throttled_ns = 412 * MSEC, .nr_throttled = 8, .nr_periods = 9,
				.quota_ns = 10 * MSEC, .period_ns = 100 * MSEC, .nr_running = 3,
				.nr_cpus = 2, .cgroup = "/system.slice/app\033.service" };

	(void)state;
	made.iteration.ev.run_queue_ns = 440 * MSEC;
	made.iteration.ev.off_ns[OFF_STOPPED] = 60 * MSEC;
	made.iteration.ev.flags = ITERATION_TRACED;
	made.target.hosts = &host;
	made.target.nr_hosts = 1;
	assert_int_equal(made_eval(&made), 2);
	show(&report_text, 0, 1);
	show(&report_text, 1, 1);
	assert_has("host-starved, throttled, 440 ms");
	assert_has("  waited  for a CPU, ready to run\n"
		   "  because cgroup /system.slice/app\xef\xbf\xbd.service was throttled for 412 ms");
	assert_has("(8 of 9\n          periods; limit 10 ms of 100 ms)\n");
	assert_has("  waited  to go on, stopped by a debugger or tracer (ptrace)\n");
	show(&report_jsonl, 0, 1);
	assert_has("\"evidence\":{\"window_ns\":510000000,\"cgroup\":\"/system.slice/app\\u001b.service\","
		   "\"throttled_ns\":412000000,\"nr_throttled\":8,\"nr_periods\":9,\"quota_ns\":10000000,"
		   "\"period_ns\":100000000,\"steal_ns\":0,\"nr_running\":3,\"nr_cpus\":2,"
		   "\"holder_run_queue_ns\":0}");
	show(&report_jsonl, 1, 1);
	assert_has("\"evidence\":{\"stopped_by\":\"tracer\"}");
	made.iteration.ev.flags = ITERATION_FROZEN;
	show(&report_text, 1, 1);
	assert_has("  waited  to go on, frozen with its cgroup (a container that was paused)\n");
	show(&report_jsonl, 1, 1);
	assert_has("\"evidence\":{\"stopped_by\":\"freezer\"}");
	host.throttled_ns = 0;
	host.steal_ns = 20 * MSEC;
	assert_int_equal(made_eval(&made), 2);
	show(&report_text, 0, 1);
	assert_has("  because 3 threads wanted one of 2 CPUs right after; the hypervisor took");
}

static void a_loop_has_its_tasks_while_they_are_known(void **state)
{
	(void)state;
	report_jsonl.loop(&opts, &made.loop, START);
	assert_has("\"tasks\":null}\n");
	made.loop.tasks = (struct loop_tasks){ .ns = START, .nr = { [TASK_STATE_RUNNING] = 1,
								     [TASK_STATE_READY] = 2,
								     [TASK_STATE_WAITING] = 3 } };
	report_jsonl.loop(&opts, &made.loop, START + MODEL_TASKS_KEEP_NS);
	assert_null(strstr(output(), "\"tasks\":{"));
	report_jsonl.loop(&opts, &made.loop, START + MODEL_TASKS_KEEP_NS - 1);
	assert_has("\"tasks\":{\"running\":1,\"ready\":2,\"waiting\":3}}\n");
}

static void long_and_hostile_names_stay_on_their_line(void **state)
{
	static char file[3000], function[3000];
	struct ev_sleep *ev;

	(void)state;
	memset(file, 'd', sizeof(file) - 1);
	memset(function, 'f', sizeof(function) - 1);
	memcpy(file + 2900, "/\033[2J\xe4\xb8\xad\xff", 9);
	memcpy(function, "\033]0;x\a", 6);
	push(&stack, frame_at(file, INT32_MAX, function));
	push(&stack, coroutine_at("/srv/\nshop.py", 1, "f\r\n"));
	push_loop(&stack);
	opts.columns = 0; /* a terminal of unknown width */
	strcpy(made.target.info.comm, "\033[31mevil");
	ev = made_sleep(&made, &stack, SYS_openat, 31 * MSEC);
	memset(ev->object.name, '\033', EV_PATH_LEN);
	ev->object.name_len = EV_PATH_LEN;
	ev->object.kind = OBJECT_FILE;
	assert_int_equal(made_eval(&made), 1);
	strcpy(made.target.info.reason,
	       "\033[0m because of a long story that is longer than one line is");
	memset(made.target.info.exe, 'e', sizeof(made.target.info.exe)); /* not ended */
	memset(opts.session.command, 'c', sizeof(opts.session.command) - 1);
	report_text.session(&opts);
	report_text.target(&opts, &made.target, START);
	made.target.info.status = TARGET_UNSUPPORTED;
	report_text.target(&opts, &made.target, START);
	show(&report_text, 0, UINT64_MAX);
	check_lines(80);
}

static void colour_is_only_where_asked_for(void **state)
{
	(void)state;
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	made_sleep(&made, &stack, SYS_clock_nanosleep, 31 * MSEC);
	assert_int_equal(made_eval(&made), 1);
	opts.use_color = true;
	report_text.session(&opts);
	show(&report_text, 0, 1);
	assert_has("\033[1;33m31.0 ms\033[0m");
	assert_has("[ASYNC251]\033[0m\n");
}

static void json_says_all_of_a_breach(void **state)
{
	struct ev_sleep *ev;

	(void)state;
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "Shop.handler"));
	push_loop(&stack);
	stack.nr = 2;
	ev = made_sleep(&made, &stack, SYS_clock_nanosleep, 201 * MSEC);
	ev->total_ns += 5;
	made.iteration.ev.start_ns = START - 1000;
	made.iteration.ev.on_cpu_ns = 7;
	made.iteration.ev.off_ns[OFF_GIL] = 3;
	made.iteration.ev.off_ns[OFF_OTHER] = 2;
	assert_int_equal(made_eval(&made), 1);
	show(&report_jsonl, 0, 1);
	assert_string_equal(
		output(),
		"{\"schema\":\"loophound/1\",\"type\":\"breach\",\"rule\":\"blocking-call\","
		"\"severity\":\"breach\",\"cause\":\"sleep\",\"start_ns\":1000000000000,"
		"\"iteration_start_ns\":999999999000,"
		"\"duration_ns\":201000005,\"time\":\"2026-11-23T06:00:00.000000Z\",\"ongoing\":"
		"false,"
		"\"count\":1,\"total_ns\":201000005,\"max_ns\":201000005,\"calls\":1,\"pid\":4711,"
		"\"tid\":4711,"
		"\"ns_pid\":4711,\"comm\":\"python3\",\"exe\":\"/usr/bin/"
		"python3.11\",\"python\":\"3.11.2\","
		"\"loop\":\"asyncio\",\"loop_number\":0,\"container\":null,"
		"\"split\":{\"on_cpu_ns\":7,\"syscall_ns\":201000000,\"gil_wait_ns\":3,\"gc_ns\":0,"
		"\"import_ns\":0,\"run_queue_ns\":0,\"page_fault_ns\":0,\"other_ns\":2},"
		"\"iteration_ns\":201000012,\"asleep_by_cause\":{\"sleep\":201000000,\"network\":0,"
		"\"dns\":0,"
		"\"file\":0,\"subprocess\":0,\"lock\":0,\"pipe\":0,\"terminal\":0,\"other\":0},"
		"\"partial\":false,\"incomplete\":false,"
		"\"syscall\":{\"name\":\"clock_nanosleep\",\"fd\":null,\"target\":null},"
		"\"gc\":null,\"module\":null,\"estimated\":false,"
		"\"site\":{\"function\":\"Shop.handler\",\"file\":\"/srv/shop/"
		"app.py\",\"line\":42},"
		"\"leaf\":{\"function\":\"Shop.handler\",\"file\":\"/srv/shop/"
		"app.py\",\"line\":42},"
		"\"coroutine\":{\"function\":\"Shop.handler\",\"file\":\"/srv/shop/"
		"app.py\",\"line\":42},"
		"\"callback\":null,\"task\":null,\"stack\":["
		"{\"function\":\"Shop.handler\",\"file\":\"/srv/shop/"
		"app.py\",\"line\":42,\"coroutine\":true},"
		"{\"function\":\"Handle._run\",\"file\":\"/usr/lib/python3.11/asyncio/"
		"events.py\",\"line\":80,"
		"\"coroutine\":false}],\"stack_status\":null,\"holder\":null,\"evidence\":null,"
		"\"callbacks\":null,\"callbacks_exact\":null,\"hot\":null,"
		"\"advice\":\"await asyncio.sleep() instead of "
		"time.sleep()\",\"lint\":[\"ASYNC251\"],\"ready_at_end\":null,"
		"\"connection\":null}\n");
}

/* Each count of what was missed, as the summary has it. */
static void miss(uint64_t nr)
{
	struct report_summary summary = { .nr_sites_refused = nr };
	struct model *model;

	for (unsigned int i = 0; i < STAT_MAX; i++)
		summary.loss.stats[i] = nr;
	assert_int_equal(model_new(&model, &model_default_bounds), 0);
	summary.model = model;
	report_text.summary(&opts, &summary);
	model_free(model);
}

static void one_that_was_missed_is_no_plural(void **state)
{
	static const char *const plurals[] = { "records", "loops", "processes", "events", "stacks", "objects",
					       "restarts", "breaches", "connections to", "changes" };

	(void)state;
	miss(1);
	assert_has("          1  event that the kernel did not deliver; found out and made good\n");
	assert_has("          1  breach reported without all its names\n");
	assert_has("          1  record that contradicts itself\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(plurals); i++) {
		char line[64];

		snprintf(line, sizeof(line), "1  %s ", plurals[i]);
		assert_null(strstr(output(), line));
	}
	miss(2);
	assert_has("          2  events that the kernel did not deliver; found out and made good\n");
	assert_has("          2  changes of connections that the kernel did not deliver; made good\n");
}

static void versions_and_figures(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} durations[] = {
		{ 0, "0 \xc2\xb5s" },
		{ 1499, "1 \xc2\xb5s" },
		{ 999499, "999 \xc2\xb5s" },
		{ 999500, "1.00 ms" },
		{ 9994999, "9.99 ms" },
		{ 9996000, "10.0 ms" },
		{ 99960000, "100 ms" },
		{ 999499999, "999 ms" },
		{ 999500000, "1.00 s" },
		{ 119 * NSEC_PER_SEC, "119 s" },
		{ 125 * NSEC_PER_SEC, "2 min 05 s" },
		{ 7260 * NSEC_PER_SEC, "2 h 01 min" },
	};
	char figure[TEXT_FIGURE_LEN], version[FACTS_VERSION_LEN];
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(durations); i++) {
		text_duration(durations[i].ns, figure);
		assert_string_equal(figure, durations[i].text);
	}
	text_duration(UINT64_MAX, figure);
	text_count(UINT64_MAX, figure);
	assert_string_equal(figure, "18,446,744,073,709,551,615");
	text_count(999, figure);
	assert_string_equal(figure, "999");
	text_limit(10 * MSEC, figure);
	assert_string_equal(figure, "10 ms");
	text_limit(1500 * NSEC_PER_USEC, figure);
	assert_string_equal(figure, "1.50 ms");
	facts_python(0x030e00c1, version);
	assert_string_equal(version, "3.14.0rc1");
	facts_python(0x030b02f0, version);
	assert_string_equal(version, "3.11.2");
	facts_python(0, version);
	assert_string_equal(version, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_breach_is_a_short_paragraph),
		TEST(verbose_shows_every_frame),
		TEST(what_could_not_be_read_is_said),
		TEST(every_rule_has_its_paragraph),
		TEST(a_starved_loop_has_its_evidence),
		TEST(a_loop_has_its_tasks_while_they_are_known),
		TEST(long_and_hostile_names_stay_on_their_line),
		TEST(colour_is_only_where_asked_for),
		TEST(json_says_all_of_a_breach),
		TEST(one_that_was_missed_is_no_plural),
		TEST(versions_and_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
