/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections as series: by destination, and not by more of them than there is room for. */
#include "metrics_scrape.h"

#define OF_PROCESS "{process=\"python3.11\",worker=\"0\","

static void put_connection(uint32_t target, uint8_t kind, uint32_t serial, uint16_t port, uint32_t open)
{
	struct ev_connection ev = { HEAD(CONNECTION, target, EV_NO_LOOP),
				    .serial = serial,
				    .counts = { .open = open, .established = open, .peak = 2 * open, .begun = 10 },
				    .peer = { .kind = kind, .family = 2, .port = port,
					      .addr = { 10, 0, 0, 5 } } };

	ev.counts.failed[FAILURE_REFUSED] = 3;
	put(&ev);
}

/* A process without a loop has a number as well; what it connects to is bounded. */
static void connections_are_series_by_destination(void **state)
{
	struct finding finding = { .rule = RULE_CONNECTION_CHURN, .cause = CAUSE_SHORT_LIVED,
				   .connection.is_set = true };

	(void)state;
	put_target(1, "/usr/bin/python3.11", "");
	for (uint32_t i = 0; i < 34; i++)
		put_connection(1, CONNECTION_OUT, 1 + i, (uint16_t)(5000 + i), 7);
	finding.iteration = put_iteration(1, 1);
	assert_int_equal(metrics_add_finding(metrics, &finding), 0);
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_outbound_connections" OF_PROCESS "destination=\"10.0.0.5:5000\"} 7");
	assert_line("loophound_outbound_connections_peak" OF_PROCESS "destination=\"10.0.0.5:5031\"} 14");
	assert_line("loophound_outbound_connects_total" OF_PROCESS "destination=\"other\"} 20");
	assert_line("loophound_outbound_connect_failures_total" OF_PROCESS
		    "destination=\"10.0.0.5:5000\",reason=\"refused\"} 3");
	assert_line("loophound_outbound_connect_failures_total" OF_PROCESS
		    "destination=\"10.0.0.5:5000\",reason=\"timed_out\"} 0");
	assert_line("loophound_breaches_total" OF_PROCESS "rule=\"connection-churn\",cause=\"short-lived\"} 1");
	assert_int_equal(count_of("loophound_outbound_connects_total{"), 33);
	put_exit(1);
	scrape(EXPOSITION_TEXT);
	assert_int_equal(count_of("loophound_outbound_connects_total{"), 0);
}

static void inbound_ones_are_by_listening_socket(void **state)
{
	(void)state;
	put_target(1, "/usr/bin/python3.11", "");
	put_connection(1, CONNECTION_IN, 1, 8080, 5);
	scrape(EXPOSITION_TEXT);
	assert_line("loophound_inbound_connections" OF_PROCESS "listen=\"10.0.0.5:8080\"} 5");
	assert_int_equal(count_of("loophound_outbound_connections{"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connections_are_series_by_destination),
		TEST(inbound_ones_are_by_listening_socket),
	};

	return cmocka_run_group_tests_name("metrics of connections", tests, NULL, NULL);
}
