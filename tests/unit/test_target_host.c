/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The host as it is, seen from this process: what is asked for is there, whoever asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "util.h"

#define NOW (1000 * NSEC_PER_SEC)

static struct ev_host evidence(struct host *host, uint32_t target_id, uint64_t start_ns, uint64_t now_ns)
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
	for (i = 0; i <= 100; i++) /* more than are kept, ten times a second: it looks each second */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_look_before_the_stall_is_its_start),
		cmocka_unit_test(a_target_that_is_gone_has_no_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
