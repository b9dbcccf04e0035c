/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the web process makes of headers, passwords and addresses. */
#include "web_auth.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <zlib.h>

#include "web_client.h"
#include "web_encoding.h"

static void accept_decides_the_format(void **state)
{
	(void)state;
	/* As Prometheus 2.42 asks. */
	assert_true(web_accepts_openmetrics(
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
	assert_true(web_accepts_openmetrics("application/openmetrics-text"));
	assert_true(web_accepts_openmetrics("text/plain;q=0.5, Application/OpenMetrics-Text; q=0.6"));
	assert_false(web_accepts_openmetrics("text/plain, application/openmetrics-text;q=0.9"));
	assert_false(web_accepts_openmetrics("application/openmetrics-text;q=0"));
	assert_false(web_accepts_openmetrics("application/openmetrics-text;q=x"));
	assert_false(web_accepts_openmetrics("application/openmetrics-textual"));
	assert_false(web_accepts_openmetrics("*/*"));
	assert_false(web_accepts_openmetrics(""));
	assert_false(web_accepts_openmetrics(NULL));
}

static void gzip_is_sent_to_who_takes_it(void **state)
{
	(void)state;
	assert_true(web_accepts_gzip("gzip"));
	assert_true(web_accepts_gzip("deflate, GZIP;q=1.0, *;q=0.5"));
	assert_false(web_accepts_gzip("gzip;q=0"));
	assert_false(web_accepts_gzip("gzip;q=0.000"));
	assert_false(web_accepts_gzip("identity"));
	assert_false(web_accepts_gzip(",,;;,"));
	assert_false(web_accepts_gzip(NULL));
}

static void gzip_packs_what_zlib_unpacks(void **state)
{
	static char data[100000], back[sizeof(data) + 1];
	z_stream stream = {};
	size_t bytes;
	void *packed;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * i >> 3);
	assert_int_equal(web_gzip(data, sizeof(data), &packed, &bytes), 0);
	stream.next_in = packed;
	stream.avail_in = (uInt)bytes;
	stream.next_out = (Bytef *)back;
	stream.avail_out = sizeof(back);
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, sizeof(data));
	assert_memory_equal(data, back, sizeof(data));
	inflateEnd(&stream);
	free(packed);
}

/* The reference's own test vector: key 00..0f, message 00..0e. */
static void the_keyed_hash_is_siphash(void **state)
{
	uint8_t message[15];
	uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	(void)state;
	for (uint8_t i = 0; i < sizeof(message); i++)
		message[i] = i;
	assert_true(siphash(key, message, sizeof(message)) == 0xa129ca6149be45e5);
}


static void who_knows_the_password_gets_in(void **state)
{
	static struct web_settings settings = { .nr_users = 1 };
	struct crypt_data data = {};
	struct web_auth auth;

	(void)state;
	snprintf(settings.users[0].name, WEB_USER_LEN, "scraper");
	snprintf(settings.users[0].hash, WEB_HASH_LEN, "%s",
		 crypt_r("prometheus", "$2y$04$abcdefghijklmnopqrstuu", &data));
	assert_int_equal(web_auth_init(&auth, &settings), 0);
	assert_int_equal(web_auth_check(&auth, NULL, NULL, 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "scraper", "wrong", 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "nobody", "prometheus", 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", 1), WEB_AUTH_OK);
	assert_int_equal(web_auth_check(&auth, "", "", 1), WEB_AUTH_REFUSED);
	/* Guesses run out; who was right before is not kept out by them. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(web_auth_check(&auth, "scraper", "guess", 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "scraper", "guess", 1), WEB_AUTH_TOO_MANY);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", 1), WEB_AUTH_OK);
	assert_int_equal(web_auth_check(&auth, "scraper", "guess", 1 + NSEC_PER_SEC), WEB_AUTH_REFUSED);
	settings.nr_users = 0;
	assert_int_equal(web_auth_check(&auth, NULL, NULL, 1), WEB_AUTH_OK);
}

static void an_address_says_who_can_reach_it(void **state)
{
	static const char *const bad[] = { "", "10911", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "::1:80",
					   "[::1:80", "host.example:80", "127.0.0.1:65536", "[::1]x:80",
					   "127.0.0.1:-1", "127.0.0.1:80:" };
	static const struct {
		const char *address;
		bool is_local;
	} good[] = { { "127.0.0.1:0", true },	{ "localhost:0", true }, { "127.9.9.9:0", true },
		     { "0.0.0.0:0", false },	{ "[::1]:0", true },	 { "[::]:0", false },
		     { ":0", false },		{ "[::ffff:127.0.0.1]:0", true } };
	bool is_local;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(web_listen(bad[i], &is_local), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int fd = web_listen(good[i].address, &is_local);

		if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
			continue; /* a host without IPv6 */
		assert_true(fd >= 0);
		assert_int_equal(is_local, good[i].is_local);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accept_decides_the_format),
		cmocka_unit_test(gzip_is_sent_to_who_takes_it),
		cmocka_unit_test(gzip_packs_what_zlib_unpacks),
		cmocka_unit_test(the_keyed_hash_is_siphash),
		cmocka_unit_test(who_knows_the_password_gets_in),
		cmocka_unit_test(an_address_says_who_can_reach_it),
	};

	return cmocka_run_group_tests_name("serve/web", tests, NULL, NULL);
}
