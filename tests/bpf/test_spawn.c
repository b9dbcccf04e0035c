/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes begin by exec, and the kernel half decides which of them anybody hears of. */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "watched.h"

static struct watch *open_finding(uint32_t max_candidates)
{
	struct probes_config config = probes_default_config;

	config.finds_new = true;
	config.max_candidates = max_candidates;
	return watch_open(&config);
}

/* Other processes of the host begin too: the one of that number. */
static const struct ev_spawn *spawn_of(struct watch *w, pid_t pid, unsigned nth)
{
	const struct ev_spawn *ev;

	watch_drain(w);
	for (unsigned i = 0; (ev = watch_nth(w, EV_SPAWN, ANY_TARGET, i)); i++)
		if (ev->pid == (uint32_t)pid && nth-- == 0)
			return ev;
	return NULL;
}

/* A program of its own file: what is known of it is what this test made known. */
static const char *own_copy(const char *of, const char *name)
{
	static char path[64];
	char command[256];

	snprintf(path, sizeof(path), "/tmp/%s.%d", name, getpid());
	snprintf(command, sizeof(command), "cp %s %s", of, path);
	assert_int_equal(system(command), 0);
	return path;
}

static pid_t start(const char *path, const char *arg, const char *more)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, arg, more, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static pid_t run(const char *path, const char *arg, const char *more)
{
	pid_t pid = start(path, arg, more);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 127);
	return pid;
}

/* Runs it until it is told of: only so many unknown ones are a second, and the host starts others. */
static const struct ev_spawn *run_until_told(struct watch *w, const char *path, const char *arg,
					     const char *more)
{
	uint64_t deadline_ns = now_ns() + DEADLINE_NS;
	const struct ev_spawn *ev;

	do {
		ev = spawn_of(w, run(path, arg, more), 0);
	} while (!ev && now_ns() < deadline_ns);
	assert_non_null(ev);
	return ev;
}

static void a_new_executable_is_told_at_its_exec(void **state)
{
	const char *path = own_copy("/bin/true", "new");
	struct watch *w = open_finding(64);
	const struct ev_spawn *ev;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	ev = run_until_told(w, path, "one", "two");
	assert_int_equal(ev->exe.ino, st.st_ino);
	assert_int_equal(ev->exe.bytes, st.st_size);
	assert_int_equal(ev->flags, 0);
	assert_true(ev->head.target_id >= 0x80000000u);
	assert_int_equal(ev->args_bytes, strlen(path) + 1 + sizeof("one") + sizeof("two"));
	assert_memory_equal(ev->args, path, strlen(path) + 1);
	assert_memory_equal(ev->args + strlen(path) + 1, "one\0two", sizeof("one\0two"));
	assert_true(!memcmp(ev->comm, "new.", 4));
	assert_non_null(watch_nth(w, EV_EXIT, ev->head.target_id, 0));
	watch_close(w);
	unlink(path);
}

static void what_is_known_decides_the_next_exec(void **state)
{
	const char *path = own_copy("/bin/true", "known");
	struct watch *w = open_finding(64);
	const struct ev_spawn *ev;
	struct exe_key exe;
	pid_t pid;

	(void)state;
	ev = run_until_told(w, path, NULL, NULL);
	exe = ev->exe;
	probes_learn_exe(w->probes, &exe, EXE_OTHER);
	assert_null(spawn_of(w, run(path, NULL, NULL), 0));
	probes_hold_exe(w->probes, &exe); /* changes nothing of what is known */
	assert_null(spawn_of(w, run(path, NULL, NULL), 0));
	probes_learn_exe(w->probes, &exe, EXE_PYTHON);
	assert_non_null(spawn_of(w, run(path, NULL, NULL), 0));
	/* Past all that is asked about in a second. */
	for (unsigned i = 0; i < 100; i++) {
		pid = run(path, NULL, NULL);
		assert_non_null(spawn_of(w, pid, 0));
	}
	watch_close(w);
	unlink(path);
}

