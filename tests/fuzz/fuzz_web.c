/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The parts of the HTTP surface that are ours and not libmicrohttpd's: lists of headers with their
 * q values, names and passwords, the address to listen on and the one a client comes from.  The input is an
 * Accept, an Accept-Encoding, a name and a password, each ended with a newline.  fuzz_http.c has all of it at
 * once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "web_auth.h"
#include "web_client.h"
#include "web_encoding.h"
#include "web_library.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line as a text of its own, so that a byte too far is seen; NULL: there is none. */
static char *next_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t bytes = end ? (size_t)(end - *data) : *size;
	char *line = *size ? strndup((const char *)*data, bytes) : NULL;

	*data += bytes + (end != NULL);
	*size -= bytes + (end != NULL);
	return line;
}

/* crypt(5) takes 70 ms by design: guesses are rationed to none, so that lines are read, not hashed.
 */
static void guess(const char *name, const char *password, const struct web_address *from)
{
	static struct web_settings settings = { .nr_users = 1, .users = { { "scraper", "*" } } };
	static struct web_auth auth;

	assert(!web_auth_init(&auth, &settings));
	auth.others = (struct web_ration){ .filled_ns = 2 };
	assert(web_auth_check(&auth, name, password, from, 2) != WEB_AUTH_OK);
}

/* Whatever a peer's address is, it is one address. */
static void come_from(const char *bytes, struct web_address *out)
{
	struct sockaddr_storage from = {};
	struct web_address again;

	memcpy(&from, bytes, strnlen(bytes, sizeof(from)));
	web_address_of((struct sockaddr *)&from, out);
	web_address_of((struct sockaddr *)&from, &again);
	assert(web_address_equal(out, &again));
}

static void listen_on(const char *address)
{
	bool is_local;
	int fd = web_listen(address, &is_local);

	if (fd >= 0)
		close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char why[256];

	(void)argc, (void)argv;
	assert(!web_library_load(why, sizeof(why)));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *accept = next_line(&data, &size), *encoding = next_line(&data, &size);
	char *name = next_line(&data, &size), *password = next_line(&data, &size);
	struct web_address from = {};

	web_accepts_openmetrics(accept);
	web_accepts_gzip(encoding);
	if (encoding && !strcmp(encoding, "gzip"))
		assert(web_accepts_gzip(encoding));
	if (password)
		come_from(password, &from);
	guess(name, password, &from);
	/* Only what cannot be bound: a fuzzer opens no ports. */
	if (accept && !strchr(accept, ':'))
		listen_on(accept);
	free(accept);
	free(encoding);
	free(name);
	free(password);
	return 0;
}
