/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is said about well-known calls, each as the kernel and the stack show it. */
#include "made_iteration.h"

#include "advice.h"

static struct made made;

/* The finding of one sleep below the application: up to two library frames, innermost first. */
static const struct finding *finding_of(struct ev_sleep ev, struct frame inner, struct frame outer)
{
	static struct stack stack;
	struct ev_sleep *slept;

	made_init(&made);
	stack = (struct stack){ 0 };
	if (inner.file)
		push(&stack, inner);
	if (outer.file)
		push(&stack, outer);
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	push_loop(&stack);
	slept = made_sleep(&made, &stack, ev.syscall, 200 * MSEC);
	slept->object = ev.object;
	slept->fd = ev.fd;
	assert_int_equal(made_eval(&made), 1);
	return &made.findings[0];
}
#define NO_FRAME ((struct frame){ 0 })

static void check(const struct finding *finding, const char *advice, const char *lint)
{
	assert_non_null(strstr(finding->advice, advice));
	if (lint)
		assert_string_equal(finding->lint[0], lint);
	else
		assert_null(finding->lint[0]);
}

static struct ev_sleep on_socket(int syscall, uint16_t port)
{
	struct ev_sleep ev = { .syscall = syscall };

	set_peer(&ev, "\x7f\0\0\1", port);
	return ev;
}

static struct ev_sleep on_kind(int syscall, uint8_t kind)
{
	return (struct ev_sleep){ .syscall = syscall, .fd = 5, .object = { .kind = kind } };
}

static struct ev_sleep call(int syscall)
{
	return (struct ev_sleep){ .syscall = syscall, .fd = -1 };
}

static void calls_alone(void **state)
{
	struct ev_sleep tty = on_kind(SYS_read, OBJECT_CHAR), sqlite = { .syscall = SYS_fdatasync };

	(void)state;
	check(finding_of(call(SYS_clock_nanosleep), NO_FRAME, NO_FRAME),
	      "await asyncio.sleep() instead of time.sleep()", "ASYNC251");
	check(finding_of(call(SYS_wait4), NO_FRAME, NO_FRAME), "os.system()", "ASYNC221");
	check(finding_of(call(SYS_futex), NO_FRAME, NO_FRAME), "asyncio.Lock", NULL);
	check(finding_of(on_kind(SYS_fsync, OBJECT_FILE), NO_FRAME, NO_FRAME),
	      "asyncio.to_thread(os.fsync", NULL);
	check(finding_of(on_kind(SYS_flock, OBJECT_FILE), NO_FRAME, NO_FRAME), "fcntl.flock", NULL);
	check(finding_of(call(SYS_openat), NO_FRAME, NO_FRAME), "asyncio.to_thread()", "ASYNC230");
	check(finding_of(on_kind(SYS_read, OBJECT_PIPE), NO_FRAME, NO_FRAME), "connect_read_pipe",
	      NULL);
	check(finding_of(on_socket(SYS_recvfrom, 8080), NO_FRAME, NO_FRAME),
	      "asyncio.open_connection()", NULL);
	check(finding_of(on_socket(SYS_poll, 5432), NO_FRAME, NO_FRAME), "asyncpg", NULL);
	check(finding_of(on_socket(SYS_poll, 6379), NO_FRAME, NO_FRAME), "redis.asyncio", NULL);
	check(finding_of(on_socket(SYS_poll, 53), NO_FRAME, NO_FRAME), "loop.getaddrinfo()", NULL);
	tty.object.rdev = 136u << 20;
	check(finding_of(tty, NO_FRAME, NO_FRAME), "to_thread(input)", "ASYNC250");
	set_name(&sqlite.object, OBJECT_FILE, "shop.sqlite3\0srv", 17);
	check(finding_of(sqlite, NO_FRAME, NO_FRAME), "aiosqlite", NULL);
}

