/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel half used from a PID namespace of its own: records have the numbers of that namespace, and of those
 * who are not in it nothing is heard.  The tests are in the namespace; somebody outside does as it is told.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "find.h"
#include "watched.h"

static int outside; /* what is written to it is run outside, and answered when that has ended */

static void live_outside(int fd)
{
	char command[256];
	ssize_t got;

	while ((got = read(fd, command, sizeof(command) - 1)) > 0) {
		command[got] = '\0';
		if (write(fd, system(command) ? "!" : ".", 1) != 1)
			break;
	}
	_exit(0);
}

static void run_outside(const char *command)
{
	char answer = 0;

	assert_int_equal(write(outside, command, strlen(command)), strlen(command));
	assert_int_equal(read(outside, &answer, 1), 1);
	assert_int_equal(answer, '.');
}

static struct watch *open_inside(bool finds_new)
{
	struct probes_config config = probes_default_config;

	config.pid_namespace = find_pid_namespace();
	assert_int_not_equal(config.pid_namespace, 0);
	config.finds_new = finds_new;
	return watch_open(&config);
}

static const char forks[] =
	"go()\n"
	"def stall():\n"
	"    async def main():\n"
	"        await asyncio.sleep(0)\n"
	"        time.sleep(0.03)\n"
	"        await asyncio.sleep(0)\n"
	"    asyncio.run(main())\n"
	"stall()\n"
	"pid = os.fork()\n"
	"if pid == 0:\n"
	"    stall()\n"
	"    os._exit(0)\n"
	"os.waitpid(pid, 0)\n"
	"say(pid)\n"
	"thread = threading.Thread(target=stall)\n"
	"thread.start()\n"
	"say(thread.native_id)\n"
	"thread.join()\n"
	"sys.stdin.readline()\n";

static void records_have_the_numbers_of_the_namespace(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = open_inside(false);
		const struct ev_loop *loop, *loop_of_thread;
		const struct ev_fork *fork;
		const struct ev_exit *ev;
		struct child child;
		uint32_t forked, tid;

		watch_run(w, &child, pythons[i], forks);
		forked = (uint32_t)atoi(child_line(&child));
		tid = (uint32_t)atoi(child_line(&child));
		watch_end(w, &child);
		loop = watch_nth(w, EV_LOOP, child.target_id, 0);
		loop_of_thread = watch_nth(w, EV_LOOP, child.target_id, 1);
		fork = watch_nth(w, EV_FORK, ANY_TARGET, 0);
		assert_non_null(loop);
		assert_non_null(loop_of_thread);
		assert_non_null(fork);
		assert_int_equal(loop->pid, child.pid);
		assert_int_equal(loop->tid, child.pid);
		assert_int_equal(loop->ns_tid, child.pid);
		assert_int_equal(loop_of_thread->pid, child.pid);
		assert_int_equal(loop_of_thread->tid, tid);
		assert_int_equal(fork->parent_pid, child.pid);
		assert_int_equal(fork->child_pid, forked);
		loop = watch_nth(w, EV_LOOP, fork->head.target_id, 0);
		assert_non_null(loop);
		assert_int_equal(loop->pid, forked);
		ev = watch_nth(w, EV_EXIT, fork->head.target_id, 0);
		assert_non_null(ev);
		assert_int_equal(ev->pid, forked);
		ev = watch_nth(w, EV_EXIT, child.target_id, 0);
		assert_int_equal(ev->pid, child.pid);
		assert_true(watch_sleep(w, fork->head.target_id, -1)->total_ns >= 30 * NSEC_PER_MSEC);
		assert_int_equal(probes_watched(w->probes, child.pid), 0);
		watch_close(w);
	}
}

