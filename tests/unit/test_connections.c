/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of connections in, findings out: through the model, with the names and the site of who connects. */
#include <sys/socket.h>

#include "records.h"
#include "rules.h"
#include "util.h"

#define SERIAL	7
#define PROCESS 8

static struct model *model;
static struct rules_config config;
static struct ev_connection last; /* of SERIAL */
static struct finding findings[8];
static unsigned nr_findings;

static void begin(void)
{
	model = new_model(&model_default_bounds);
	rules_config_init(&config);
	now_ns = NSEC_PER_SEC;
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, 1);
	add_code(model, 1, 100, CODE_OK);
	last = (struct ev_connection){
		.head = { .type = EV_CONNECTION, .size = sizeof(last), .target_id = 1, .loop_id = EV_NO_LOOP },
		.serial = SERIAL,
		.peer = { .kind = CONNECTION_OUT, .family = AF_INET, .port = 5432, .addr = { 10, 0, 0, 5 } },
		.service = "postgresql",
	};
}

static void end(void)
{
	model_free(model);
}

static void drain(void)
{
	struct connection *connection;

	nr_findings = 0;
	while ((connection = model_next_connection(model)))
		nr_findings += rules_eval_connection(&config, connection, findings + nr_findings,
						     ARRAY_SIZE(findings) - nr_findings);
}

static void connects(uint32_t weight)
{
	struct ev_connect ev = { HEAD(CONNECT, 1, 0), .stack_id = 11, .serial = SERIAL, .weight = weight,
				 .process_serial = PROCESS };

	add(model, &ev);
}

/* A second later, so many are open and that was the peak. */
static void second(uint32_t open)
{
	now_ns += NSEC_PER_SEC;
	last.window_peak = max((uint32_t)last.counts.open, open);
	if (open > last.counts.open)
		last.counts.begun += open - last.counts.open;
	last.counts.open = last.counts.established = open;
	last.counts.peak = max((uint32_t)last.counts.peak, last.window_peak);
	add(model, &last);
	drain();
}

static void finish(void)
{
	struct ev_end ev = { HEAD(END, 0, EV_NO_LOOP) };

	add(model, &ev);
	drain();
}

static void a_burst_is_told_when_it_begins_and_when_it_ends(void **state)
{
	const struct finding *finding = &findings[0];

	(void)state;
	begin();
	connects(90);
	second(90);
	assert_int_equal(nr_findings, 0);
	connects(40);
	second(130);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(finding->rule, RULE_UNBOUNDED_CONCURRENCY);
	assert_int_equal(finding->cause, CAUSE_CONCURRENT);
	assert_true(iteration_is_ongoing(finding->iteration));
	assert_int_equal(finding->connection.peak, 130);
	assert_int_equal(finding->connection.before, 90);
	assert_int_equal(finding->connection.begun, 40);
	assert_string_equal(finding->stack->frames[finding->site].name, "f100");
	assert_int_equal(finding->iteration->loop->info.tid, 50);
	second(200);
	assert_int_equal(nr_findings, 0);
	last.counts.failed[FAILURE_REFUSED] = 3;
	second(20); /* the peak of this second is still the 200 that it began with */
	assert_int_equal(nr_findings, 0);
	second(20);
	assert_int_equal(nr_findings, 1);
	assert_false(iteration_is_ongoing(finding->iteration));
	assert_int_equal(finding->connection.peak, 200);
	assert_int_equal(finding->connection.failed[FAILURE_REFUSED], 3);
	assert_int_equal(finding->start_ns, 2 * NSEC_PER_SEC);
	assert_int_equal(finding->duration_ns, 4 * NSEC_PER_SEC);
	finish();
	assert_int_equal(nr_findings, 0);
	end();
}

static void the_end_of_the_watch_ends_a_burst(void **state)
{
	(void)state;
	begin();
	second(101);
	assert_int_equal(nr_findings, 1);
	finish();
	assert_int_equal(nr_findings, 1);
	assert_false(iteration_is_ongoing(findings[0].iteration));
	end();
}

static void the_limit_itself_is_no_burst(void **state)
{
	(void)state;
	begin();
	second(100);
	second(10);
	finish();
	assert_int_equal(nr_findings, 0);
	end();
}

static void a_destination_has_its_own_limit(void **state)
{
	(void)state;
	begin();
	assert_true(rules_parse_peer("[::ffff:10.0.0.5]:5432", &config.destinations[0].peer));
	config.destinations[0].rule = RULE_UNBOUNDED_CONCURRENCY;
	config.destinations[0].limit = 20;
	config.nr_destinations = 1;
	second(21);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].connection.limit, 20);
	config.limit_ns[RULE_UNBOUNDED_CONCURRENCY] = 5;
	last.serial++;
	last.peer.port = 5433;
	second(6);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].connection.limit, 5);
	end();
}

