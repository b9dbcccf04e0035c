/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A bcrypt hash is made to be slow.  A pair that was right is therefore remembered, as a keyed hash
 * (HMAC-SHA-256, its key made at the start and never told): who scrapes with the right password is
 * never kept waiting by who guesses.  So is one that was wrong: a scraper whose password is not the
 * one of today asks again and again, and costs one check.  Guesses are rationed by address; and
 * overall, since each takes time from all: there, who was wrong lately has a ration apart, so that
 * guessers take nothing from who comes for the first time.
 */
#include "web_auth.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util.h"
#include "web_library.h"

/* Of one address, and of all that were wrong lately, or were not. */
#define CLIENT_PER_SECOND 1.0
#define CLIENT_AT_ONCE	  5.0
#define ALL_PER_SECOND	  4.0
#define ALL_AT_ONCE	  8.0
#define LATELY_NS	  (600 * NSEC_PER_SEC)

/* Compared with when the name is nobody's, so that the time taken does not tell names. */
static const char nobody_hash[] = "$2y$10$QOauhQNbBCuQDKes6eFzPeyR5HyZ4iAN.tXQxVDwlMTKIYdPI712y";

/* Of name, NUL and password (or hash); false: too long, or no memory. */
static bool digest(const struct web_auth *auth, const char *name, const char *password,
		   struct web_digest *out)
{
	uint8_t pair[1024];
	size_t name_bytes = strlen(name) + 1, bytes = name_bytes + strlen(password);
	int err;

	if (bytes > sizeof(pair))
		return false;
	memcpy(pair, name, name_bytes);
	memcpy(pair + name_bytes, password, bytes - name_bytes);
	err = sym_gnutls_hmac_fast(GNUTLS_MAC_SHA256, auth->key, sizeof(auth->key), pair, bytes,
				   out->bytes);
	explicit_bzero(pair, bytes);
	return !err;
}

static bool is_same(const struct web_digest *a, const struct web_digest *b)
{
	return !memcmp(a, b, sizeof(*a)); /* of keyed hashes the time tells nothing */
}

static bool is_hash_of_user(const struct web_auth *auth, const struct web_digest *hash)
{
	const struct web_settings *settings = auth->settings;
	struct web_digest its;

	for (uint32_t i = 0; i < settings->nr_users; i++)
		if (digest(auth, settings->users[i].name, settings->users[i].hash, &its) &&
		    is_same(&its, hash))
			return true;
	return false;
}

int web_auth_init(struct web_auth *auth, const struct web_settings *settings)
{
	bool is_first = !auth->settings;

	if (is_first && getrandom(auth->key, sizeof(auth->key), 0) != sizeof(auth->key))
		return -EIO;
	auth->settings = settings;
	for (unsigned i = 0; i < WEB_AUTH_REMEMBERED; i++)
		if (auth->remembered[i].is_used && !is_hash_of_user(auth, &auth->remembered[i].hash))
			auth->remembered[i] = (struct web_remembered){};
	memset(auth->refused, 0, sizeof(auth->refused)); /* it may be right from now on */
	return 0;
}

static bool has_some(struct web_ration *ration, double per_second, double most, uint64_t now_ns)
{
	if (ration->filled_ns)
		ration->tokens += (double)(now_ns - ration->filled_ns) / 1e9 * per_second;
	else
		ration->tokens = most;
	ration->filled_ns = now_ns;
	if (ration->tokens > most)
		ration->tokens = most;
	return ration->tokens >= 1;
}

static struct web_client_ration *client_of(struct web_auth *auth, const struct web_address *from)
{
	struct web_client_ration *oldest = &auth->clients[0];

	for (unsigned i = 0; i < WEB_AUTH_CLIENTS; i++) {
		struct web_client_ration *client = &auth->clients[i];

		if (client->is_used && web_address_equal(&client->address, from))
			return client;
		if (client->ration.filled_ns < oldest->ration.filled_ns)
			oldest = client;
	}
	*oldest = (struct web_client_ration){ .address = *from, .is_used = true };
	return oldest;
}

static bool may_guess(struct web_auth *auth, struct web_client_ration *client, uint64_t now_ns)
{
	bool was_wrong = client->failed_ns && now_ns - client->failed_ns < LATELY_NS;
	struct web_ration *all = was_wrong ? &auth->guessers : &auth->others;

	if (!has_some(&client->ration, CLIENT_PER_SECOND, CLIENT_AT_ONCE, now_ns) ||
	    !has_some(all, ALL_PER_SECOND, ALL_AT_ONCE, now_ns))
		return false;
	client->ration.tokens -= 1;
	all->tokens -= 1;
	return true;
}

static bool is_equal(const char *a, const char *b)
{
	size_t bytes = strlen(a);
	unsigned differs = bytes != strlen(b);

	for (size_t i = 0; !differs && i < bytes; i++)
		differs |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return !differs;
}

/* *hash: what it was compared with. */
static bool is_right(const struct web_auth *auth, const char *name, const char *password,
		     const char **hash)
{
	const struct web_settings *settings = auth->settings;
	struct crypt_data data = {};
	bool is_known = false;
	const char *made;

	*hash = nobody_hash;
	for (uint32_t i = 0; i < settings->nr_users && !is_known; i++)
		if (!strcmp(settings->users[i].name, name)) {
			*hash = settings->users[i].hash;
			is_known = true;
		}
	made = crypt_r(password, *hash, &data);
	return made && is_equal(made, *hash) && is_known;
}

/* What came of the pair when it was checked; WEB_AUTH_TOO_MANY: it was not, or that is forgotten. */
static enum web_auth_result recall(const struct web_auth *auth, const struct web_digest *pair)
{
	for (unsigned i = 0; i < WEB_AUTH_REMEMBERED; i++)
		if (auth->remembered[i].is_used && is_same(&auth->remembered[i].pair, pair))
			return WEB_AUTH_OK;
	/* Of no pair that could be found the hash is 0. */
	for (unsigned i = 0; i < WEB_AUTH_REFUSED_PAIRS; i++)
		if (is_same(&auth->refused[i], pair))
			return WEB_AUTH_REFUSED;
	return WEB_AUTH_TOO_MANY;
}

enum web_auth_result web_auth_check(struct web_auth *auth, const char *name, const char *password,
				    const struct web_address *from, uint64_t now_ns)
{
	struct web_remembered right = { .is_used = true };
	struct web_client_ration *client;
	enum web_auth_result before;
	const char *hash;

	if (!auth->settings->nr_users)
		return WEB_AUTH_OK;
	if (!name || !password || !digest(auth, name, password, &right.pair))
		return WEB_AUTH_REFUSED;
	before = recall(auth, &right.pair);
	if (before != WEB_AUTH_TOO_MANY)
		return before;
	client = client_of(auth, from);
	if (!may_guess(auth, client, now_ns))
		return WEB_AUTH_TOO_MANY;
	if (!is_right(auth, name, password, &hash)) {
		client->failed_ns = now_ns;
		auth->refused[auth->next_refused++ % WEB_AUTH_REFUSED_PAIRS] = right.pair;
		return WEB_AUTH_REFUSED;
	}
	if (digest(auth, name, hash, &right.hash))
		auth->remembered[auth->next++ % WEB_AUTH_REMEMBERED] = right;
	return WEB_AUTH_OK;
}