/* The most that a storm of unknown programs is allowed to say, and what it leaves behind. */
static void a_storm_is_bounded_and_leaves_nothing(void **state)
{
	const char *path = own_copy("/bin/true", "storm");
	struct watch *w = open_finding(4096);
	uint64_t began_ns = now_ns();
	uint32_t before, nr_spawns;
	const struct ev_spawn *ev;

	(void)state;
	ev = run_until_told(w, path, NULL, NULL);
	for (unsigned i = 0; i < 7; i++) /* each time for longer: a minute, in the end */
		probes_hold_exe(w->probes, &ev->exe);
	watch_drain(w);
	before = probes_candidates(w->probes);
	nr_spawns = watch_count(w, EV_SPAWN, ANY_TARGET);
	for (unsigned i = 0; i < 500; i++)
		assert_null(spawn_of(w, run(path, NULL, NULL), 0));
	/* Others' processes begin meanwhile, and are bounded too. */
	assert_true(watch_count(w, EV_SPAWN, ANY_TARGET) - nr_spawns <=
		    32 * (2 + (now_ns() - began_ns) / NSEC_PER_SEC));
	assert_in_range(probes_candidates(w->probes), 0, before + 100);
	watch_close(w);
	unlink(path);
}

static void one_that_waits_is_told_then(void **state)
{
	static const char waits[] = "import select\nselect.epoll().poll(0.001)\n";
	const char *path = own_copy(DISTRO_PYTHON, "waits");
	struct watch *w = open_finding(64);
	const struct ev_spawn *ev;
	pid_t pid;

	(void)state;
	ev = run_until_told(w, path, "-c", "0");
	probes_hold_exe(w->probes, &ev->exe);
	pid = run(path, "-c", "0");
	assert_null(spawn_of(w, pid, 0));
	pid = run(path, "-Sc", waits);
	ev = spawn_of(w, pid, 0);
	assert_non_null(ev);
	assert_int_equal(ev->flags, SPAWN_WAITS);
	assert_int_equal(ev->nr_asked, 1);
	assert_non_null(watch_nth(w, EV_EXIT, ev->head.target_id, 0));
	assert_null(spawn_of(w, pid, 1));
	watch_close(w);
	unlink(path);
}

static void a_wait_is_told_four_times_at_most(void **state)
{
	static const char waits[] =
		"import select, time\n"
		"ends = time.monotonic() + 2.5\n"
		"poll = select.epoll()\n"
		"while time.monotonic() < ends: poll.poll(0.01)\n";
	struct watch *w = open_finding(64);
	const struct ev_spawn *ev;
	uint64_t told_ns[SPAWN_ASKS];
	pid_t pid;

	(void)state;
	ev = run_until_told(w, DISTRO_PYTHON, "-c", "0");
	probes_learn_exe(w->probes, &ev->exe, EXE_PYTHON);
	pid = run(DISTRO_PYTHON, "-Sc", waits);
	for (unsigned i = 0; i <= SPAWN_ASKS; i++) {
		ev = spawn_of(w, pid, i); /* the first at its exec */
		assert_non_null(ev);
		assert_int_equal(ev->nr_asked, i);
		if (i)
			told_ns[i - 1] = ev->head.ts_ns;
	}
	assert_null(spawn_of(w, pid, SPAWN_ASKS + 1));
	for (unsigned i = 1; i < SPAWN_ASKS; i++)
		assert_true(told_ns[i] - told_ns[i - 1] >= (20 * NSEC_PER_MSEC) << (2 * (i - 1)));
	watch_close(w);
}

static void candidates_past_the_bound_are_counted(void **state)
{
	const char *path = own_copy("/bin/true", "bound");
	struct watch *w = open_finding(0);
	uint64_t before[STAT_MAX] = { 0 }, after[STAT_MAX] = { 0 };
	const struct ev_spawn *ev;

	(void)state;
	ev = run_until_told(w, path, NULL, NULL);
	probes_hold_exe(w->probes, &ev->exe);
	probes_stats(w->probes, before);
	run(path, NULL, NULL);
	probes_stats(w->probes, after);
	assert_true(after[STAT_TARGETS_REFUSED] > before[STAT_TARGETS_REFUSED]);
	assert_int_equal(probes_candidates(w->probes), 0);
	watch_close(w);
	unlink(path);
}

