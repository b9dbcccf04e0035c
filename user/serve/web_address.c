/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "web_address.h"

#include <netinet/in.h>
#include <string.h>

#define NETWORK_BYTES 8 /* of an IPv6 address: who has one of a /64 has them all */

static void map_v4(const void *address, struct web_address *out)
{
	const uint8_t *bytes = address;

	if (bytes[0] == 127) { /* any user of this host can be any of these */
		out->bytes[15] = 1;
		return;
	}
	out->bytes[10] = out->bytes[11] = 0xff;
	memcpy(out->bytes + 12, bytes, 4);
}

void web_address_of(const struct sockaddr *from, struct web_address *out)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	memset(out, 0, sizeof(*out));
	if (from && from->sa_family == AF_INET) {
		memcpy(&v4, from, sizeof(v4));
		map_v4(&v4.sin_addr, out);
	} else if (from && from->sa_family == AF_INET6) {
		memcpy(&v6, from, sizeof(v6));
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			map_v4(v6.sin6_addr.s6_addr + 12, out);
		else if (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr))
			out->bytes[15] = 1;
		else
			memcpy(out->bytes, v6.sin6_addr.s6_addr, NETWORK_BYTES);
	}
}

bool web_address_equal(const struct web_address *a, const struct web_address *b)
{
	return !memcmp(a, b, sizeof(*a));
}
