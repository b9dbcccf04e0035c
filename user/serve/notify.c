/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Forty lines of protocol, in place of a library that brings five others into a privileged process.
 */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util.h"

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	size_t length = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@') /* in the abstract namespace */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return -1;
	return take_fd(&fd);
}

void notify_open(struct notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");
	const char *watched_pid = getenv("WATCHDOG_PID");

	*notify = (struct notify){ .fd = path ? connect_to(path) : -1 };
	/* Twice as often as wanted, as sd_watchdog_enabled(3) says. */
	if (watchdog && (!watched_pid || atoi(watched_pid) == getpid()))
		notify->watchdog_ns = strtoull(watchdog, NULL, 10) * NSEC_PER_USEC / 2;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
	closep(&notify->fd);
	notify->fd = -1;
}

static void say(const struct notify *notify, const char *text)
{
	/* A manager that does not read finds out by its own means. */
	if (notify->fd >= 0)
		(void)send(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_ready(struct notify *notify)
{
	say(notify, "READY=1");
}

void notify_stopping(struct notify *notify)
{
	say(notify, "STOPPING=1");
}

void notify_reloading(struct notify *notify, uint64_t now_ns)
{
	char text[96];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(now_ns / NSEC_PER_USEC));
	say(notify, text);
}

void notify_status(struct notify *notify, const char *status)
{
	char text[sizeof(notify->status) + 8];

	if (notify->fd < 0 || !strcmp(status, notify->status))
		return;
	snprintf(notify->status, sizeof(notify->status), "%s", status);
	snprintf(text, sizeof(text), "STATUS=%s", notify->status);
	say(notify, text);
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
	if (!notify->watchdog_ns || now_ns < notify->next_ns)
		return;
	notify->next_ns = now_ns + notify->watchdog_ns;
	say(notify, "WATCHDOG=1");
}
