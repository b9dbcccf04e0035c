/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A descriptor's object in words: "127.0.0.1:5432", "[::1]:53", "/srv/app.db", "pipe:[123]". */
#ifndef OBJECT_H
#define OBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "events.h"

/* Writes a string of at most size - 1 bytes; empty for OBJECT_NONE.  Bytes of names are the
 * target's own. */
void object_format(const struct ev_object *object, char *out, size_t size);
/* A terminal: a character device whose major number is a tty's. */
bool object_is_terminal(const struct ev_object *object);

#endif
