/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The configuration's file: what it means, and what is said of one that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "config.h"
#include "util.h"

static struct serve_config config;
static char why[YAML_ERROR_LEN];

static int setup(void **state)
{
	(void)state;
	serve_config_init(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	serve_config_free(&config);
	return 0;
}

static int read_text(const char *text)
{
	cleanup_close int fd = memfd_create("configuration", MFD_CLOEXEC);
	char path[32];

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return serve_config_read(&config, path, why);
}

static void targets_differ_from_all_else(void **state)
{
	(void)state;
	assert_int_equal(read_text("targets:\n" /* before what it differs from */
				   "- unit: shop*.service\n"
				   "  limits: {blocking-call: 100ms, unbounded-concurrency@10.0.0.5:5432: 300}\n"
				   "  allow:\n"
				   "  - {file: app.py, function: warm_up}\n"
				   "  - rule: gc-pause\n"
				   "  per_second: 7\n"
				   "  labels: {team: shop, tier: web front}\n"
				   "- {container: 0123456789ab, watch: false}\n"
				   "- {}\n"
				   "limits: {cpu-bound: 80ms}\n"
				   "breaches: {per_target_per_second: 3}\n"
				   "allow: [{file: lib.py, function: slow}]\n"),
			 0);
	assert_int_equal(config.selection.nr, 3);
	assert_string_equal(config.selection.selectors[0].unit, "shop*.service");
	assert_string_equal(config.selection.selectors[1].container, "0123456789ab");
	assert_true(config.selection.selectors[1].is_excluded);
	assert_false(config.selection.selectors[2].is_excluded);
	assert_int_equal(config.policies[0].rules.limit_ns[RULE_BLOCKING_CALL], 100 * NSEC_PER_MSEC);
	assert_int_equal(config.policies[0].rules.limit_ns[RULE_CPU_BOUND], 80 * NSEC_PER_MSEC);
	assert_int_equal(config.policies[0].rules.nr_destinations, 1);
	assert_int_equal(config.policies[0].rules.destinations[0].limit, 300);
	assert_int_equal(config.policies[0].rules.destinations[0].peer.port, 5432);
	assert_int_equal(config.policies[0].rules.nr_allow, 2);
	assert_string_equal(config.policies[0].rules.allow[0].file, "lib.py");
	assert_string_equal(config.policies[0].rules.allow[1].function, "warm_up");
	assert_false(config.policies[0].rules.is_enabled[RULE_GC_PAUSE]);
	assert_int_equal(config.policies[0].lines_per_second, 7);
	assert_int_equal(config.policies[0].nr_labels, 2);
	assert_string_equal(config.policies[0].labels[1].name, "tier");
	assert_string_equal(config.policies[0].labels[1].value, "web front");
	assert_int_equal(config.policies[2].rules.limit_ns[RULE_BLOCKING_CALL], 10 * NSEC_PER_MSEC);
	assert_true(config.policies[2].rules.is_enabled[RULE_GC_PAUSE]);
	assert_int_equal(config.policies[2].lines_per_second, 3);
	assert_int_equal(config.policies[2].rules.nr_allow, 1);
}

static void a_limit_of_a_destination_replaces_that_of_all_targets(void **state)
{
	(void)state;
	assert_int_equal(read_text("limits: {'connection-churn@[::1]:80': 5, connection-leak@/run/x.sock: 6}\n"
				   "targets: [{name: a, limits: {'connection-churn@[::1]:80': 50}}]\n"),
			 0);
	assert_int_equal(config.others.rules.nr_destinations, 2);
	assert_int_equal(config.others.rules.destinations[0].limit, 5);
	assert_int_equal(config.policies[0].rules.nr_destinations, 2);
	assert_int_equal(config.policies[0].rules.destinations[0].limit, 50);
	assert_int_equal(config.policies[0].rules.destinations[1].limit, 6);
}

static void each_value_at_its_bound(void **state)
{
	char text[32768] = "targets:\n";

	(void)state;
	for (int i = 0; i < SELECTION_MAX; i++)
		strcat(text, "- name: a\n");
	assert_int_equal(read_text(text), 0);
	assert_int_equal(config.selection.nr, SELECTION_MAX);
	serve_config_free(&config);
	strcat(text, "- name: a\n");
	assert_int_equal(read_text(text), -EINVAL);
	assert_non_null(strstr(why, "line 2: targets: more than 64 entries"));
}

static void swapping_takes_all_along(void **state)
{
	static struct serve_config other;

	(void)state;
	serve_config_init(&other);
	assert_int_equal(read_text("targets: [{name: a}]\nlog: {format: json}\n"), 0);
	serve_config_swap(&config, &other);
	assert_int_equal(config.selection.nr, 0);
	assert_null(config.policies);
	assert_false(config.log.is_json);
	assert_int_equal(other.selection.nr, 1);
	assert_true(other.log.is_json);
	serve_config_free(&other);
}

/* But for where breaches go, as it says. */
static void the_shipped_example_has_the_defaults(void **state)
{
	static struct serve_config defaults;

	(void)state;
	serve_config_init(&defaults);
	assert_int_equal(serve_config_read(&config, "packaging/loophound.yaml", why), 0);
	assert_int_equal(config.breaches.to, SINK_JOURNAL);
	config.breaches.to = defaults.breaches.to;
	assert_memory_equal(&config.web, &defaults.web, sizeof(config.web));
	assert_memory_equal(&config.log, &defaults.log, sizeof(config.log));
	assert_memory_equal(&config.breaches, &defaults.breaches, sizeof(config.breaches));
	assert_memory_equal(&config.metrics, &defaults.metrics, sizeof(config.metrics));
	assert_memory_equal(&config.others, &defaults.others, sizeof(config.others));
}

static const struct {
	const char *text, *said;
} wrong[] = {
	{ "targets: {}", "line 1: targets: a list of entries is expected" },
	{ "targets: []", "line 1: targets: is empty; leave it out to watch all" },
	{ "targets:\n- a\n", "line 2: entry: keys and values are expected" },
	{ "targets:\n- {unit: a}\n- {unti: a}\n", "line 3: unti: no such key; known are unit user_unit container pod" },
	{ "targets: [{unit: ''}]", "line 1: unit: is empty" },
	{ "targets: [{unit: [a]}]", "line 1: unit: a text is expected" },
	{ "targets: [{unit: a, unit: b}]", "line 1: unit: is there twice" },
	{ "targets: [{exe: python3}]", "line 1: exe: a path from the root or a pattern" },
	{ "targets: [{cgroup: system.slice}]", "line 1: cgroup: a path from the root" },
	{ "targets: [{name: a, watch: never}]", "line 1: watch: true or false is expected" },
	{ "targets:\n- {name: a, watch: false}\n", "line 2: targets: watches nobody; end it with an entry {}" },
	{ "targets:\n- {name: a, watch: false, labels: {a: b}}\n- {}\n", "line 2: entry: what is not watched has no" },
	{ "targets:\n- name: a\n  limits:\n    blocked: 1s\n", "line 4: blocked: no such rule" },
	{ "targets: [{limits: {gc-pause: 7}}]", "line 1: gc-pause: a time with its unit" },
	{ "targets: [{limits: {gc-pause@1.2.3.4:5: 7ms}}]", "line 1: gc-pause@1.2.3.4:5: this rule has" },
	{ "limits: {connection-leak@nowhere: 7}", "line 1: connection-leak@nowhere: no destination; 10.0.0.5:5432" },
	{ "limits: {connection-leak: 0}", "line 1: connection-leak: 0 is not within 1" },
	{ "rules: {connection-leak@1.2.3.4:5: true}", "no such rule" },
	{ "allow: [{rule: a}]", "line 1: rule: no such rule" },
	{ "allow:\n- {file: a}\n", "line 2: entry: a site has a file and a function" },
	{ "allow: [{file: a, function: b, rule: gc-pause}]", "a rule stands alone" },
	{ "targets: [{labels: {1a: b}}]", "line 1: 1a: no name of a label" },
	{ "targets: [{labels: {a-b: b}}]", "line 1: a-b: no name of a label" },
	{ "targets: [{labels: {__a: b}}]", "line 1: __a: no name of a label" },
	{ "targets: [{labels: {pid: b}}]", "line 1: pid: this name of a label has a meaning already" },
	{ "targets: [{labels: {a: ''}}]", "line 1: a: is empty" },
	{ "targets: [{labels: {a: b, a: c}}]", "line 1: a: is there twice" },
	{ "targets: [{labels: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1}}]",
	  "line 1: i: more than 8 labels" },
	{ "targets: [{labels: {a23456789012345678901234567890123456789012345678: b}}]", "longer than 47 characters" },
	{ "targets: [{labels: [a]}]", "line 1: labels: names and values are expected" },
	{ "targets: [{per_second: 0}]", "line 1: per_second: 0 is not within 1" },
	{ "breaches: {per_target_per_second: many}", "a whole number is expected" },
};

static void what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		serve_config_init(&config);
		assert_int_equal(read_text(wrong[i].text), -EINVAL);
		if (!strstr(why, wrong[i].said))
			fail_msg("%s\nsaid: %s\nexpected: %s", wrong[i].text, why, wrong[i].said);
		assert_memory_equal(why, "/proc/self/fd/", 14); /* the file's name comes first */
		serve_config_free(&config);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(targets_differ_from_all_else),
		TEST(a_limit_of_a_destination_replaces_that_of_all_targets),
		TEST(each_value_at_its_bound),
		TEST(swapping_takes_all_along),
		TEST(the_shipped_example_has_the_defaults),
		TEST(what_is_wrong_is_said_with_its_line),
	};

	return cmocka_run_group_tests_name("serve/config", tests, NULL, NULL);
}
