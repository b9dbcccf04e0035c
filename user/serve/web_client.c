/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Answers are rendered into memfds: sending one never blocks, however slow who wanted it is. */
#include "web_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "child.h"
#include "log.h"
#include "util.h"
#include "web_encoding.h"

#define QUESTIONS_AT_ONCE 16 /* of one call: the daemon has other work */
#define BACKOFF_FIRST_NS  (100 * NSEC_PER_MSEC)
#define BACKOFF_LAST_NS	  (10 * NSEC_PER_SEC)
#define HEALTHY_NS	  (10 * NSEC_PER_SEC) /* after which the back-off starts anew */
#define FREE_TIMEOUT_MS	  200

struct web_client {
	web_render_fn render;
	void *ctx;
	int listen_fd;
	int epoll_fd;  /* web_client_fd() */
	int socket_fd; /* -1: no process */
	pid_t pid;
	uint64_t started_ns, backoff_ns, restart_at_ns;
	struct web_settings settings;
	struct web_settings good; /* the last that HTTP started with */
	bool has_good, is_unsent; /* of settings: they wait for room in the socket */
	uint64_t settings_seq;
	int applied;
	char reason[sizeof(((struct web_message *)0)->reason)];
	struct web_client_stats stats;
};

/* Sends a message with the content of a file that was just written. */
static int send_with(struct web_client *client, struct web_message *message, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec part = { message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
	}
	return sendmsg(client->socket_fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int seal(int fd)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

	return fcntl(fd, F_ADD_SEALS, seals) ? -errno : 0;
}

static int send_settings(struct web_client *client)
{
	struct web_message message = { .kind = WEB_SETTINGS,
				       .seq = ++client->settings_seq,
				       .bytes = sizeof(client->settings) };
	cleanup_close int fd = memfd_create("loophound-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	client->applied = -EINPROGRESS;
	if (fd < 0)
		return -errno;
	if (write(fd, &client->settings, sizeof(client->settings)) != sizeof(client->settings))
		return -EIO;
	err = seal(fd);
	if (!err)
		err = send_with(client, &message, fd);
	client->is_unsent = err == -EAGAIN;
	return client->is_unsent ? 0 : err;
}

static int start(struct web_client *client, uint64_t now_ns)
{
	struct epoll_event event = { .events = EPOLLIN };
	int err = child_start(CHILD_WEB, client->listen_fd, &client->pid, &client->socket_fd);

	if (err) {
		client->socket_fd = -1;
		return err;
	}
	client->started_ns = now_ns;
	if (epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, client->socket_fd, &event))
		return -errno;
	return send_settings(client);
}

/* It died, or does not speak our language: gone it is. */
static void stop(struct web_client *client, uint64_t now_ns)
{
	int status = SIGKILL;

	/* One that has ended by itself keeps its status. */
	child_kill(client->pid, FREE_TIMEOUT_MS);
	(void)child_reap(client->pid, &status);
	close(client->socket_fd); /* and with that out of the epoll set */
	client->socket_fd = -1;
	client->stats.restarts++;
	if (now_ns - client->started_ns >= HEALTHY_NS)
		client->backoff_ns = 0;
	client->backoff_ns = client->backoff_ns ? min(2 * client->backoff_ns, BACKOFF_LAST_NS)
						: BACKOFF_FIRST_NS;
	client->restart_at_ns = now_ns + client->backoff_ns;
	log_warn("the web process ended, %s %d; a new one in %.1f s",
		 WIFEXITED(status) ? "exit code" : "signal",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		 (double)client->backoff_ns / 1e9);
}

int web_client_start(struct web_client **out, int listen_fd, const struct web_settings *settings,
		     web_render_fn render, void *ctx)
{
	struct web_client *client = calloc(1, sizeof(*client));
	int err;

	if (!client)
		return -ENOMEM;
	client->render = render;
	client->ctx = ctx;
	client->listen_fd = listen_fd;
	client->socket_fd = -1;
	client->settings = *settings;
	client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = client->epoll_fd < 0 ? -errno : start(client, 0);
	if (err) {
		web_client_free(client);
		return err;
	}
	*out = client;
	return 0;
}

void web_client_free(struct web_client *client)
{
	if (!client)
		return;
	if (client->socket_fd >= 0) {
		child_kill(client->pid, FREE_TIMEOUT_MS);
		(void)child_reap(client->pid, NULL);
		close(client->socket_fd);
	}
	closep(&client->epoll_fd);
	explicit_bzero(&client->settings, sizeof(client->settings)); /* a private key */
	explicit_bzero(&client->good, sizeof(client->good));
	free(client);
}

int web_client_fd(const struct web_client *client)
{
	return client->epoll_fd;
}

/* A stream into a file, which stays the caller's; NULL with errno. */
static FILE *open_stream(int file, bool is_packed)
{
	cleanup_close int copy = -1;
	FILE *out;

	if (is_packed)
		return web_gzip_open(file);
	copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
	out = copy < 0 ? NULL : fdopen(copy, "w");
	if (out)
		(void)take_fd(&copy); /* fclose() closes it */
	return out;
}

/*
 * Renders into a memfd. Its HTTP status, with *fd and the length; or a negative errno.  It is packed here
 * and not by who sends it: here the text is in the CPU's cache, and a twentieth of it is to be carried over.
 */
static int render(struct web_client *client, const struct web_message *question, int *fd, uint32_t *bytes)
{
	cleanup_close int file = memfd_create("loophound-answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cleanup_fclose FILE *out = file < 0 ? NULL : open_stream(file, question->is_packed);
	int status, err;
	off_t length;

	if (!out)
		return -errno;
	status = client->render(client->ctx, question->what, out);
	err = ferror(out);
	/* Closed before it is sealed: a file with a writer may not be everywhere. */
	if (fclose(take(out)) || err)
		return -EIO;
	length = lseek(file, 0, SEEK_END);
	if (length < 0 || length > WEB_BODY_MAX)
		return -EFBIG;
	err = seal(file);
	if (err)
		return err;
	*bytes = (uint32_t)length;
	*fd = take_fd(&file);
	return status;
}

static void answer(struct web_client *client, const struct web_message *question)
{
	struct web_message message = { .kind = WEB_ANSWER,
				       .what = question->what,
				       .seq = question->seq };
	cleanup_close int fd = -1;
	int status;

	client->stats.requests[question->what]++;
	status = render(client, question, &fd, &message.bytes);
	message.status = status < 0 ? 500 : status;
	if (status < 0)
		message.bytes = 0;
	/* A socket that is full belongs to a web process that does not read: it times out by
	 * itself. */
	if (send_with(client, &message, fd) || status < 0)
		client->stats.failed++;
}

static void note_applied(struct web_client *client, const struct web_message *message)
{
	if (message->seq != client->settings_seq)
		return;
	if (message->status == -EAGAIN) { /* it was in the middle of a request */
		(void)send_settings(client);
		return;
	}
	client->applied = message->status;
	snprintf(client->reason, sizeof(client->reason), "%.*s", (int)sizeof(message->reason) - 1,
		 message->reason);
	if (!client->applied) {
		client->good = client->settings;
		client->has_good = true;
	} else if (client->has_good) {
		/* Nor will a web process that is started anew meet them. */
		client->settings = client->good;
		log_write(LOG_ERR, "%s; the web configuration stays as it was", client->reason);
	}
}

void web_client_dispatch(struct web_client *client, uint64_t now_ns)
{
	struct web_message message;

	for (int i = 0; i < QUESTIONS_AT_ONCE && client->socket_fd >= 0; i++) {
		ssize_t n = recv(client->socket_fd, &message, sizeof(message),
				 MSG_TRUNC | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != sizeof(message)) {
			stop(client, now_ns);
		} else if (message.kind == WEB_ASK && message.what < WEB_WHAT_MAX) {
			answer(client, &message);
		} else if (message.kind == WEB_APPLIED) {
			note_applied(client, &message);
		} else {
			stop(client, now_ns);
		}
	}
}

void web_client_tick(struct web_client *client, uint64_t now_ns)
{
	if (client->socket_fd >= 0 && client->is_unsent)
		(void)send_settings(client);
	if (client->socket_fd >= 0 || now_ns < client->restart_at_ns)
		return;
	if (start(client, now_ns) && client->socket_fd >= 0)
		stop(client, now_ns);
	else if (client->socket_fd < 0)
		client->restart_at_ns = now_ns + BACKOFF_LAST_NS;
}

int web_client_set(struct web_client *client, const struct web_settings *settings)
{
	client->settings = *settings;
	return client->socket_fd < 0 ? 0 : send_settings(client);
}

int web_client_wait(struct web_client *client, uint64_t now_ns, int timeout_ms, const char **reason)
{
	struct pollfd ready = { .fd = client->epoll_fd, .events = POLLIN };

	*reason = client->reason;
	while (client->applied == -EINPROGRESS && client->socket_fd >= 0) {
		if (poll(&ready, 1, timeout_ms) <= 0)
			return -ETIMEDOUT;
		web_client_dispatch(client, now_ns);
	}
	return client->socket_fd < 0 ? -EPIPE : client->applied;
}

void web_client_get_stats(const struct web_client *client, struct web_client_stats *stats)
{
	*stats = client->stats;
}
