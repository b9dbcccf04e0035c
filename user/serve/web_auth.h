/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who may ask: users and their bcrypt hashes, with a memory of who was right. */
#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include <stdbool.h>

#include "web.h"

#define WEB_AUTH_REMEMBERED 16

struct web_auth {
	const struct web_settings *settings;
	uint64_t key[2];			  /* of this process, random */
	uint64_t remembered[WEB_AUTH_REMEMBERED]; /* keyed hashes of pairs that were right; 0: none
						   */
	unsigned next;
	double tokens; /* guesses that may be checked now: each costs some 70 ms */
	uint64_t tokens_ns;
};

enum web_auth_result { WEB_AUTH_OK, WEB_AUTH_REFUSED, WEB_AUTH_TOO_MANY };

/* Forgets all that was remembered. 0 or a negative errno: no random numbers. */
int web_auth_init(struct web_auth *auth, const struct web_settings *settings);
/* name or password may be NULL. */
enum web_auth_result web_auth_check(struct web_auth *auth, const char *name, const char *password,
				    uint64_t now_ns);

#endif
