/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A sleeper that is moved to another CPU while it is still in the run queue of the first: the kernel accounts
 * for its sleep as a wait for a CPU (bpf/migrate.bpf.c).  Is it told as a sleep all the same?
 */
#include <sched.h>
#include <sys/syscall.h>

#include "account.h"
#include "watched.h"

#define ROUNDS	 20
#define SLEEP_NS (30 * NSEC_PER_MSEC)
#define SLACK_NS (2 * NSEC_PER_MSEC) /* each time: a timer's slack, and what the script does in between */

/*
 * Sleeps once on the loop and once in its wait, after it used up its share.  Says how long both took beyond
 * what was asked for, which is all that it can have waited for a CPU, and how often the kernel says it did more.
 */
static const char script[] =
	"def queued():\n"
	"    with open('/proc/self/schedstat') as stat: return int(stat.read().split()[1])\n"
	"over, wrong = [0, 0], 0\n"
	"def begin(what):\n"
	"    end = time.thread_time_ns() + 4000000\n"
	"    while time.thread_time_ns() < end: pass\n"
	"    say(what)\n"
	"    return queued(), time.monotonic_ns()\n"
	"def done(kind, began):\n"
	"    global wrong\n"
	"    took = time.monotonic_ns() - began[1] - 30000000\n"
	"    over[kind] += took\n"
	"    wrong += queued() - began[0] > took + 2000000\n"
	"async def main():\n"
	"    for i in range(20):\n"
	"        began = begin('sleeps')\n"
	"        time.sleep(0.03)\n"
	"        done(0, began)\n"
	"        await asyncio.sleep(0)\n"
	"        began = begin('waits')\n"
	"        await asyncio.sleep(0.03)\n"
	"        done(1, began)\n"
	"    say(over[0], over[1], wrong)\n"
	"go()\n"
	"asyncio.run(main())\n";

static pid_t start_hog(const cpu_set_t *cpu)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sched_setaffinity(0, sizeof(*cpu), cpu);
	for (;;)
		;
}

/* Two CPUs that we may use; false: there is only one. */
static bool two_cpus(cpu_set_t cpus[2])
{
	cpu_set_t all;
	int nr = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && nr < 2; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&cpus[nr]);
		CPU_SET(cpu, &cpus[nr++]);
	}
	return nr == 2;
}

static void await_asleep(const struct child *child)
{
	uint64_t deadline_ns = now_ns() + DEADLINE_NS;
	struct account account;

	do {
		assert_true(now_ns() < deadline_ns);
		assert_int_equal(account_read(child->pid, &account), 0);
	} while (account.is_runnable);
}

static void a_sleeper_that_is_moved_is_asleep(void **state)
{
	struct probes_config config = probes_default_config;
	unsigned long long over_sleeps_ns, over_waits_ns;
	uint64_t sleeps_ns = 0, wake_delays_ns = 0;
	const struct ev_iteration *it;
	const struct ev_sleep *sleep;
	cpu_set_t cpus[2];
	struct child child;
	struct watch *w;
	unsigned wrong;
	pid_t hog;

	(void)state;
	if (!two_cpus(cpus))
		skip();
	config.report_on_cpu_ns = 1;
	w = watch_open(&config);
	hog = start_hog(&cpus[0]);
	watch_run(w, &child, pythons[0], script);
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		assert_int_equal(sched_setaffinity(child.pid, sizeof(cpus[0]), &cpus[0]), 0);
		assert_string_equal(child_line(&child), i % 2 ? "waits" : "sleeps");
		await_asleep(&child);
		assert_int_equal(sched_setaffinity(child.pid, sizeof(cpus[1]), &cpus[1]), 0);
	}
	assert_int_equal(sscanf(child_line(&child), "%llu %llu %u", &over_sleeps_ns, &over_waits_ns, &wrong), 3);
	assert_int_equal(watch_end(w, &child), 0);
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	for (unsigned i = 0; (sleep = watch_nth(w, EV_SLEEP, child.target_id, i)); i++)
		if (sleep->syscall == SYS_clock_nanosleep || sleep->syscall == SYS_select)
			sleeps_ns += sleep->asleep_ns;
	for (unsigned i = 0; (it = watch_nth(w, EV_ITERATION, child.target_id, i)); i++)
		wake_delays_ns += it->wake_delay_ns;
	print_message("    the kernel was wrong %u times; asleep for %llu ms of %llu, waited for a CPU in the "
		      "loop's wait for %llu ms of %llu at most\n", wrong,
		      (unsigned long long)(sleeps_ns / NSEC_PER_MSEC), ROUNDS * SLEEP_NS / NSEC_PER_MSEC,
		      (unsigned long long)(wake_delays_ns / NSEC_PER_MSEC), over_waits_ns / NSEC_PER_MSEC);
	assert_true(sleeps_ns + ROUNDS * NSEC_PER_MSEC >= ROUNDS * SLEEP_NS);
	assert_true(wake_delays_ns <= over_waits_ns + ROUNDS * SLACK_NS);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleeper_that_is_moved_is_asleep),
	};

	require_host();
	return cmocka_run_group_tests_name("migrated", tests, NULL, NULL);
}
