/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A bcrypt hash is made to be slow.  A pair that was right is therefore remembered, as a keyed hash
 * (SipHash-2-4, its key made at the start and never told): who scrapes with the right password is
 * never kept waiting by who guesses.  Guesses are rationed by address; and overall, since each
 * takes time from all: there, who was wrong lately has a ration apart, so that guessers take
 * nothing from who comes for the first time.
 */
#include "web_auth.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util.h"

/* Of one address, and of all that were wrong lately, or were not. */
#define CLIENT_PER_SECOND 1.0
#define CLIENT_AT_ONCE	  5.0
#define ALL_PER_SECOND	  4.0
#define ALL_AT_ONCE	  8.0
#define LATELY_NS	  (600 * NSEC_PER_SEC)

/* Compared with when the name is nobody's, so that the time taken does not tell names. */
static const char nobody_hash[] = "$2y$10$QOauhQNbBCuQDKes6eFzPeyR5HyZ4iAN.tXQxVDwlMTKIYdPI712y";

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
static uint64_t siphash(const uint64_t key[2], const uint8_t *data, size_t bytes)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	uint64_t word = (uint64_t)bytes << 56;

	for (; bytes >= 8; data += 8, bytes -= 8) {
		uint64_t whole;

		memcpy(&whole, data, sizeof(whole));
		v[3] ^= whole;
		sip_round(v);
		sip_round(v);
		v[0] ^= whole;
	}
	for (size_t i = 0; i < bytes; i++)
		word |= (uint64_t)data[i] << (8 * i);
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Of name, NUL and password (or hash); 0: too long. */
static uint64_t digest(const struct web_auth *auth, const char *name, const char *password)
{
	uint8_t pair[1024];
	size_t name_bytes = strlen(name) + 1, bytes = name_bytes + strlen(password);

	if (bytes > sizeof(pair))
		return 0;
	memcpy(pair, name, name_bytes);
	memcpy(pair + name_bytes, password, bytes - name_bytes);
	return siphash(auth->key, pair, bytes) | 1;
}

static bool is_hash_of_user(const struct web_auth *auth, uint64_t hash)
{
	const struct web_settings *settings = auth->settings;

	for (uint32_t i = 0; hash && i < settings->nr_users; i++)
		if (digest(auth, settings->users[i].name, settings->users[i].hash) == hash)
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
		if (!is_hash_of_user(auth, auth->remembered[i].hash))
			auth->remembered[i] = (struct web_remembered){};
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

enum web_auth_result web_auth_check(struct web_auth *auth, const char *name, const char *password,
				    const struct web_address *from, uint64_t now_ns)
{
	struct web_client_ration *client;
	const char *hash;
	uint64_t pair;

	if (!auth->settings->nr_users)
		return WEB_AUTH_OK;
	pair = name && password ? digest(auth, name, password) : 0;
	if (!pair)
		return WEB_AUTH_REFUSED;
	for (unsigned i = 0; i < WEB_AUTH_REMEMBERED; i++)
		if (auth->remembered[i].pair == pair)
			return WEB_AUTH_OK;
	client = client_of(auth, from);
	if (!may_guess(auth, client, now_ns))
		return WEB_AUTH_TOO_MANY;
	if (!is_right(auth, name, password, &hash)) {
		client->failed_ns = now_ns;
		return WEB_AUTH_REFUSED;
	}
	auth->remembered[auth->next++ % WEB_AUTH_REMEMBERED] =
		(struct web_remembered){ pair, digest(auth, name, hash) };
	return WEB_AUTH_OK;
}
