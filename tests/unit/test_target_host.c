/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The host as it is, seen from this process: what is asked for is there, whoever asks. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "util.h"

#define NOW (1000 * NSEC_PER_SEC)

static struct ev_host evidence(struct host *host, uint32_t target_id, uint64_t start_ns,
			       uint64_t now_ns)
{
	struct ev_host ev = { .head = { .type = EV_HOST } };

	host_evidence(host, target_id, start_ns, now_ns, &ev);
	assert_non_null(memchr(ev.cgroup, '\0', sizeof(ev.cgroup)));
	assert_true(ev.since_ns <= ev.head.ts_ns);
	return ev;
}

static void the_look_before_the_stall_is_its_start(void **state)
{
	struct host *host;
	struct ev_host ev;
	unsigned int i;

	(void)state;
	assert_int_equal(host_new(&host), 0);
	host_watch(host, 1, getpid(), NOW);
	for (i = 0; i <= 100;
	     i++) /* more than are kept, ten times a second: it looks each second */
		host_look(host, NOW + i * NSEC_PER_SEC / 10);
	ev = evidence(host, 1, NOW + 10 * NSEC_PER_SEC - 1, NOW + 11 * NSEC_PER_SEC);
	assert_int_equal(ev.head.ts_ns, NOW + 11 * NSEC_PER_SEC);
	assert_true(ev.since_ns < NOW + 10 * NSEC_PER_SEC);
	assert_true(ev.since_ns >= NOW + 5 * NSEC_PER_SEC);
	assert_true(ev.nr_cpus >= 1);
	assert_true(ev.cgroup[0] == '/' || !ev.cgroup[0]);
	/* a stall that began before all looks: as much as is known */
	ev = evidence(host, 1, 1, NOW + 12 * NSEC_PER_SEC);
	assert_int_equal(ev.since_ns, NOW);
	host_free(host);
}

static void a_target_that_is_gone_has_no_cgroup(void **state)
{
	struct host *host;

	(void)state;
	assert_int_equal(host_new(&host), 0);
	assert_string_equal(evidence(host, 1, NOW, NOW).cgroup, "");
	host_watch(host, 1, 0x7fffffff, NOW);
	host_watch(host, 1, 0x7fffffff, NOW); /* its second loop */
	host_look(host, NOW + 20 * NSEC_PER_SEC);
	assert_string_equal(evidence(host, 1, NOW, NOW + 20 * NSEC_PER_SEC).cgroup, "");
	host_unwatch(host, 1);
	host_unwatch(host, 1);
	host_unwatch(host, 1); /* once too often */
	host_unwatch(host, 2);
	host_free(host);
	host_free(NULL);
}

/* ---- a cgroup with a quota, where this user can make one ---- */

static bool write_file(const char *folder, const char *file, const char *text)
{
	cleanup_close int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Of 50 ms in 100; what it is called below its root. NULL: it cannot be made. */
static const char *make_group(char folder[128])
{
	const char *root =
		access("/sys/fs/cgroup/cpu", X_OK) ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";

	snprintf(folder, 128, "%s/loophound-test-%d", root, getpid());
	if (mkdir(folder, 0755))
		return NULL;
	if (!write_file(folder, "cpu.cfs_quota_us", "50000") &&
	    !write_file(folder, "cpu.max", "50000 100000")) {
		rmdir(folder);
		return NULL;
	}
	return folder + strlen(root);
}

static pid_t start_in(const char *folder)
{
	char number[16];
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails ends at once */
		pause();
		_exit(0);
	}
	snprintf(number, sizeof(number), "%d", pid);
	assert_true(write_file(folder, "cgroup.procs", number));
	return pid;
}

static void targets_of_one_cgroup_share_its_quota(void **state)
{
	char folder[128];
	const char *name = make_group(folder);
	struct host *host;
	struct ev_host ev;
	pid_t pids[3];

	(void)state;
	if (!name) {
		print_message("no cgroup can be made here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(host_new(&host), 0);
	host_watch(host, 4, getpid(), NOW); /* elsewhere */
	for (unsigned int i = 0; i < 3; i++) {
		pids[i] = start_in(folder);
		host_watch(host, i + 1, pids[i], NOW);
	}
	/* Looked for anew, twice; then by and by nobody is left of them, and first who was looked for last. */
	for (unsigned int gone = 0; gone < 3; gone++) {
		host_look(host, NOW + (gone + 1) * 20 * NSEC_PER_SEC);
		for (unsigned int i = 0; i < 3 - gone; i++) {
			ev = evidence(host, i + 1, NOW, NOW + (gone + 1) * 20 * NSEC_PER_SEC);
			assert_string_equal(ev.cgroup, name);
			assert_int_equal(ev.quota_ns, 50 * NSEC_PER_MSEC);
			assert_int_equal(ev.period_ns, 100 * NSEC_PER_MSEC);
		}
		assert_string_not_equal(evidence(host, 4, NOW, NOW).cgroup, name);
		host_unwatch(host, 3 - gone);
	}
	host_free(host);
	for (unsigned int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_look_before_the_stall_is_its_start),
		cmocka_unit_test(a_target_that_is_gone_has_no_cgroup),
		cmocka_unit_test(targets_of_one_cgroup_share_its_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
