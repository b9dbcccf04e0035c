/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A bcrypt hash is made to be slow.  A pair that was right is therefore remembered, as a keyed hash
 * (SipHash-2-4, its key made at the start and never told), and guesses are rationed: who scrapes
 * with the right password is never kept waiting by who guesses.
 */
#include "web_auth.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util.h"

#define GUESSES_PER_SECOND 4.0
#define GUESSES_AT_ONCE	   8.0

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

int web_auth_init(struct web_auth *auth, const struct web_settings *settings)
{
	memset(auth, 0, sizeof(*auth));
	auth->settings = settings;
	auth->tokens = GUESSES_AT_ONCE;
	return getrandom(auth->key, sizeof(auth->key), 0) == sizeof(auth->key) ? 0 : -EIO;
}

/* Of name, NUL and password; never 0. */
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

static bool may_guess(struct web_auth *auth, uint64_t now_ns)
{
	if (auth->tokens_ns)
		auth->tokens += (double)(now_ns - auth->tokens_ns) / 1e9 * GUESSES_PER_SECOND;
	auth->tokens_ns = now_ns;
	if (auth->tokens > GUESSES_AT_ONCE)
		auth->tokens = GUESSES_AT_ONCE;
	if (auth->tokens < 1)
		return false;
	auth->tokens -= 1;
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

static bool is_right(const struct web_auth *auth, const char *name, const char *password)
{
	const struct web_settings *settings = auth->settings;
	const char *hash = nobody_hash, *made;
	struct crypt_data data = {};
	bool is_known = false;

	for (uint32_t i = 0; i < settings->nr_users && !is_known; i++)
		if (!strcmp(settings->users[i].name, name)) {
			hash = settings->users[i].hash;
			is_known = true;
		}
	made = crypt_r(password, hash, &data);
	return made && is_equal(made, hash) && is_known;
}

enum web_auth_result web_auth_check(struct web_auth *auth, const char *name, const char *password,
				    uint64_t now_ns)
{
	uint64_t pair;

	if (!auth->settings->nr_users)
		return WEB_AUTH_OK;
	pair = name && password ? digest(auth, name, password) : 0;
	if (!pair)
		return WEB_AUTH_REFUSED;
	for (unsigned i = 0; i < WEB_AUTH_REMEMBERED; i++)
		if (auth->remembered[i] == pair)
			return WEB_AUTH_OK;
	if (!may_guess(auth, now_ns))
		return WEB_AUTH_TOO_MANY;
	if (!is_right(auth, name, password))
		return WEB_AUTH_REFUSED;
	auth->remembered[auth->next++ % WEB_AUTH_REMEMBERED] = pair;
	return WEB_AUTH_OK;
}
