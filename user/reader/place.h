/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which container, pod and systemd unit a process is in, from the names of its cgroups.  Whoever may make
 * cgroups chooses them: they are a hint for people, never a permission.  Pure over a buffer.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "events.h"

struct place {
	char container[72]; /* id of 64 digits, or the name that LXC or nspawn has; empty: none */
	char pod[EV_POD_LEN];
	char unit[EV_UNIT_LEN]; /* the innermost, as systemctl has it: what is escaped stays so */
	uint32_t manager_uid;	/* unit is of this user's own systemd; EV_NO_UID: of the system's */
	uint8_t kind;		/* enum container_kind */
};

/* Of the text of /proc/PID/cgroup; version 1, version 2 and both at once. Everything of *place is set. */
void place_parse(const char *text, size_t bytes, struct place *place);

#endif
