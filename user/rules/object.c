/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* An object record in, one string out.  Lengths in the record are not trusted. */
#include "object.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"

#define RDEV_MAJOR(rdev) ((rdev) >> 20)
#define RDEV_MINOR(rdev) ((rdev)&0xfffff)

static size_t name_bytes(const struct ev_object *object)
{
	return min((size_t)object->name_len, sizeof(object->name));
}

/* Puts len bytes before the end of a buffer that fills from its back; false: no room. */
static bool prepend(char *buf, size_t *at, const char *bytes, size_t len)
{
	if (len > *at)
		return false;
	*at -= len;
	memcpy(buf + *at, bytes, len);
	return true;
}

/* Components come innermost first, each ended by NUL: the path is built from its end. */
static void format_path(const struct ev_object *object, char *out, size_t size)
{
	size_t len = name_bytes(object), pos = 0, at;
	char path[2 * EV_PATH_LEN + 8];
	bool is_cut = object->flags & OBJECT_NAME_CUT;

	at = sizeof(path) - 1;
	path[at] = '\0';
	while (pos < len) {
		size_t part = strnlen(object->name + pos, len - pos);
		/* The root's own component is "/" or empty. */
		bool is_root = !part || (part == 1 && object->name[pos] == '/');

		if (!is_root && (!prepend(path, &at, object->name + pos, part) ||
				 !prepend(path, &at, "/", 1))) {
			is_cut = true;
			break;
		}
		pos += part + 1;
	}
	if (!path[at])
		prepend(path, &at, "/", 1);
	snprintf(out, size, "%s%s", is_cut ? "..." : "", path + at);
}

/* As ss says it: "@" for each NUL, the first one too. */
static void format_abstract(const char *name, size_t len, char *out, size_t size)
{
	size_t at = 0;

	for (; at < len && at + 1 < size; at++)
		out[at] = name[at] ? name[at] : '@';
	out[at] = '\0';
}

static void format_unix(const struct ev_object *object, char *out, size_t size)
{
	size_t len = name_bytes(object);

	if (!len || (len == 1 && !object->name[0]))
		snprintf(out, size, "unix:[%llu]", (unsigned long long)object->inode);
	else if (!object->name[0]) /* an abstract address: any bytes, not ended by NUL */
		format_abstract(object->name, len, out, size);
	else
		snprintf(out, size, "%.*s", (int)len, object->name);
}

static void format_socket(const struct ev_object *object, char *out, size_t size)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zero[16];
	bool has_peer = object->port || memcmp(object->addr, zero, sizeof(zero)) != 0;
	char addr[INET6_ADDRSTRLEN];

	if (object->family == AF_UNIX) {
		format_unix(object, out, size);
	} else if (object->family == AF_INET && has_peer) {
		inet_ntop(AF_INET, object->addr, addr, sizeof(addr));
		snprintf(out, size, "%s:%u", addr, object->port);
	} else if (object->family == AF_INET6 && has_peer) {
		if (!memcmp(object->addr, mapped, sizeof(mapped))) {
			inet_ntop(AF_INET, object->addr + 12, addr, sizeof(addr));
			snprintf(out, size, "%s:%u", addr, object->port);
			return;
		}
		inet_ntop(AF_INET6, object->addr, addr, sizeof(addr));
		snprintf(out, size, "[%s]:%u", addr, object->port);
	} else if (object->family == AF_NETLINK) {
		snprintf(out, size, "netlink:[%llu]", (unsigned long long)object->inode);
	} else {
		snprintf(out, size, "socket:[%llu]", (unsigned long long)object->inode);
	}
}

void object_format(const struct ev_object *object, char *out, size_t size)
{
	size_t len = name_bytes(object);

	out[0] = '\0';
	switch (object->kind) {
	case OBJECT_FILE:
	case OBJECT_DIR:
		if (object->flags & OBJECT_AS_GIVEN)
			snprintf(out, size, "%.*s", (int)strnlen(object->name, len), object->name);
		else if (len)
			format_path(object, out, size);
		else
			snprintf(out, size, "inode:[%llu]", (unsigned long long)object->inode);
		break;
	case OBJECT_PIPE:
		snprintf(out, size, "pipe:[%llu]", (unsigned long long)object->inode);
		break;
	case OBJECT_SOCKET: format_socket(object, out, size); break;
	case OBJECT_CHAR:
	case OBJECT_BLOCK:
		if (len)
			format_path(object, out, size);
		else
			snprintf(out, size, "%s:[%u:%u]",
				 object->kind == OBJECT_CHAR ? "char" : "block",
				 RDEV_MAJOR(object->rdev), RDEV_MINOR(object->rdev));
		break;
	case OBJECT_ANON: snprintf(out, size, "%.*s", (int)len, object->name); break;
	default: /* OBJECT_NONE, or a kind that this build does not know */ break;
	}
}

bool object_is_terminal(const struct ev_object *object)
{
	unsigned int major_nr = RDEV_MAJOR(object->rdev);

	/* devices.txt: 4 tty and serial, 5 /dev/tty and console, 136-143 the pseudo terminals. */
	return object->kind == OBJECT_CHAR &&
	       (major_nr == 4 || major_nr == 5 || (major_nr >= 136 && major_nr <= 143));
}