static void many_of_one_iteration_are_a_burst_too(void **state)
{
	(void)state;
	begin();
	connects(51);
	last.window_burst = 51;
	second(51);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].cause, CAUSE_ITERATION);
	assert_int_equal(findings[0].connection.burst, 51);
	end();
}

/* A crawler: no destination has many, the process does. */
static void a_process_is_told_of_what_no_destination_did(void **state)
{
	struct ev_connection process;

	(void)state;
	begin();
	connects(1);
	last.window_burst = 1;
	second(1);
	process = last;
	process.serial = PROCESS;
	process.peer = (struct connection_peer){ .kind = CONNECTION_PROCESS };
	process.window_peak = 0;
	process.window_burst = 60;
	add(model, &process);
	drain();
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].connection.peer.kind, CONNECTION_PROCESS);
	assert_non_null(findings[0].stack);
	/* In the next second one destination does it alone: it is told of as itself, the process is over it. */
	last.window_burst = 60;
	second(1);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].connection.peer.port, 5432);
	end();
}

/* Or of what had no descriptor: nobody knows for which destination it was. */
static void a_process_is_told_of_what_had_no_descriptor(void **state)
{
	struct ev_connection process;

	(void)state;
	begin();
	connects(60);
	last.window_burst = 60;
	second(60);
	assert_int_equal(nr_findings, 1);
	process = last;
	process.serial = PROCESS;
	process.peer = (struct connection_peer){ .kind = CONNECTION_PROCESS };
	process.window_peak = 0;
	process.counts.failed[FAILURE_DESCRIPTORS] = 30;
	add(model, &process);
	drain();
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].connection.peer.kind, CONNECTION_PROCESS);
	assert_int_equal(findings[0].connection.failed[FAILURE_DESCRIPTORS], 30);
	/* They failed then, and not since. */
	second(60);
	process.head.ts_ns = last.head.ts_ns;
	add(model, &process);
	drain();
	assert_int_equal(nr_findings, 1);
	assert_false(iteration_is_ongoing(findings[0].iteration));
	end();
}

static void short_connections_are_churn(void **state)
{
	unsigned told = 0;

	(void)state;
	begin();
	connects(60);
	second(0);
	/* Windows of five seconds: the second one at the latest is full of them. */
	for (int i = 0; i < 10 && !told; i++) {
		last.counts.closed += 11;
		last.counts.nr_short += 11;
		last.counts.lifetime_ns += 11 * MSEC;
		last.counts.begun += 11;
		second(0);
		told += nr_findings;
	}
	assert_int_equal(told, 1);
	assert_true(iteration_is_ongoing(findings[0].iteration));
	assert_int_equal(findings[0].rule, RULE_CONNECTION_CHURN);
	assert_int_equal(findings[0].connection.closed, 55);
	assert_int_equal(findings[0].connection.lifetime_ns, 55 * MSEC);
	for (int i = 0; i < 5; i++)
		second(0);
	assert_int_equal(nr_findings, 1);
	assert_false(iteration_is_ongoing(findings[0].iteration));
	end();
}

/* 9 a second, or long ones, are none. */
static void few_or_long_connections_are_no_churn(void **state)
{
	(void)state;
	begin();
	second(0);
	for (int i = 0; i < 20; i++) {
		last.counts.closed += 50;
		last.counts.nr_short += 9;
		second(0);
		assert_int_equal(nr_findings, 0);
	}
	end();
}

/* As many at the same time: a session would have needed them all. */
static void a_fan_out_is_no_churn(void **state)
{
	(void)state;
	begin();
	second(80);
	last.counts.closed = last.counts.nr_short = 80 * 3;
	second(0);
	for (int i = 0; i < 6; i++) {
		second(0);
		assert_int_equal(nr_findings, 0);
	}
	end();
}

static void lingering_connections_are_a_leak(void **state)
{
	(void)state;
	begin();
	second(20);
	last.counts.close_wait = 11;
	for (int i = 0; i < 5; i++) {
		second(20);
		assert_int_equal(nr_findings, 0);
	}
	second(20);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].rule, RULE_CONNECTION_LEAK);
	assert_int_equal(findings[0].cause, CAUSE_CLOSE_WAIT);
	assert_int_equal(findings[0].connection.close_wait, 11);
	/* As many as a pool may keep for its next use are none. */
	last.counts.close_wait = 10;
	second(20);
	assert_int_equal(nr_findings, 1);
	assert_false(iteration_is_ongoing(findings[0].iteration));
	end();
}

