/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"

#define BUFFER_BYTES  32768
#define REQUEST_BYTES 64

int netlink_open(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -errno : fd;
}

static int send_request(int fd, uint16_t type, const void *request, size_t bytes)
{
	char message[sizeof(struct nlmsghdr) + REQUEST_BYTES] = { 0 };
	struct nlmsghdr header = { .nlmsg_len = (uint32_t)(sizeof(header) + bytes),
				   .nlmsg_type = type,
				   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP };
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (bytes > REQUEST_BYTES)
		return -EINVAL;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), request, bytes);
	return sendto(fd, message, sizeof(header) + bytes, 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0
		       ? -errno
		       : 0;
}

/* The messages of one datagram. 1: the dump is over. */
static int take_messages(const char *buffer, size_t bytes, netlink_message_fn on_message, void *ctx)
{
	struct nlmsghdr header;
	int err = 0, said;

	while (!err && bytes >= sizeof(header)) {
		memcpy(&header, buffer, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes)
			return -EPROTO;
		if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
			said = 0;
			if (header.nlmsg_len >= sizeof(header) + sizeof(said))
				memcpy(&said, buffer + sizeof(header), sizeof(said));
			return said < 0 ? said : 1;
		}
		err = on_message(ctx, buffer + sizeof(header), header.nlmsg_len - sizeof(header));
		bytes -= min(NETLINK_ALIGNED(header.nlmsg_len), bytes);
		buffer += NETLINK_ALIGNED(header.nlmsg_len);
	}
	return err;
}

int netlink_dump(int fd, uint16_t type, const void *request, size_t bytes,
		 netlink_message_fn on_message, void *ctx)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER_BYTES];
	int err = send_request(fd, type, request, bytes);

	while (!err) {
		struct sockaddr_nl from = { 0 };
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(fd, buffer, sizeof(buffer), MSG_TRUNC,
				       (struct sockaddr *)&from, &size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EPROTO;
		if ((size_t)got > sizeof(buffer))
			return -EMSGSIZE;
		if (!from.nl_pid) /* the kernel's */
			err = take_messages(buffer, (size_t)got, on_message, ctx);
	}
	return err == 1 ? 0 : err;
}

bool netlink_attribute(const void *message, size_t bytes, size_t *at, struct netlink_attribute *out)
{
	struct nlattr header;

	if (*at + sizeof(header) > bytes)
		return false;
	memcpy(&header, (const char *)message + *at, sizeof(header));
	if (header.nla_len < sizeof(header) || header.nla_len > bytes - *at)
		return false;
	out->type = header.nla_type & NLA_TYPE_MASK;
	out->bytes = header.nla_len - sizeof(header);
	out->data = (const char *)message + *at + sizeof(header);
	*at += NETLINK_ALIGNED(header.nla_len);
	return true;
}
