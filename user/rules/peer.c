/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Destinations of connections in words: to and from "10.0.0.5:5432", "[::1]:80", "/run/x.sock", "@name". */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "object.h"
#include "rules.h"
#include "util.h"

static bool is_zero(const uint8_t addr[16])
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, sizeof(zero));
}

void rules_format_peer(const struct connection_peer *peer, char *out, size_t size)
{
	struct ev_object object = {
		.kind = OBJECT_SOCKET,
		.family = peer->family,
		.port = peer->port,
		.name_len = (__u16)min((size_t)peer->name_len, sizeof(peer->name)),
	};

	out[0] = '\0';
	if (!peer->family)
		return;
	memcpy(object.addr, peer->addr, sizeof(object.addr));
	memcpy(object.name, peer->name, object.name_len);
	/* Whoever listens on no address in particular takes all. */
	if (peer->family == AF_INET && is_zero(peer->addr))
		snprintf(out, size, "0.0.0.0:%u", peer->port);
	else if (peer->family == AF_INET6 && is_zero(peer->addr))
		snprintf(out, size, "[::]:%u", peer->port);
	else
		object_format(&object, out, size);
}

static bool parse_name(const char *text, struct connection_peer *out)
{
	size_t len = strlen(text);

	if (len < 2 || len > sizeof(out->name))
		return false;
	out->family = AF_UNIX;
	out->name_len = (__u16)len;
	memcpy(out->name, text, len);
	for (size_t i = 0; text[0] == '@' && i < len; i++)
		if (text[i] == '@')
			out->name[i] = '\0';
	return true;
}

static bool parse_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long port;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	port = strtoul(text, &end, 10);
	*out = (uint16_t)port;
	return !errno && !*end && port > 0 && port <= UINT16_MAX;
}

bool rules_parse_peer(const char *text, struct connection_peer *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char addr[64];

	*out = (struct connection_peer){ .kind = CONNECTION_OUT };
	if (text[0] == '/' || text[0] == '@')
		return parse_name(text, out);
	if (!colon || len < 2 || len >= sizeof(addr) || !parse_port(colon + 1, &out->port))
		return false;
	if (text[0] != '[') {
		snprintf(addr, sizeof(addr), "%.*s", (int)len, text);
		out->family = AF_INET;
		return inet_pton(AF_INET, addr, out->addr) == 1;
	}
	if (text[len - 1] != ']')
		return false;
	snprintf(addr, sizeof(addr), "%.*s", (int)len - 2, text + 1);
	out->family = AF_INET6;
	if (inet_pton(AF_INET6, addr, out->addr) != 1)
		return false;
	if (!memcmp(out->addr, mapped, sizeof(mapped))) {
		out->family = AF_INET;
		memmove(out->addr, out->addr + 12, 4);
		memset(out->addr + 4, 0, 12);
	}
	return true;
}
