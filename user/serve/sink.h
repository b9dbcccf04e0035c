/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the service's breaches go: a stream, a rotated file, the journal; the last ones are
 * remembered. */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "ration.h"

struct sink;

/* 0, or a negative errno and why in words. */
int sink_open(struct sink **out, const struct serve_config *config, char why[YAML_ERROR_LEN]);
void sink_free(struct sink *sink);
/* From now on: another file, other bounds; what is remembered stays. As sink_open(). */
int sink_reopen(struct sink *sink, const struct serve_config *config, char why[YAML_ERROR_LEN]);

/* Whether an entry of the journal is to be made of a line as well. */
bool sink_wants_entry(const struct sink *sink);
/*
 * One line of a target without its newline, and its entry if one is wanted, else NULL.  At most so
 * many a second are written; all are counted.
 */
void sink_line(struct sink *sink, const struct ration_of *of, const char *line, size_t bytes,
	       const char *entry, size_t entry_bytes, uint64_t now_ns);
/* With each tick. True: it is time to tell what was held back, by sink_note(). */
bool sink_tick(struct sink *sink, uint64_t now_ns, struct ration_held *held);
/* The same of a line that is of no target: it is written, and not remembered. */
void sink_note(struct sink *sink, const char *line, size_t bytes, const char *entry,
	       size_t entry_bytes);

/* The remembered lines, newest first, as a JSON array. */
void sink_history(const struct sink *sink, FILE *out);

struct sink_stats {
	uint64_t lines; /* that were to be written */
	/* Of which were not: more than so many a second, of one target or of all. */
	uint64_t held_of_target, held_overall;
	uint64_t failed; /* of which could not be: a full disk, a reader that went away */
};
void sink_get_stats(const struct sink *sink, struct sink_stats *stats);

#endif