static void growth_without_a_close_is_a_leak(void **state)
{
	unsigned told = 0;

	(void)state;
	begin();
	for (uint32_t i = 1; i <= 62; i++) {
		second(i);
		told += nr_findings;
	}
	assert_int_equal(told, 1);
	assert_int_equal(findings[0].cause, CAUSE_GROWTH);
	end();
	begin();
	told = 0;
	for (uint32_t i = 1; i <= 62; i++) { /* the same, and now and then one is closed */
		last.counts.closed = i / 20;
		second(i);
		told += nr_findings;
	}
	assert_int_equal(told, 0);
	end();
}

static void who_closes_tells_a_leak(void **state)
{
	(void)state;
	begin();
	second(11);
	last.counts.closed_by_gc = 11;
	second(0);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].cause, CAUSE_COLLECTOR);
	assert_int_equal(findings[0].connection.closed_by_gc, 11);
	end();
	begin();
	second(11);
	last.counts.closed_at_exit = 11;
	last.is_over = 1;
	second(0);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].cause, CAUSE_AT_EXIT);
	assert_false(iteration_is_ongoing(findings[0].iteration));
	end();
}

static void files_that_the_collector_closes_are_the_process_s(void **state)
{
	(void)state;
	begin();
	last.serial = PROCESS;
	last.peer = (struct connection_peer){ .kind = CONNECTION_PROCESS };
	connects(30); /* by a stack that has nothing to do with them */
	last.counts.closed_by_gc = 10;
	second(0);
	assert_int_equal(nr_findings, 0);
	last.counts.closed_by_gc = 25;
	last.counts.close_wait = 100; /* of its destinations, which have rules of their own */
	second(0);
	assert_int_equal(nr_findings, 1);
	assert_int_equal(findings[0].rule, RULE_CONNECTION_LEAK);
	assert_int_equal(findings[0].cause, CAUSE_COLLECTOR);
	assert_int_equal(findings[0].connection.closed_by_gc, 25);
	assert_null(findings[0].stack);
	last.counts.closed_by_gc = 35;
	second(0);
	assert_int_equal(nr_findings, 0);
	finish();
	assert_int_equal(nr_findings, 1); /* its end, with all of them */
	assert_int_equal(findings[0].connection.closed_by_gc, 35);
	end();
}

static void destinations_are_bounded(void **state)
{
	struct model_bounds bounds = model_default_bounds;

	(void)state;
	begin();
	end();
	bounds.connections = 3;
	model = new_model(&bounds);
	for (uint32_t i = 0; i < 10; i++) {
		last.serial = 100 + i;
		now_ns += MSEC;
		add(model, &last);
	}
	assert_non_null(model_connection(model, 2));
	assert_null(model_connection(model, 3));
	drain();
	end();
}

static void peers_are_read_as_they_are_written(void **state)
{
	static const char *const good[] = { "10.0.0.5:5432", "[::1]:80", "[2001:db8::5]:65535", "/run/x.sock",
					    "@name", "0.0.0.0:1", "[::]:1" };
	static const char *const bad[] = { "",	  ":",	    "10.0.0.5",	 "10.0.0.5:0", "10.0.0.5:65536", "::1:80",
					   "[::1]", "[::1:80", "10.0.0.5:x", "host:80",	  "/",	 "@",
					   "[]:1",  "10.0.0.5: 1" };
	struct connection_peer peer;
	char text[FINDING_OBJECT_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(rules_parse_peer(good[i], &peer));
		rules_format_peer(&peer, text, sizeof(text));
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(rules_parse_peer(bad[i], &peer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_told_when_it_begins_and_when_it_ends),
		cmocka_unit_test(the_end_of_the_watch_ends_a_burst),
		cmocka_unit_test(the_limit_itself_is_no_burst),
		cmocka_unit_test(a_destination_has_its_own_limit),
		cmocka_unit_test(many_of_one_iteration_are_a_burst_too),
		cmocka_unit_test(a_process_is_told_of_what_no_destination_did),
		cmocka_unit_test(a_process_is_told_of_what_had_no_descriptor),
		cmocka_unit_test(short_connections_are_churn),
		cmocka_unit_test(few_or_long_connections_are_no_churn),
		cmocka_unit_test(a_fan_out_is_no_churn),
		cmocka_unit_test(lingering_connections_are_a_leak),
		cmocka_unit_test(growth_without_a_close_is_a_leak),
		cmocka_unit_test(who_closes_tells_a_leak),
		cmocka_unit_test(files_that_the_collector_closes_are_the_process_s),
		cmocka_unit_test(destinations_are_bounded),
		cmocka_unit_test(peers_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
