/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the web process makes of headers, passwords and addresses. */
#include "web_auth.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>
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
	static Bytef packed[2 * sizeof(data)];
	int fd = memfd_create("packed", MFD_CLOEXEC);
	FILE *out = web_gzip_open(fd);
	ssize_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * i * i * 2654435761u >> 17); /* does not get small */
	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, 10, out), 10);
	assert_int_equal(fwrite(data + 10, 1, sizeof(data) - 10, out), sizeof(data) - 10);
	assert_int_equal(fclose(out), 0);
	bytes = pread(fd, packed, sizeof(packed), 0);
	assert_in_range(bytes, 1, sizeof(packed) - 1);
	close(fd);
	stream.next_in = packed;
	stream.avail_in = (uInt)bytes;
	stream.next_out = (Bytef *)back;
	stream.avail_out = sizeof(back);
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, sizeof(data));
	assert_memory_equal(data, back, sizeof(data));
	inflateEnd(&stream);
}

static void what_cannot_be_packed_whole_is_an_error(void **state)
{
	int fd = memfd_create("packed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FILE *out = web_gzip_open(fd);

	(void)state;
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(fputs("it has no room", out), 1);
	assert_int_equal(fclose(out), EOF);
	close(fd);
}

static struct web_address address(uint8_t last)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct web_address out;

	memcpy(&from.sin_addr, (uint8_t[]){ 192, 0, 2, last }, 4);
	web_address_of((struct sockaddr *)&from, &out);
	return out;
}

static void add_user(struct web_settings *settings, const char *name, const char *password)
{
	struct web_user *user = &settings->users[settings->nr_users++];
	struct crypt_data data = {};

	snprintf(user->name, WEB_USER_LEN, "%s", name);
	snprintf(user->hash, WEB_HASH_LEN, "%s",
		 crypt_r(password, "$2y$04$abcdefghijklmnopqrstuu", &data));
}

/* Another wrong password each time. */
static enum web_auth_result guess(struct web_auth *auth, const struct web_address *from, uint64_t now_ns)
{
	static unsigned number;
	char password[16];

	snprintf(password, sizeof(password), "guess %u", number++);
	return web_auth_check(auth, "scraper", password, from, now_ns);
}

static void know_only(struct web_auth *auth, struct web_settings *settings, const char *password)
{
	settings->nr_users = 0;
	add_user(settings, "scraper", password);
	assert_int_equal(web_auth_init(auth, settings), 0);
}

static void who_knows_the_password_gets_in(void **state)
{
	static struct web_settings settings;
	struct web_address from = address(1);
	struct web_auth auth = {};

	(void)state;
	know_only(&auth, &settings, "prometheus");
	assert_int_equal(web_auth_check(&auth, NULL, NULL, &from, 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "scraper", "wrong", &from, 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "nobody", "prometheus", &from, 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_OK);
	assert_int_equal(web_auth_check(&auth, "", "", &from, 1), WEB_AUTH_REFUSED);
	assert_int_equal(guess(&auth, &from, 1), WEB_AUTH_REFUSED);
	/* Guesses run out; who was right before is not kept out by them. */
	assert_int_equal(guess(&auth, &from, 1), WEB_AUTH_TOO_MANY);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_OK);
	assert_int_equal(guess(&auth, &from, 1 + NSEC_PER_SEC), WEB_AUTH_REFUSED);
	settings.nr_users = 0;
	assert_int_equal(web_auth_check(&auth, NULL, NULL, &from, 1), WEB_AUTH_OK);
}