/* The advice of a sleep without library frames, in one version of Python. */
static void check_sleep(uint32_t version, int syscall, uint64_t flags, const char *advice,
			const char *lint)
{
	static struct stack stack;

	made_init(&made);
	made.target.info.version = version;
	stack = (struct stack){ 0 };
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	push_loop(&stack);
	made_sleep(&made, &stack, syscall, 200 * MSEC)->args[1] = flags;
	assert_int_equal(made_eval(&made), 1);
	assert_int_equal(made.findings[0].cause, CAUSE_SLEEP);
	check(&made.findings[0], advice, lint);
}

static void a_c_library_sleeps_unlike_python(void **state)
{
	static const char c_library[] = "a C library sleeps inside this call";
	static const char python[] = "instead of time.sleep()";

	(void)state;
	check_sleep(0x030b02f0, SYS_clock_nanosleep, 0, c_library, NULL);
	check_sleep(0x030b02f0, SYS_clock_nanosleep, 1, python, "ASYNC251");
	check_sleep(0x030e00f0, SYS_clock_nanosleep, 1, python, "ASYNC251");
	check_sleep(0x030b02f0, SYS_nanosleep, 1, c_library, NULL);
	/* up to 3.10 time.sleep() is a select */
	check_sleep(0x030a00f0, SYS_clock_nanosleep, 1, c_library, NULL);
	check_sleep(0x030a00f0, SYS_nanosleep, 0, c_library, NULL);
	check_sleep(0, SYS_clock_nanosleep, 1, python, "ASYNC251");
	check_sleep(0, SYS_clock_nanosleep, 0, c_library, NULL);
#ifdef __x86_64__
	check_sleep(0x030a00f0, SYS_poll, 0, python, "ASYNC251");
#endif
}

static void the_library_nearest_to_the_application_decides(void **state)
{
	struct frame http = frame_at(STDLIB "http/client.py", 279, "HTTPResponse._read_status");

	(void)state;
	check(finding_of(on_socket(SYS_recvfrom, 80), http, NO_FRAME), "instead of http.client",
	      "ASYNC210");
	check(finding_of(on_socket(SYS_recvfrom, 80), http,
			 frame_at(STDLIB "urllib/request.py", 216, "urlopen")),
	      "urllib.request", "ASYNC210");
	check(finding_of(on_socket(SYS_recvfrom, 80), http,
			 frame_at(SITE_PACKAGES "requests/api.py", 73, "get")),
	      "instead of requests", "ASYNC210");
	check(finding_of(on_socket(SYS_recvfrom, 443),
			 frame_at(SITE_PACKAGES "urllib3/response.py", 1, "read"),
			 frame_at(SITE_PACKAGES "botocore/client.py", 1, "_api_call")),
	      "aioboto3", NULL);
	check(finding_of(on_socket(SYS_poll, 6432),
			 frame_at(SITE_PACKAGES "psycopg2/extras.py", 1, "execute"), NO_FRAME),
	      "instead of psycopg2", NULL);
	check(finding_of(on_socket(SYS_poll, 53), frame_at(STDLIB "socket.py", 962, "getaddrinfo"),
			 NO_FRAME),
	      "loop.getaddrinfo()", NULL);
	check(finding_of(on_kind(SYS_write, OBJECT_FILE),
			 frame_at(STDLIB "logging/__init__.py", 1104, "emit"), NO_FRAME),
	      "QueueHandler", NULL);
	check(finding_of(on_kind(SYS_read, OBJECT_FILE),
			 frame_at(STDLIB "ssl.py", 770, "create_default_context"),
			 frame_at(SITE_PACKAGES "httpx/_config.py", 40, "create_ssl_context")),
	      "SSLContext", NULL);
}

static void an_applications_own_files_are_no_library(void **state)
{
	static struct stack stack;
	struct ev_sleep *ev;

	(void)state;
	made_init(&made);
	stack = (struct stack){ 0 };
	push(&stack, coroutine_at("/srv/requests/queue.py", 42, "handler"));
	push_loop(&stack);
	ev = made_sleep(&made, &stack, SYS_recvfrom, 20 * MSEC);
	set_peer(ev, "\x7f\0\0\1", 80);
	assert_int_equal(made_eval(&made), 1);
	check(&made.findings[0], "asyncio.open_connection()", NULL);
}