static void nobody_is_told_of_unless_asked_for(void **state)
{
	struct watch *w = watch_open(&probes_default_config);

	(void)state;
	run("/bin/true", NULL, NULL);
	run(DISTRO_PYTHON, "-c", "0");
	watch_drain(w);
	assert_int_equal(w->nr, 0);
	assert_int_equal(probes_candidates(w->probes), 0);
	watch_close(w);
}

/* Of a target that runs another program: what it starts is a descendant of a target. */
static void a_lineage_goes_on(void **state)
{
	static const char script[] =
		"go()\n"
		"subprocess.run(['/bin/sh', '-c', sys.executable + ' -c 0; ' + sys.executable + ' -c 0; :'])\n"
		"say('done')\n"
		"sys.stdin.readline()\n";
	struct watch *w = open_finding(64);
	struct exe_key python = run_until_told(w, DISTRO_PYTHON, "-c", "0")->exe;
	unsigned nr_pythons_told = 0;
	const struct ev_spawn *ev;
	struct child child;
	uint32_t sh;

	(void)state;
	watch_close(w);
	w = watch_open(&probes_default_config);
	/* What is not asked about now is known all the same, because a Python of it forks. */
	for (unsigned i = 0; i < 7; i++)
		probes_hold_exe(w->probes, &python);
	watch_run(w, &child, DISTRO_PYTHON, script);
	assert_string_equal(child_line(&child), "done");
	watch_end(w, &child);
	ev = watch_nth(w, EV_SPAWN, ANY_TARGET, 0);
	assert_non_null(ev);
	assert_true(!memcmp(ev->comm, "sh", 3));
	sh = ev->head.target_id;
	for (unsigned i = 1; (ev = watch_nth(w, EV_SPAWN, ANY_TARGET, i)); i++) {
		assert_int_equal(ev->flags, SPAWN_DESCENDANT);
		nr_pythons_told += !memcmp(ev->comm, "python3", 7);
	}
	assert_int_equal(nr_pythons_told, 2);
	assert_non_null(watch_nth(w, EV_EXIT, sh, 0));
	assert_int_equal(probes_candidates(w->probes), 0);

	/* And now that it is known that sh is none: nothing of it but what it starts. */
	ev = watch_nth(w, EV_SPAWN, sh, 0);
	probes_learn_exe(w->probes, &ev->exe, EXE_OTHER);
	watch_run(w, &child, DISTRO_PYTHON, script);
	assert_string_equal(child_line(&child), "done");
	watch_end(w, &child);
	nr_pythons_told = 0;
	for (unsigned i = 3; (ev = watch_nth(w, EV_SPAWN, ANY_TARGET, i)); i++) {
		assert_true(!memcmp(ev->comm, "python3", 7));
		nr_pythons_told++;
	}
	assert_int_equal(nr_pythons_told, 2);
	assert_int_equal(probes_candidates(w->probes), 0);
	watch_close(w);
}

static void a_child_that_is_no_python_is_let_go(void **state)
{
	const char *path = own_copy("/bin/true", "let-go");
	struct watch *w = open_finding(64);
	struct exe_key exe = run_until_told(w, path, NULL, NULL)->exe;
	const struct ev_fork *forked;
	const struct ev_exec *ev;
	struct child child;
	char script[512];
	uint32_t pid;

	(void)state;
	watch_close(w);
	w = watch_open(&probes_default_config);
	probes_learn_exe(w->probes, &exe, EXE_OTHER);
	snprintf(script, sizeof(script),
		 "go()\n"
		 "pid = os.fork() or os.execv('%s', ['true'])\n"
		 "os.waitpid(pid, 0)\n"
		 "say(pid)\n"
		 "sys.stdin.readline()\n", path);
	watch_run(w, &child, DISTRO_PYTHON, script);
	pid = (uint32_t)atol(child_line(&child));
	watch_end(w, &child);
	for (unsigned i = 0; (forked = watch_nth(w, EV_FORK, ANY_TARGET, i)); i++)
		if (forked->child_pid == pid)
			break;
	assert_non_null(forked);
	assert_true(forked->start_ns > 0);
	ev = watch_nth(w, EV_EXEC, forked->head.target_id, 0);
	assert_non_null(ev);
	assert_int_equal(ev->new_target_id, 0);
	assert_null(watch_nth(w, EV_EXIT, forked->head.target_id, 0));
	assert_null(spawn_of(w, (pid_t)pid, 0));
	watch_close(w);
	unlink(path);
}

