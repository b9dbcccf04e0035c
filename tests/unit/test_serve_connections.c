/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is shut so that another gets in, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "util.h"
#include "web_connections.h"

#define MS NSEC_PER_MSEC

static struct web_connections table;

static struct sockaddr_in v4(const char *text)
{
	struct sockaddr_in from = { .sin_family = AF_INET };

	assert_int_equal(inet_pton(AF_INET, text, &from.sin_addr), 1);
	return from;
}

static void begin(int fd, const char *from, uint64_t now_ns)
{
	struct sockaddr_in address = v4(from);

	web_connections_begin(&table, fd, (struct sockaddr *)&address, now_ns);
}

static struct web_address of_v6(const char *text)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	struct web_address out;

	assert_int_equal(inet_pton(AF_INET6, text, &from.sin6_addr), 1);
	web_address_of((struct sockaddr *)&from, &out);
	return out;
}

static struct web_address of_v4(const char *text)
{
	struct sockaddr_in from = v4(text);
	struct web_address out;

	web_address_of((struct sockaddr *)&from, &out);
	return out;
}

static void addresses_of_one_host_are_one(void **state)
{
	static const struct {
		struct web_address (*of_a)(const char *), (*of_b)(const char *);
		const char *a, *b;
		bool is_one;
	} pairs[] = {
		{ of_v4, of_v4, "192.0.2.1", "192.0.2.1", true },
		{ of_v4, of_v4, "192.0.2.1", "192.0.2.2", false },
		{ of_v4, of_v4, "127.0.0.1", "127.7.7.7", true },
		{ of_v4, of_v6, "127.0.0.1", "::1", true },
		{ of_v4, of_v6, "127.0.0.1", "::ffff:127.0.0.9", true },
		{ of_v4, of_v6, "192.0.2.1", "::ffff:192.0.2.1", true },
		{ of_v6, of_v6, "2001:db8::1", "2001:db8::2:3:4:5", true },
		{ of_v6, of_v6, "2001:db8::1", "2001:db8:0:1::1", false },
		{ of_v4, of_v6, "192.0.2.1", "::192.0.2.1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct web_address a = pairs[i].of_a(pairs[i].a), b = pairs[i].of_b(pairs[i].b);

		assert_int_equal(web_address_equal(&a, &b), pairs[i].is_one);
	}
}

static void a_connection_has_its_time(void **state)
{
	(void)state;
	web_connections_init(&table, 4);
	begin(3, "192.0.2.1", 1);
	begin(4, "192.0.2.1", 1);
	web_connections_asked(&table, 4);
	assert_int_equal(web_connections_expired(&table, WEB_REQUEST_MAX_NS), -1);
	assert_int_equal(web_connections_expired(&table, 1 + WEB_REQUEST_MAX_NS), 3);
	assert_int_equal(web_connections_expired(&table, 1 + WEB_REQUEST_MAX_NS), -1);
	assert_int_equal(web_connections_expired(&table, 1 + WEB_CONNECTION_MAX_NS), 4);
	assert_int_equal(web_connections_expired(&table, UINT64_MAX / 2), -1);
	web_connections_end(&table, 3);
	web_connections_end(&table, 4);
	web_connections_end(&table, -1);
	assert_int_equal(table.nr, 0);
}

static void room_is_made_by_who_has_most(void **state)
{
	uint64_t wait_ns;

	(void)state;
	web_connections_init(&table, 6);
	begin(3, "192.0.2.9", 0); /* the oldest, and alone */
	for (int fd = 4; fd < 8; fd++)
		begin(fd, "192.0.2.1", (uint64_t)(10 - fd) * MS); /* the last is the oldest of these */
	assert_false(web_connections_is_full(&table));
	begin(8, "192.0.2.9", 90 * MS);
	assert_true(web_connections_is_full(&table));
	/* None is old enough; the first will be. */
	assert_int_equal(web_connections_victim(&table, 100 * MS, &wait_ns), -1);
	assert_int_equal(wait_ns, WEB_REQUEST_GRACE_NS - 100 * MS);
	/* 7 waits for its answer, which may take longer. */
	web_connections_asked(&table, 7);
	assert_int_equal(web_connections_victim(&table, 400 * MS, &wait_ns), 6);
	assert_int_equal(web_connections_victim(&table, 400 * MS, &wait_ns), 5);
	web_connections_end(&table, 6);
	web_connections_end(&table, 5);
	assert_false(web_connections_is_full(&table));
	/* Two and two: the oldest of all whose time is up. */
	assert_int_equal(web_connections_victim(&table, 400 * MS, &wait_ns), 3);
	assert_int_equal(web_connections_victim(&table, 3 + WEB_ANSWER_GRACE_NS + 10 * MS, &wait_ns), 7);
}

/* More than it knows of, twice ended, never begun. */
static void the_table_is_bounded(void **state)
{
	(void)state;
	web_connections_init(&table, 100000);
	assert_int_equal(table.most, WEB_CONNECTIONS_MAX);
	for (int fd = 0; fd < WEB_CONNECTIONS_MAX + 50; fd++)
		begin(fd, "192.0.2.1", 0);
	assert_int_equal(table.nr, WEB_CONNECTIONS_MAX);
	for (int fd = WEB_CONNECTIONS_MAX + 60; fd >= 0; fd--) {
		web_connections_asked(&table, fd);
		web_connections_end(&table, fd);
		web_connections_end(&table, fd);
	}
	assert_int_equal(table.nr, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_one_host_are_one),
		cmocka_unit_test(a_connection_has_its_time),
		cmocka_unit_test(room_is_made_by_who_has_most),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests_name("serve/connections", tests, NULL, NULL);
}
