/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a descriptor is: a part of struct ev_sleep, included by events.h only. */
#ifndef EVOBJECT_H
#define EVOBJECT_H

enum object_kind {
	OBJECT_NONE = 0,
	OBJECT_FILE = 1,   /* name: path components, innermost first, each ended by NUL */
	OBJECT_DIR = 2,	   /* as OBJECT_FILE */
	OBJECT_PIPE = 3,   /* pipe or fifo */
	OBJECT_SOCKET = 4, /* family, protocol, peer address and port; AF_UNIX: name is the path, or NUL and a name */
	OBJECT_CHAR = 5,   /* character device: rdev, name as OBJECT_FILE */
	OBJECT_BLOCK = 6,
	OBJECT_ANON = 7, /* eventfd, epoll, pidfd, ...: name is its kind */
	OBJECT_KIND_MAX
};
#define OBJECT_NONBLOCK	 1u /* flag: O_NONBLOCK is set */
#define OBJECT_NAME_CUT	 2u /* flag: the path is longer than name[] */
#define OBJECT_LISTENING 4u /* flag: a listening socket; the address is its own */
#define OBJECT_AS_GIVEN	 8u /* flag: name is one string, the path that the program passed to the call */

/* What a descriptor is, read in the kernel while the call slept. */
struct ev_object {
	__u8 kind;	/* enum object_kind */
	__u8 flags;	/* OBJECT_* */
	__u16 family;	/* AF_INET, AF_INET6, AF_UNIX, ... */
	__u16 protocol; /* IPPROTO_TCP, IPPROTO_UDP, ... */
	__u16 port;	/* of the peer, host byte order */
	__u8 addr[16];	/* of the peer, network byte order; IPv4 in the first four */
	__u64 inode;
	__u32 rdev; /* character and block devices: (major << 20) | minor */
	__u16 name_len;
	__u16 pad;
	char name[EV_PATH_LEN];
};
_Static_assert(sizeof(struct ev_object) == 296, "stream ABI");

#endif
