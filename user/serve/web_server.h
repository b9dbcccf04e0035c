/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state of the web process, shared by the files that are it: loop, questions, routes. */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include <stddef.h>

#include "web_auth.h"
#include "web_connections.h"
#include "web_library.h"

#define WEB_ANSWER_MS 2000 /* how long the daemon may take */

struct web_server {
	int socket_fd, listen_fd;
	struct MHD_Daemon *daemon;
	struct web_settings settings;
	struct web_auth auth;
	struct web_connections connections;
	uint64_t next_seq;
	double tokens; /* questions that may be asked now */
	uint64_t tokens_ns;
	bool is_daemon_gone;
};

/* What the daemon answered. */
struct web_body {
	int status; /* HTTP's; 0: it did not answer in time */
	char *data; /* to be freed */
	size_t bytes;
};

uint64_t web_now_ns(void);
/* Asks the daemon, for gzip if is_packed, and waits, at most WEB_ANSWER_MS. */
void web_ask(struct web_server *server, enum web_what what, bool is_packed, struct web_body *body);
/* Takes what the daemon sent without being asked: settings. 0, or a negative errno if it is gone.
 */
int web_take_settings(struct web_server *server);
/* (Re)starts HTTP with the settings there are. 0 or a negative errno; why says it in words. */
int web_restart(struct web_server *server, char *why, size_t why_bytes);

/* MHD's: one request. context is the struct web_server. */
enum MHD_Result web_route(void *context, struct MHD_Connection *connection, const char *url,
			  const char *method, const char *version, const char *upload_data,
			  size_t *upload_data_size, void **state);

#endif
