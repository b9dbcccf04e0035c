/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The web process (web.h): HTTP by libmicrohttpd, in one thread and one poll set.  Whoever is slow,
 * huge or many loses his own connection: it has a bound in bytes, in time, and in number.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "log.h"
#include "util.h"
#include "web_sandbox.h"
#include "web_server.h"

#define MEMORY_PER_CONNECTION \
	(16 * 1024) /* headers of a request have to fit in, with room for gzip's */
#define IDLE_SECONDS 5
#define TURN_MS	     1000

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		sym_MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = info ? info->connect_fd : -1;
	struct web_server *server = context;

	(void)state;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		web_connections_end(&server->connections, fd);
		return;
	}
	info = sym_MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	web_connections_begin(&server->connections, fd, info ? info->client_addr : NULL,
			      web_now_ns());
}

/* MHD's own time-out starts anew with each byte; these do not. */
static void end_old_connections(struct web_server *server)
{
	uint64_t now_ns = web_now_ns();
	int fd;

	while ((fd = web_connections_expired(&server->connections, now_ns)) >= 0)
		shutdown(fd, SHUT_RDWR);
}

/*
 * Where it is full MHD lets nobody in; who waits is seen at the listening socket.  How long the
 * next turn may wait at most, -1: until something comes; *is_watched: also if somebody does.
 */
static int make_room(struct web_server *server, bool *is_watched)
{
	struct pollfd waiting = { .fd = server->listen_fd, .events = POLLIN };
	uint64_t wait_ns;
	int fd;

	*is_watched = false;
	if (!server->connections.nr)
		return -1;
	if (!server->daemon || !web_connections_is_full(&server->connections))
		return TURN_MS;
	if (poll(&waiting, 1, 0) <= 0) {
		*is_watched = true;
		return TURN_MS;
	}
	fd = web_connections_victim(&server->connections, web_now_ns(), &wait_ns);
	if (fd >= 0) {
		shutdown(fd, SHUT_RDWR);
		return 0;
	}
	return (int)(wait_ns / NSEC_PER_MSEC) + 1;
}

static void on_error(void *context, const char *format, va_list arguments)
{
	char line[256];

	(void)context;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\r\n")] = '\0';
	log_debug("web: %s", line);
}

/* No path of ours needs an escape, so that what has one is none of ours. */
static size_t keep_escaped(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context;
	(void)connection;
	return strlen(text);
}

/* It has a descriptor of its own: MHD closes the one it was given, when it cannot start as well. */
static void stop_http(struct MHD_Daemon *daemon)
{
	MHD_socket listen_fd;

	if (!daemon)
		return;
	/* Or it would shut the socket of all of them down. */
	listen_fd = sym_MHD_quiesce_daemon(daemon);
	sym_MHD_stop_daemon(daemon);
	if (listen_fd >= 0)
		close(listen_fd);
}

int web_restart(struct web_server *server, char *why, size_t why_bytes)
{
	const struct web_settings *settings = &server->settings;
	unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_PEDANTIC_CHECKS;
	struct MHD_OptionItem tls[4] = {};
	struct MHD_Daemon *old = take(server->daemon);
	unsigned nr = 0;
	int err, listen_fd;

	if (settings->has_tls) {
		flags |= MHD_USE_TLS;
		tls[nr++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0,
						     (void *)settings->key };
		tls[nr++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0,
						     (void *)settings->cert };
		tls[nr++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_PRIORITIES, 0,
			settings->min_tls_1_3 ? "NORMAL:-VERS-ALL:+VERS-TLS1.3"
					      : "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
		};
	}
	tls[nr] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	stop_http(old);
	err = web_auth_init(&server->auth, settings);
	listen_fd = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, 0);
	if (!err && listen_fd < 0)
		err = -errno;
	web_connections_init(&server->connections, settings->max_connections);
	if (!err)
		server->daemon = sym_MHD_start_daemon(
			flags, 0, NULL, NULL, web_route, server, MHD_OPTION_EXTERNAL_LOGGER,
			on_error, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
			MHD_OPTION_CONNECTION_LIMIT, server->connections.most,
			MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
			MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
			MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_ARRAY, tls,
			MHD_OPTION_END);
	if (server->daemon)
		return 0;
	if (listen_fd >= 0 && fcntl(listen_fd, F_GETFD) >= 0)
		close(listen_fd);
	snprintf(why, why_bytes, "HTTP cannot start%s",
		 settings->has_tls ? ": are certificate and key right, and a pair?" : "");
	return err ? err : -EINVAL;
}

/* MHD looks at the listening socket again only with the turn after the one in which there was room. */
static void run_http(struct web_server *server)
{
	bool was_full = web_connections_is_full(&server->connections);

	if (!server->daemon)
		return;
	sym_MHD_run(server->daemon);
	if (was_full && !web_connections_is_full(&server->connections))
		sym_MHD_run(server->daemon);
}

static int turn(struct web_server *server)
{
	const union MHD_DaemonInfo *info =
		server->daemon ? sym_MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
			       : NULL;
	MHD_UNSIGNED_LONG_LONG timeout_ms = TURN_MS;
	struct pollfd fds[3] = { { .fd = server->socket_fd, .events = POLLIN },
				 { .fd = info ? info->epoll_fd : -1, .events = POLLIN },
				 { .fd = -1, .events = POLLIN } };
	bool is_watched;
	int err, room_ms = make_room(server, &is_watched);

	if (is_watched)
		fds[2].fd = server->listen_fd;
	if (server->daemon && sym_MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
		room_ms = (int)min(timeout_ms, (MHD_UNSIGNED_LONG_LONG)(room_ms < 0 ? TURN_MS : room_ms));
	if (poll(fds, ARRAY_SIZE(fds), room_ms) < 0 && errno != EINTR)
		return -errno;
	err = web_take_settings(server);
	if (err)
		return err;
	run_http(server);
	end_old_connections(server);
	return server->is_daemon_gone ? -EPIPE : 0;
}

int web_main(int socket_fd, int listen_fd)
{
	cleanup_free struct web_server *server = calloc(1, sizeof(*server));
	char why[256];
	int err;

	if (!server)
		return 1;
	if (web_library_load(why, sizeof(why)))
		return log_err(1, "web: %s", why);
	server->socket_fd = socket_fd;
	server->listen_fd = listen_fd;
	web_connections_init(&server->connections, 0);
	/* Who ends the daemon's group ends the daemon, which ends this. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	err = web_confine();
	if (err)
		return log_err(1, "web: cannot confine itself: %s", strerror(-err));
	do
		err = turn(server);
	while (!err);
	stop_http(server->daemon);
	return err == -EPIPE ? 0 : log_err(1, "web: %s", strerror(-err));
}
