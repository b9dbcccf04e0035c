/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Netlink: a dump and what its messages carry. */
#ifndef NETLINK_H
#define NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_ALIGNED(bytes) (((bytes) + 3) & ~(size_t)3)

/* A socket of the network namespace of this thread. Its descriptor, or a negative errno. */
int netlink_open(int protocol);

/* What follows a message's header. Anything but 0 ends the dump. */
typedef int (*netlink_message_fn)(void *ctx, const void *message, size_t bytes);
/* Asks for all there is and hands out each. 0, a negative errno, or what the function said. */
int netlink_dump(int fd, uint16_t type, const void *request, size_t bytes,
		 netlink_message_fn on_message, void *ctx);

struct netlink_attribute {
	uint16_t type;
	size_t bytes;
	const void *data;
};

/* The attribute at *at of a message; *at becomes the next one's. False: there is none. */
bool netlink_attribute(const void *message, size_t bytes, size_t *at,
		       struct netlink_attribute *out);

#endif
