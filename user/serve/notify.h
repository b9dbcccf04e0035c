/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What systemd is told (sd_notify's protocol: a datagram to $NOTIFY_SOCKET).  Without that variable
 * nothing is sent and nothing fails.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;		      /* -1: nobody to tell */
	uint64_t watchdog_ns; /* how often a sign of life is due at least; 0: none is wanted */
	uint64_t next_ns;
	char status[128]; /* said last */
};

/* Takes what the environment says, and out of it, so that no child speaks in our name. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);
void notify_ready(struct notify *notify);
void notify_stopping(struct notify *notify);
/* Around a reload: what comes after the first is not counted as a failure to answer. */
void notify_reloading(struct notify *notify, uint64_t now_ns);
/* One line for `systemctl status`; sent if it is another than before. */
void notify_status(struct notify *notify, const char *status);
/* After a turn that did its work: a sign of life, if one is due. */
void notify_alive(struct notify *notify, uint64_t now_ns);

#endif