static void one_in_a_namespace_below_has_a_number_in_each(void **state)
{
	static const char script[] =
		"go()\n"
		"import ctypes\n"
		"assert ctypes.CDLL(None).unshare(0x20000000) == 0\n" /* CLONE_NEWPID: of its children */
		"pid = os.fork()\n"
		"if pid == 0:\n"
		"    asyncio.run(asyncio.sleep(0.01))\n"
		"    os._exit(os.getpid())\n"
		"say(pid)\n"
		"assert os.waitpid(pid, 0)[1] == 1 << 8\n"
		"sys.stdin.readline()\n";
	struct watch *w = open_inside(false);
	const struct ev_fork *fork;
	const struct ev_loop *loop;
	struct child child;
	uint32_t below;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	below = (uint32_t)atoi(child_line(&child));
	assert_int_equal(watch_end(w, &child), 0);
	fork = watch_nth(w, EV_FORK, ANY_TARGET, 0);
	assert_non_null(fork);
	assert_int_equal(fork->child_pid, below);
	loop = watch_nth(w, EV_LOOP, fork->head.target_id, 0);
	assert_non_null(loop);
	assert_int_equal(loop->pid, below);
	assert_int_equal(loop->ns_tid, 1);
	watch_close(w);
}

/* Whether a process whose name begins so was told of, and its number. */
static uint32_t told_of(struct watch *w, const char *comm)
{
	const struct ev_spawn *ev;

	watch_drain(w);
	for (unsigned i = 0; (ev = watch_nth(w, EV_SPAWN, ANY_TARGET, i)); i++)
		if (!strncmp(ev->comm, comm, strlen(comm)))
			return ev->pid;
	return 0;
}

static void who_is_outside_is_not_heard_of(void **state)
{
	struct watch *w = open_inside(true);
	uint32_t told = 0;
	pid_t pid = 0;

	(void)state;
	assert_int_equal(system("cp /bin/true /tmp/lh-inside; cp /bin/true /tmp/lh-outside"), 0);
	/* Only so many unknown ones a second are told of. */
	for (uint64_t end_ns = now_ns() + DEADLINE_NS; !told && now_ns() < end_ns;) {
		run_outside("/tmp/lh-outside");
		pid = fork();
		if (pid == 0) {
			execl("/tmp/lh-inside", "lh-inside", NULL);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		told = told_of(w, "lh-inside");
	}
	assert_int_not_equal(told, 0);
	assert_true(told <= (uint32_t)pid);
	assert_int_equal(told_of(w, "lh-outside"), 0);
	watch_close(w);
	assert_int_equal(system("rm /tmp/lh-inside /tmp/lh-outside"), 0);
}

static void a_number_that_nobody_has_is_refused(void **state)
{
	struct watch *w = open_inside(false);

	(void)state;
	assert_int_equal(probes_watch(w->probes, 4000000, 1, NULL), -ESRCH);
	assert_int_equal(probes_watched(w->probes, 4000000), 0);
	assert_int_equal(probes_watch(w->probes, 1, 1, NULL), 0);
	assert_int_equal(probes_watched(w->probes, 1), 1);
	assert_int_equal(probes_unwatch(w->probes, 1, 1), 0);
	assert_int_equal(probes_watched(w->probes, 1), 0);
	watch_close(w);
}

static int run_inside(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_have_the_numbers_of_the_namespace),
		cmocka_unit_test(one_in_a_namespace_below_has_a_number_in_each),
		cmocka_unit_test(who_is_outside_is_not_heard_of),
		cmocka_unit_test(a_number_that_nobody_has_is_refused),
	};

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL) || !find_has_own_proc())
		return 1;
	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}

int main(void)
{
	int fds[2], status = -1;
	pid_t pid, helper;

	require_host();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return 1;
	helper = fork();
	if (helper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]); /* or it would wait for itself for ever */
		live_outside(fds[1]);
	}
	close(fds[1]);
	outside = fds[0];
	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (pid == 0)
		exit(run_inside());
	close(fds[0]);
	waitpid(pid, &status, 0);
	waitpid(helper, NULL, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