static void who_guesses_takes_nothing_from_others(void **state)
{
	static struct web_settings settings;
	struct web_auth auth = {};
	uint64_t now_ns = 1;
	unsigned nr_checked = 0;

	(void)state;
	know_only(&auth, &settings, "prometheus");
	/* Seven hosts guess a thousand times a second each, for ten seconds: of them 4 a second are checked. */
	for (unsigned i = 0; i < 70000; i++, now_ns += 10 * NSEC_PER_SEC / 70000) {
		struct web_address from = address((uint8_t)(1 + i % 7));

		nr_checked += guess(&auth, &from, now_ns) == WEB_AUTH_REFUSED;
	}
	assert_in_range(nr_checked, 40, 60);
	/* One that was never here is served, at once, and from then on. */
	for (unsigned i = 0; i < 100; i++) {
		struct web_address guesser = address(1), from = address(100);

		guess(&auth, &guesser, now_ns);
		assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, now_ns), WEB_AUTH_OK);
	}
	/* So is who types it wrong once. */
	for (unsigned i = 0; i < 2; i++) {
		struct web_address from = address(200);

		assert_int_equal(web_auth_check(&auth, "scraper", i ? "prometheus" : "promteheus", &from,
						now_ns + i * NSEC_PER_SEC),
				 i ? WEB_AUTH_OK : WEB_AUTH_REFUSED);
	}
}

static void who_was_right_is_remembered_as_long_as_that_holds(void **state)
{
	static struct web_settings settings, next;
	struct web_address from = address(1);
	struct web_auth auth = {};

	(void)state;
	add_user(&settings, "scraper", "prometheus");
	add_user(&settings, "other", "prometheus");
	assert_string_equal(settings.users[0].hash, settings.users[1].hash); /* one salt here */
	assert_int_equal(web_auth_init(&auth, &settings), 0);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_OK);
	assert_int_equal(web_auth_check(&auth, "other", "prometheus", &from, 1), WEB_AUTH_OK);
	for (int i = 0; i < 3; i++) /* the ration is spent */
		assert_int_equal(guess(&auth, &from, 1), WEB_AUTH_REFUSED);
	assert_int_equal(guess(&auth, &from, 1), WEB_AUTH_TOO_MANY);
	/* A reload: one user is as he was, the other is gone, though his hash is not. */
	next = settings;
	next.nr_users = 1;
	settings = next;
	assert_int_equal(web_auth_init(&auth, &settings), 0);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_OK);
	assert_int_equal(web_auth_check(&auth, "other", "prometheus", &from, 1), WEB_AUTH_TOO_MANY);
	/* Another password, and back. */
	know_only(&auth, &settings, "new");
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_TOO_MANY);
	assert_int_equal(web_auth_check(&auth, "scraper", "new", &from, 1 + NSEC_PER_SEC), WEB_AUTH_OK);
}

static void a_wrong_password_is_checked_once(void **state)
{
	static struct web_settings settings;
	struct web_address from = address(1);
	struct web_auth auth = {};

	(void)state;
	know_only(&auth, &settings, "prometheus");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(web_auth_check(&auth, "scraper", "yesterday", &from, 1), WEB_AUTH_REFUSED);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_OK);
	/* It is the password again, and the other one is not. */
	know_only(&auth, &settings, "yesterday");
	assert_int_equal(web_auth_check(&auth, "scraper", "yesterday", &from, 1), WEB_AUTH_OK);
	assert_int_equal(web_auth_check(&auth, "scraper", "prometheus", &from, 1), WEB_AUTH_REFUSED);
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

static int load_library(void **state)
{
	char why[256];

	(void)state;
	return web_library_load(why, sizeof(why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accept_decides_the_format),
		cmocka_unit_test(gzip_is_sent_to_who_takes_it),
		cmocka_unit_test(gzip_packs_what_zlib_unpacks),
		cmocka_unit_test(what_cannot_be_packed_whole_is_an_error),
		cmocka_unit_test(who_knows_the_password_gets_in),
		cmocka_unit_test(who_guesses_takes_nothing_from_others),
		cmocka_unit_test(who_was_right_is_remembered_as_long_as_that_holds),
		cmocka_unit_test(a_wrong_password_is_checked_once),
		cmocka_unit_test(an_address_says_who_can_reach_it),
	};

	return cmocka_run_group_tests_name("serve/web", tests, load_library, NULL);
}
