/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which connections are open, how long, and whose.  Time is short for all: for who does not say
 * what he wants, and for who does not take what he asked for.  Where there is no room for who
 * comes, room is made at the expense of whoever has the most connections: of these the one goes
 * that has taken the longest.  Pure.
 */
#ifndef WEB_CONNECTIONS_H
#define WEB_CONNECTIONS_H

#include "web_address.h"

#define WEB_CONNECTIONS_MAX   256
#define WEB_REQUEST_MAX_NS    5000000000ULL  /* until a request is whole */
#define WEB_CONNECTION_MAX_NS 15000000000ULL /* whatever it does */
/* Where others wait for room. */
#define WEB_REQUEST_GRACE_NS 250000000ULL
#define WEB_ANSWER_GRACE_NS  2000000000ULL

struct web_connection {
	int fd; /* -1: free */
	bool has_asked;
	uint64_t since_ns;
	struct web_address address;
};

struct web_connections {
	struct web_connection rows[WEB_CONNECTIONS_MAX];
	unsigned nr, most;
};

/* most: as many as are let in. */
void web_connections_init(struct web_connections *connections, unsigned most);
void web_connections_begin(struct web_connections *connections, int fd, const struct sockaddr *from,
			   uint64_t now_ns);
void web_connections_end(struct web_connections *connections, int fd);
/* Its request is whole. */
void web_connections_asked(struct web_connections *connections, int fd);
bool web_connections_is_full(const struct web_connections *connections);

/* One whose time is over: to be shut, and to be asked for again until it is -1. */
int web_connections_expired(struct web_connections *connections, uint64_t now_ns);
/*
 * For who waits where it is full: the one to be shut.  -1: none has been there for long enough, and
 * *wait_ns says when one will have been.
 */
int web_connections_victim(struct web_connections *connections, uint64_t now_ns, uint64_t *wait_ns);

#endif