static void processes_and_threads(void **state)
{
	struct frame poll = frame_at(STDLIB "selectors.py", 416, "_PollLikeSelector.select");
	struct frame wait = frame_at(STDLIB "threading.py", 320, "Condition.wait");

	(void)state;
	check(finding_of(on_kind(SYS_poll, OBJECT_PIPE), poll,
			 frame_at(STDLIB "subprocess.py", 550, "run")),
	      "instead of subprocess.run()", "ASYNC221");
	check(finding_of(call(SYS_wait4), frame_at(STDLIB "subprocess.py", 1264, "Popen.wait"),
			 NO_FRAME),
	      "instead of Popen.wait()", "ASYNC220");
	check(finding_of(call(SYS_vfork),
			 frame_at(STDLIB "subprocess.py", 1800, "Popen._execute_child"), NO_FRAME),
	      "instead of subprocess.Popen", "ASYNC220");
	check(finding_of(call(SYS_vfork),
			 frame_at(STDLIB "subprocess.py", 1800, "Popen._execute_child"),
			 frame_at(STDLIB "asyncio/unix_events.py", 800, "_start")),
	      "helper process", NULL);
	check(finding_of(call(SYS_futex), wait, frame_at(STDLIB "queue.py", 171, "Queue.get")),
	      "asyncio.Queue", NULL);
	check(finding_of(call(SYS_futex), wait,
			 frame_at(STDLIB "concurrent/futures/_base.py", 451, "Future.result")),
	      "asyncio.wrap_future(future)", NULL);
	check(finding_of(call(SYS_futex), wait, frame_at(STDLIB "threading.py", 622, "Event.wait")),
	      "asyncio.Event", NULL);
	check(finding_of(call(SYS_futex), frame_at(STDLIB "threading.py", 1116, "Thread.join"),
			 NO_FRAME),
	      "thread.join", NULL);
}

static void executors(void **state)
{
	struct frame leave =
		frame_at(STDLIB "concurrent/futures/_base.py", 647, "Executor.__exit__");

	(void)state;
	check(finding_of(call(SYS_futex),
			 frame_at(STDLIB "concurrent/futures/thread.py", 235,
				  "ThreadPoolExecutor.shutdown"),
			 leave),
	      "leaving its with block", NULL);
	check(finding_of(call(SYS_futex),
			 frame_at(STDLIB "concurrent/futures/process.py", 850,
				  "ProcessPoolExecutor.shutdown"),
			 leave),
	      "leaving its with block", NULL);
	check(finding_of(call(SYS_futex),
			 frame_at(STDLIB "concurrent/futures/_base.py", 305, "wait"), NO_FRAME),
	      "asyncio.wrap_future()", NULL);
	check(finding_of(on_kind(SYS_write, OBJECT_PIPE),
			 frame_at(STDLIB "multiprocessing/process.py", 121, "BaseProcess.start"),
			 frame_at(STDLIB "concurrent/futures/process.py", 800,
				  "ProcessPoolExecutor.submit")),
	      "start the pool before the loop serves", NULL);
	check(finding_of(on_kind(SYS_write, OBJECT_PIPE),
			 frame_at(STDLIB "multiprocessing/process.py", 121, "BaseProcess.start"),
			 NO_FRAME),
	      "start processes before the loop runs", NULL);
}

