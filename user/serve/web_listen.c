/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* "host:port" to a listening socket, and whether anybody but this host can reach it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"
#include "web_client.h"

#define BACKLOG 64

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in6 *v6 = (const void *)address;
	const struct sockaddr_in *v4 = (const void *)address;

	if (address->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Splits into copies; an empty host is every address. */
static int split(const char *address, char host[INET6_ADDRSTRLEN + 16], char port[8])
{
	const char *colon = strrchr(address, ':');
	const char *from = address, *end = colon;
	char *rest;
	long number;

	if (!colon || strlen(colon + 1) > 5)
		return -EINVAL;
	number = strtol(colon + 1, &rest, 10);
	if (rest == colon + 1 || *rest || number < 0 || number > 65535)
		return -EINVAL;
	if (*from == '[') {
		from++;
		end = colon - 1;
		if (end < from || *end != ']')
			return -EINVAL;
	} else if (memchr(from, ':', (size_t)(end - from))) {
		return -EINVAL; /* an IPv6 address has to be in brackets */
	}
	if (end - from > INET6_ADDRSTRLEN)
		return -EINVAL;
	snprintf(host, INET6_ADDRSTRLEN + 16, "%.*s", (int)(end - from), from);
	snprintf(port, 8, "%ld", number);
	return 0;
}

int web_listen(const char *address, bool *is_local)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM },
			*found = NULL;
	char host[INET6_ADDRSTRLEN + 16], port[8];
	cleanup_close int fd = -1;
	int err = split(address, host, port), on = 1;

	if (err)
		return err;
	if (!strcmp(host, "localhost"))
		snprintf(host, sizeof(host), "127.0.0.1");
	/* Every address: one socket for both families. */
	if (getaddrinfo(host[0] ? host : "::", port, &hints, &found) || !found)
		return -EINVAL;
	*is_local = is_loopback(found->ai_addr);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
			      bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, BACKLOG)
		      ? -errno
		      : 0;
	freeaddrinfo(found);
	return err ? err : take_fd(&fd);
}
