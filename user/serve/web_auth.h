/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who may ask: users and their bcrypt hashes, with a memory of who was right and who was not. */
#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include <stdbool.h>

#include "web.h"
#include "web_address.h"

#define WEB_AUTH_REMEMBERED    16
#define WEB_AUTH_REFUSED_PAIRS 256 /* a minute's guesses and more */
#define WEB_AUTH_CLIENTS       256

/* What may be checked now: each check costs some 70 ms. */
struct web_ration {
	double tokens;
	uint64_t filled_ns; /* 0: it was never used, and is full */
};

/* Of an address; the one that was heard of least recently makes room for a new one. */
struct web_client_ration {
	struct web_address address;
	struct web_ration ration;
	uint64_t failed_ns; /* 0: it was never wrong */
	bool is_used;
};

struct web_digest {
	uint8_t bytes[32]; /* HMAC-SHA-256 */
};

/* A pair that was right, and the user and hash that said so. */
struct web_remembered {
	struct web_digest pair, hash;
	bool is_used;
};

struct web_auth {
	const struct web_settings *settings;
	uint8_t key[32]; /* of this process, random */
	struct web_remembered remembered[WEB_AUTH_REMEMBERED];
	struct web_digest refused[WEB_AUTH_REFUSED_PAIRS]; /* pairs; all 0: none */
	unsigned next, next_refused;
	struct web_client_ration clients[WEB_AUTH_CLIENTS];
	struct web_ration guessers,
		others; /* all of them together: who was wrong lately, who was not */
};

enum web_auth_result { WEB_AUTH_OK, WEB_AUTH_REFUSED, WEB_AUTH_TOO_MANY };

/*
 * Begins, or goes on with other users: what was remembered of those who still have the same
 * password stays. auth is zero at first.  0 or a negative errno: no random numbers.
 */
int web_auth_init(struct web_auth *auth, const struct web_settings *settings);
/* name or password may be NULL. */
enum web_auth_result web_auth_check(struct web_auth *auth, const char *name, const char *password,
				    const struct web_address *from, uint64_t now_ns);

#endif
