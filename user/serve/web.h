/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the daemon and its web process say to each other, over a SOCK_SEQPACKET pair.
 *
 * The web process has no capability and no file of the host: it speaks HTTP and asks the daemon for
 * what it shows.  An answer is a sealed memfd, so the daemon never waits for a client, nor for the
 * web process; what is asked is a word out of a list, so a web process that was taken over can ask
 * for nothing that it could not show anyway.
 */
#ifndef WEB_H
#define WEB_H

#include <stdint.h>

enum web_what {
	WEB_METRICS = 0, /* text format 0.0.4 */
	WEB_METRICS_OPENMETRICS = 1,
	WEB_BREACHES = 2, /* JSON */
	WEB_LOOPS = 3,	  /* JSON */
	WEB_HEALTHY = 4,  /* a sentence; status says whether */
	WEB_READY = 5,	  /* likewise */
	WEB_LANDING = 6,  /* what the page at / shows of the daemon: a line each, plain text */
	WEB_WHAT_MAX
};

/* Both ways; a settings message has a descriptor, an answer has one if it has a body. */
enum web_kind {
	WEB_ASK = 1,	  /* web process: wants `what` */
	WEB_ANSWER = 2,	  /* daemon: here it is */
	WEB_SETTINGS = 3, /* daemon: struct web_settings, in a memfd; answered with WEB_APPLIED */
	WEB_APPLIED = 4,  /* web process: status is 0, or a negative errno and `reason` says why */
};

struct web_message {
	uint32_t kind;	/* enum web_kind */
	uint32_t what;	/* enum web_what */
	uint64_t seq;	/* of the question that it answers */
	int32_t status; /* of an answer: HTTP's */
	uint32_t bytes; /* of the descriptor's content */
	uint32_t is_packed; /* of a question: the answer is wanted as gzip */
	char reason[108];
};
_Static_assert(sizeof(struct web_message) == 136, "one packet");

#define WEB_BODY_MAX  (64u << 20)
#define WEB_USERS_MAX 64
#define WEB_USER_LEN  128
#define WEB_HASH_LEN  128
#define WEB_PEM_MAX   (64u << 10)

struct web_user {
	char name[WEB_USER_LEN];
	char hash[WEB_HASH_LEN]; /* bcrypt, as crypt(5) has it */
};

/* All that the web process is told. Text ends with NUL. */
struct web_settings {
	uint32_t nr_users; /* 0: nobody is asked who he is */
	uint32_t has_tls;
	uint32_t min_tls_1_3;
	uint32_t max_connections, max_requests_per_second;
	struct web_user users[WEB_USERS_MAX];
	char cert[WEB_PEM_MAX], key[WEB_PEM_MAX];
};

/* The web process: `loophound` with its hidden command calls this and exits with its result. */
int web_main(int socket_fd, int listen_fd);

#endif