/* ---- one number, two lives ---- */

/* A process of that very number, which must be free; the child runs the Python. */
static pid_t start_as(pid_t pid, const char *code)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1 };
	long got = syscall(SYS_clone3, &args, sizeof(args));

	if (got == 0) {
		execl(DISTRO_PYTHON, DISTRO_PYTHON, "-c", code, NULL);
		_exit(127);
	}
	return (pid_t)got;
}

static uint64_t start_ticks_of(pid_t pid)
{
	char path[64], text[1024];
	int fd, fields = 2;
	char *rest;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	text[read(fd, text, sizeof(text) - 1)] = '\0';
	close(fd);
	for (rest = strrchr(text, ')'); fields < 22; fields++)
		rest = strchr(rest + 1, ' ');
	return strtoull(rest, NULL, 10);
}

/*
 * An entry is made for a process that has just ended, as the daemon may, and then the number is
 * another process's: of another start time, so it is not the target.
 */
static void a_reused_number_is_another_process(void **state)
{
	static const char script[] =
		"import asyncio\n"
		"async def main(): await asyncio.sleep(0)\n"
		"asyncio.run(main())\n";
	struct watch *w = watch_open(&probes_default_config);
	struct ev_target python;
	uint64_t start_ticks;
	struct child child;
	siginfo_t ended;
	pid_t pid;

	(void)state;
	child_start(&child, DISTRO_PYTHON, "go()\nsys.stdin.readline()\n");
	identify_process(child.pid, &python);
	assert_int_equal(python.status, TARGET_OK);
	child_go(&child);

	pid = start("/bin/true", NULL, NULL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	start_ticks = start_ticks_of(pid); /* of a zombie: nobody will tell of its end any more */
	assert_int_equal(probes_watch_life(w->probes, pid, 7, start_ticks), 0);
	assert_int_equal(probes_identify(w->probes, pid, 7, &python.layout), 0);
	assert_int_equal(probes_watched(w->probes, pid), 7);
	waitpid(pid, NULL, 0);
	/* Identities are as fine as a tick of 10 ms. */
	for (uint64_t until_ns = now_ns() + 30 * NSEC_PER_MSEC; now_ns() < until_ns;)
		sched_yield();
	assert_int_equal(start_as(pid, script), pid);
	waitpid(pid, NULL, 0);
	watch_drain(w);
	assert_int_equal(watch_count(w, EV_LOOP, 7), 0);
	assert_int_equal(watch_count(w, EV_EXEC, 7), 0);
	assert_int_equal(watch_count(w, EV_EXIT, 7), 0);
	assert_int_equal(probes_watched(w->probes, pid), 0);
	child_end(&child);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_executable_is_told_at_its_exec),
		cmocka_unit_test(what_is_known_decides_the_next_exec),
		cmocka_unit_test(a_storm_is_bounded_and_leaves_nothing),
		cmocka_unit_test(one_that_waits_is_told_then),
		cmocka_unit_test(a_wait_is_told_four_times_at_most),
		cmocka_unit_test(candidates_past_the_bound_are_counted),
		cmocka_unit_test(nobody_is_told_of_unless_asked_for),
		cmocka_unit_test(a_lineage_goes_on),
		cmocka_unit_test(a_child_that_is_no_python_is_let_go),
		cmocka_unit_test(a_reused_number_is_another_process),
	};

	require_host();
	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
