/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Opens the very file behind a mapping of a process, and nothing else a path could lead to. */
#ifndef MAPFILE_H
#define MAPFILE_H

#include <stdint.h>

#include "maps.h"

/*
 * Returns a descriptor open for reading and its size, or a negative errno.  Only a regular file,
 * never one on FUSE: that file system's process decides how long a read takes, and may be the
 * target itself.  Nothing else is opened on the way, so that no driver, fifo or lease is met.
 */
int mapfile_open(int proc_fd, const struct maps_line *line, uint64_t *bytes);

#endif
