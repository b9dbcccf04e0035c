/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The daemon's end of the web process: starts it, answers it, replaces it when it dies. Nothing
 * here waits. */
#ifndef WEB_CLIENT_H
#define WEB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "web.h"

struct web_client;

/* Writes what is shown and returns HTTP's status for it. */
typedef int (*web_render_fn)(void *ctx, enum web_what what, FILE *out);

struct web_client_stats {
	uint64_t requests[WEB_WHAT_MAX];
	uint64_t failed;   /* could not be rendered or sent */
	uint64_t restarts; /* of the web process */
};

/*
 * Starts the web process on a listening socket, which stays the caller's.  settings are copied.  0
 * or a negative errno.
 */
int web_client_start(struct web_client **out, int listen_fd, const struct web_settings *settings,
		     web_render_fn render, void *ctx);
void web_client_free(struct web_client *client);

/* Readable when it asks, or when it died; the same through all restarts. */
int web_client_fd(const struct web_client *client);
void web_client_dispatch(struct web_client *client, uint64_t now_ns);
/* With every tick: starts a new one where the old one died. */
void web_client_tick(struct web_client *client, uint64_t now_ns);
/* From now on. Connections that are open end. */
int web_client_set(struct web_client *client, const struct web_settings *settings);
/*
 * At the start: waits for HTTP to begin with the settings.  0; -ETIMEDOUT: nothing said, which will
 * be logged; -EPIPE: the process ended; or what the web process says, and its reason.  Settings
 * that come later and are no good are logged, and those before stay in force.
 */
int web_client_wait(struct web_client *client, uint64_t now_ns, int timeout_ms,
		    const char **reason);
void web_client_get_stats(const struct web_client *client, struct web_client_stats *stats);

/*
 * Opens a listening socket at "host:port", "[v6]:port" or ":port".  host is a numeric address or
 * "localhost".  *is_local: only this host can reach it.  A descriptor, or a negative errno: -EINVAL
 * if the address is none.
 */
int web_listen(const char *address, bool *is_local);

#endif
