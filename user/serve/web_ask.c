/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The web process's end of its socket: one question at a time, and settings whenever they come. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "util.h"
#include "web_server.h"

uint64_t web_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* A message and the descriptor that came with it, -1: none. 0; -EAGAIN; or -EPIPE: the daemon is
 * gone. */
static int receive(struct web_server *server, struct web_message *message, int *fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	const struct cmsghdr *extra;
	ssize_t n = recvmsg(server->socket_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n != sizeof(*message)) {
		server->is_daemon_gone = true;
		return -EPIPE;
	}
	extra = CMSG_FIRSTHDR(&header);
	if (extra && extra->cmsg_level == SOL_SOCKET && extra->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(extra), sizeof(*fd));
	return 0;
}

/* Reads a memfd whole. */
static int read_all(int fd, void *out, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, (char *)out + done, bytes - done, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* What is in force stays so unless the new ones are read whole, and HTTP starts with them. */
static void apply(struct web_server *server, const struct web_message *message, int fd)
{
	struct web_message applied = { .kind = WEB_APPLIED, .seq = message->seq };
	cleanup_free struct web_settings *old = malloc(sizeof(*old)), *next = malloc(sizeof(*next));
	bool had_settings = server->daemon != NULL;
	char ignored[sizeof(applied.reason)];

	if (!old || !next || message->bytes != sizeof(*next) || read_all(fd, next, sizeof(*next))) {
		applied.status = -EBADMSG;
		snprintf(applied.reason, sizeof(applied.reason), "the settings cannot be read");
	} else {
		*old = server->settings;
		server->settings = *next;
		applied.status = web_restart(server, applied.reason, sizeof(applied.reason));
		if (applied.status && had_settings) {
			server->settings = *old;
			(void)web_restart(server, ignored, sizeof(ignored));
		}
	}
	if (next)
		explicit_bzero(next, sizeof(*next)); /* private keys */
	if (old)
		explicit_bzero(old, sizeof(*old));
	if (send(server->socket_fd, &applied, sizeof(applied), MSG_NOSIGNAL) < 0)
		server->is_daemon_gone = true;
}

int web_take_settings(struct web_server *server)
{
	struct web_message message;

	for (;;) {
		cleanup_close int fd = -1;
		int err = receive(server, &message, &fd);

		if (err)
			return err == -EAGAIN ? 0 : err;
		if (message.kind == WEB_SETTINGS)
			apply(server, &message, fd);
		/* Else an answer that came too late: nobody waits for it any more. */
	}
}

static int keep_body(const struct web_message *message, int fd, struct web_body *body)
{
	if (message->bytes > WEB_BODY_MAX)
		return -EFBIG;
	body->data = malloc(message->bytes + 1);
	if (!body->data)
		return -ENOMEM;
	body->data[message->bytes] = '\0';
	body->bytes = message->bytes;
	return message->bytes ? read_all(fd, body->data, body->bytes) : 0;
}

void web_ask(struct web_server *server, enum web_what what, bool is_packed, struct web_body *body)
{
	struct web_message message = {
		.kind = WEB_ASK, .what = what, .seq = ++server->next_seq, .is_packed = is_packed
	};
	uint64_t end_ns = web_now_ns() + WEB_ANSWER_MS * NSEC_PER_MSEC, now_ns;
	struct pollfd socket = { .fd = server->socket_fd, .events = POLLIN };

	*body = (struct web_body){};
	if (send(server->socket_fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	while ((now_ns = web_now_ns()) < end_ns) {
		cleanup_close int fd = -1;
		int err = receive(server, &message, &fd);

		if (err == -EPIPE)
			return;
		if (err) {
			(void)poll(&socket, 1, (int)((end_ns - now_ns) / NSEC_PER_MSEC) + 1);
			continue;
		}
		/* New settings in the middle of a request restart HTTP under it: they wait. */
		if (message.kind == WEB_SETTINGS) {
			(void)send(server->socket_fd,
				   &(struct web_message){ .kind = WEB_APPLIED,
							  .seq = message.seq,
							  .status = -EAGAIN },
				   sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
			continue;
		}
		if (message.kind != WEB_ANSWER || message.seq != server->next_seq)
			continue;
		if (!keep_body(&message, fd, body)) {
			body->status = message.status;
			return;
		}
		free(take(body->data));
		return;
	}
}
