/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Until when the service takes its numbers of tasks for wanted: the real one, with its web process, and our clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "child.h"
#include "policies.h"
#include "service.h"
#include "util.h"
#include "web.h"

#define WAIT_MS 20000
#define START_NS (1000 * NSEC_PER_SEC)

static struct policies *policies;
static struct service *service;

static int setup(void **state)
{
	char why[YAML_ERROR_LEN];
	struct serve_config config;

	(void)state;
	serve_config_init(&config);
	config.breaches.to = SINK_NONE;
	snprintf(config.web.listen_address, sizeof(config.web.listen_address), "127.0.0.1:0");
	assert_int_equal(policies_new(&policies), 0);
	if (service_open(&service, &config, policies, why))
		fail_msg("%s", why);
	serve_config_free(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	service_free(take(service));
	policies_free(take(policies));
	return 0;
}

/* The web process asks, the service answers at now_ns. */
static void ask(const char *path, uint64_t now_ns)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd ready[] = { { .fd = service_fd(service), .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	char text[256];

	address.sin_port = htons((uint16_t)atoi(strrchr(service_url(service), ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	while (!ready[1].revents) {
		assert_true(poll(ready, 2, WAIT_MS) > 0);
		service_dispatch(service, now_ns);
	}
	assert_true(read(fd, text, sizeof(text)) > 12);
	assert_memory_equal(text + 8, " 200", 4);
}

static uint64_t every_s(uint64_t now_ns)
{
	return service_wanted_every_ns(service, now_ns) / NSEC_PER_SEC;
}

static void three_minutes_after_the_last_time(void **state)
{
	const uint64_t last_ns = START_NS + 60 * NSEC_PER_SEC;

	(void)state;
	assert_int_equal(SERVICE_WATCHED_NS, 3 * 60 * NSEC_PER_SEC);
	assert_int_equal(every_s(START_NS), 0);
	ask("/metrics", START_NS);
	assert_int_not_equal(every_s(START_NS), 0);
	ask("/metrics", last_ns);
	assert_int_not_equal(every_s(last_ns + SERVICE_WATCHED_NS - 1), 0);
	assert_int_equal(every_s(last_ns + SERVICE_WATCHED_NS), 0);
	ask("/api/v1/loops", last_ns + 2 * SERVICE_WATCHED_NS);
	assert_int_not_equal(every_s(last_ns + 2 * SERVICE_WATCHED_NS), 0);
}

static void as_often_as_somebody_asks(void **state)
{
	uint64_t now_ns = START_NS;

	(void)state;
	ask("/metrics", now_ns);
	assert_int_equal(every_s(now_ns), 5);
	ask("/metrics", now_ns += NSEC_PER_SEC);
	assert_int_equal(every_s(now_ns), 5);
	ask("/metrics", now_ns += 15 * NSEC_PER_SEC);
	assert_int_equal(every_s(now_ns), 15);
	assert_int_equal(every_s(now_ns + 20 * NSEC_PER_SEC), 20); /* it is late, or was the last one */
	assert_int_equal(every_s(now_ns + 100 * NSEC_PER_SEC), 30);
	ask("/metrics", now_ns += 60 * NSEC_PER_SEC);
	assert_int_equal(every_s(now_ns), 30); /* what is a minute old would be shown no more */
}

static void who_looks_at_anything_else_does_not_count(void **state)
{
	(void)state;
	ask("/-/healthy", START_NS);
	ask("/", START_NS);
	ask("/api/v1/breaches", START_NS);
	assert_int_equal(every_s(START_NS), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(three_minutes_after_the_last_time, setup, teardown),
		cmocka_unit_test_setup_teardown(as_often_as_somebody_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(who_looks_at_anything_else_does_not_count, setup, teardown),
	};

	if (argc == 3 && !strcmp(argv[1], CHILD_WEB))
		return web_main(atoi(argv[2]), CHILD_EXTRA_FD);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
