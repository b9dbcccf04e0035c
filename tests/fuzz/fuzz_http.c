/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The HTTP surface as a client has it: the input is what one sends over a connection, libmicrohttpd and the
 * routes of the web process answer.  The daemon's end is here, and answers whatever it is asked for.  The
 * first byte says whether a password is wanted.
 */
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"
#include "web_server.h"

#define IDLE_TURNS 6 /* after which nothing more comes: it waits for the rest of a request */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct web_server server;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_bytes = sizeof(address.sun_family);
static unsigned nr_asked; /* of the daemon, for the input under way */

/* A body that is long enough to be packed. */
static int body_fd(uint32_t *bytes)
{
	static const char line[] = "loophound_ready 1\n";
	int fd = memfd_create("answer", MFD_CLOEXEC);

	for (*bytes = 0; *bytes < 4096; *bytes += sizeof(line) - 1)
		assert(write(fd, line, sizeof(line) - 1) == sizeof(line) - 1);
	return fd;
}

static void *answer_all(void *context)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	int socket_fd = *(int *)context, fd;
	struct web_message message;
	uint32_t bytes;

	fd = body_fd(&bytes);
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	while (recv(socket_fd, &message, sizeof(message), 0) == sizeof(message)) {
		struct iovec part = { &message, sizeof(message) };
		struct msghdr header = { .msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof(control) };

		assert(message.kind == WEB_ASK && message.what < WEB_WHAT_MAX);
		__atomic_fetch_add(&nr_asked, 1, __ATOMIC_SEQ_CST);
		message.kind = WEB_ANSWER;
		message.status = message.what == WEB_READY ? 503 : 200;
		message.bytes = bytes;
		assert(sendmsg(socket_fd, &header, MSG_NOSIGNAL) == sizeof(message));
	}
	return NULL;
}

static void start(void)
{
	static int pair[2];
	char why[128];
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	assert(!pthread_create(&thread, NULL, answer_all, &pair[1]));
	server.socket_fd = pair[0];
	/* A name of the kernel's choice, in the abstract namespace: no port, no file. */
	server.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert(!bind(server.listen_fd, (struct sockaddr *)&address, address_bytes));
	assert(!listen(server.listen_fd, 8));
	address_bytes = sizeof(address);
	assert(!getsockname(server.listen_fd, (struct sockaddr *)&address, &address_bytes));
	server.settings.max_connections = 8;
	server.settings.max_requests_per_second = UINT32_MAX;
	snprintf(server.settings.users[0].name, WEB_USER_LEN, "scraper");
	snprintf(server.settings.users[0].hash, WEB_HASH_LEN, "*");
	assert(!web_restart(&server, why, sizeof(why)));
}

/* What the client is answered, up to the end of the connection. */
static size_t receive_all(int fd, char *out, size_t most)
{
	size_t bytes = 0;
	char rest[4096];

	for (int idle = 0; idle < IDLE_TURNS; idle++) {
		bool is_rest = bytes == most;
		ssize_t n;

		sym_MHD_run(server.daemon);
		n = recv(fd, is_rest ? rest : out + bytes, is_rest ? sizeof(rest) : most - bytes,
			 MSG_DONTWAIT);
		if (!n)
			break;
		bytes += n > 0 && !is_rest ? (size_t)n : 0;
		idle = n > 0 ? -1 : idle;
	}
	return bytes;
}

static void check(const char *reply, size_t bytes, bool is_asked_for_password)
{
	static const int known[] = { 200, 400, 401, 404, 405, 408, 411, 413, 414, 417,
				     429, 431, 500, 501, 503, 505 };
	bool is_known = false;
	int status = 0;

	if (!bytes)
		return;
	assert(bytes > 12 && !memcmp(reply, "HTTP/1.", 7));
	status = atoi(reply + 9);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		is_known |= known[i] == status;
	assert(is_known);
	assert(status != 200 || nr_asked);
	if (is_asked_for_password)
		assert(status != 200 && !nr_asked);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char why[256];

	(void)argc, (void)argv;
	assert(!web_library_load(why, sizeof(why)));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reply[512];
	bool wants_password;
	size_t bytes;
	int fd;

	if (!server.daemon)
		start();
	if (!size || size > 32768)
		return 0;
	wants_password = data[0] & 1;
	server.settings.nr_users = wants_password;
	/* crypt(5) takes 70 ms by design: nobody may guess. */
	server.auth.others = (struct web_ration){ .filled_ns = web_now_ns() };
	server.auth.guessers = server.auth.others;
	nr_asked = 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(!connect(fd, (struct sockaddr *)&address, address_bytes));
	/* What is too much for the buffer was enough. */
	(void)send(fd, data + 1, size - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	bytes = receive_all(fd, reply, sizeof(reply));
	close(fd);
	sym_MHD_run(server.daemon);
	check(reply, bytes, wants_password);
	return 0;
}