static void the_processor(void **state)
{
	static struct stack stack;

	(void)state;
	made_init(&made);
	stack = (struct stack){ 0 };
	push(&stack, frame_at("/srv/shop/app.py", 42, "hash_it"));
	push_loop(&stack);
	made.iteration.ev.on_cpu_ns = 300 * MSEC;
	made_samples(&made, &stack, 1, 5);
	assert_int_equal(made_eval(&made), 1);
	check(&made.findings[0], "C code on this line: asyncio.to_thread() is enough", NULL);

	made_init(&made);
	stack = (struct stack){ 0 };
	push(&stack, frame_at(STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode"));
	push(&stack, frame_at("/srv/shop/app.py", 42, "parse"));
	push_loop(&stack);
	made.iteration.ev.on_cpu_ns = 300 * MSEC;
	made_samples(&made, &stack, 1, 5);
	assert_int_equal(made_eval(&made), 1);
	check(&made.findings[0], "json holds the GIL", NULL);

	made_init(&made);
	made.iteration.ev.on_cpu_ns = 300 * MSEC;
	assert_int_equal(made_eval(&made), 1);
	check(&made.findings[0], rules[RULE_CPU_BOUND].advice, NULL);
}

static void every_row_is_well_formed_and_can_be_reached(void **state)
{
	unsigned int i, k;

	(void)state;
	for (i = 0; i < advice_nr_rows; i++) {
		const struct advice_row *row = &advice_rows[i];

		assert_non_null(row->advice);
		assert_true(strlen(row->advice) < 200);
		assert_true(row->causes || row->file || row->port || row->object);
		if (row->file)
			assert_true(strlen(row->file) > 1);
		for (k = 0; k < i; k++) {
			const struct advice_row *before = &advice_rows[k];

			/* A row with no other condition than a cause hides later ones of that
			 * cause. */
			if (before->rule == row->rule && !before->file && !before->syscall &&
			    !before->object && !before->port && !before->is_c_sleep &&
			    !before->is_native)
				assert_false(row->causes && !(row->causes & ~before->causes));
		}
	}
}

/* The same finding on a loop of that kind. */
static void check_on(uint32_t kind, const struct finding *made_finding, const char *advice, const char *lint)
{
	struct finding finding = *made_finding;

	made.loop.info.kind = kind;
	advice_fill(&finding);
	check(&finding, advice, lint);
}

static void other_loops_are_not_told_of_asyncio(void **state)
{
	static const uint32_t others[] = { LOOP_KIND_TRIO, LOOP_KIND_TWISTED, LOOP_KIND_GEVENT };
	struct frame requests = frame_at(SITE_PACKAGES "requests/sessions.py", 700, "Session.send");
	struct frame logging = frame_at(STDLIB "logging/__init__.py", 1110, "StreamHandler.emit");

	(void)state;
	check_on(LOOP_KIND_TRIO, finding_of(call(SYS_clock_nanosleep), NO_FRAME, NO_FRAME),
		 "await trio.sleep()", "ASYNC251");
	check_on(LOOP_KIND_TWISTED, finding_of(call(SYS_clock_nanosleep), NO_FRAME, NO_FRAME),
		 "deferLater", NULL);
	check_on(LOOP_KIND_GEVENT, finding_of(call(SYS_clock_nanosleep), NO_FRAME, NO_FRAME), "gevent.sleep()",
		 NULL);
	check_on(LOOP_KIND_UVLOOP, finding_of(call(SYS_clock_nanosleep), NO_FRAME, NO_FRAME),
		 "await asyncio.sleep()", "ASYNC251");
	check_on(LOOP_KIND_TRIO, finding_of(on_socket(SYS_recvfrom, 8080), requests, NO_FRAME),
		 "trio.open_tcp_stream()", "ASYNC210");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		check_on(others[i], finding_of(on_kind(SYS_write, OBJECT_FILE), logging, NO_FRAME),
			 "QueueHandler", NULL);
		for (enum cause cause = CAUSE_SLEEP; cause <= CAUSE_NATIVE; cause++) {
			struct finding finding = *finding_of(call(SYS_futex), NO_FRAME, NO_FRAME);

			finding.cause = cause;
			finding.rule = cause >= CAUSE_PYTHON ? RULE_CPU_BOUND : RULE_BLOCKING_CALL;
			made.loop.info.kind = others[i];
			advice_fill(&finding);
			assert_null(strstr(finding.advice, "asyncio"));
			assert_null(strstr(finding.advice, "loop."));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_alone),
		cmocka_unit_test(a_c_library_sleeps_unlike_python),
		cmocka_unit_test(the_library_nearest_to_the_application_decides),
		cmocka_unit_test(an_applications_own_files_are_no_library),
		cmocka_unit_test(processes_and_threads),
		cmocka_unit_test(executors),
		cmocka_unit_test(the_processor),
		cmocka_unit_test(every_row_is_well_formed_and_can_be_reached),
		cmocka_unit_test(other_loops_are_not_told_of_asyncio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
