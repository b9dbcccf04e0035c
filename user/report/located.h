/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where a process is: its container, pod, systemd unit and user, in words and as JSON. */
#ifndef LOCATED_H
#define LOCATED_H

#include "events.h"
#include "json.h"

/*
 * In a few words: "pid 1 in docker 0123456789ab", "shop.service"; empty: nowhere that has a name, or
 * it is not told.  Made safe, at most columns wide.
 */
#define LOCATED_TEXT_LEN 1024
void located_text(const struct ev_target *target, unsigned int columns, char out[LOCATED_TEXT_LEN]);

/* Members of the object that is open; none for the target of a recording that does not tell. */
void located_json(struct json *json, const struct ev_target *target);

#endif
