/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Breaches as entries of systemd's journal, in its native protocol. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdio.h>

#include "policies.h"
#include "ration.h"
#include "report.h"

/* `journalctl MESSAGE_ID=` this: every breach and nothing else. */
#define JOURNAL_MESSAGE_ID "f1a1ff4d0e2c4f0d9b6c1e1d6d8a7c35"

/* The same of lines that were held back. */
#define JOURNAL_HELD_ID "7f3c0c8c6d9b4d5c8b0e4a5d2f61c9e3"

/* Where journald listens. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/*
 * The entry of a breach: MESSAGE and PRIORITY for people, CODE_FILE, CODE_LINE, CODE_FUNC of its
 * site, OBJECT_PID of the target, LOOPHOUND_* for what the JSON line says, LOOPHOUND_ONGOING=1 for
 * a stall that is told while it lasts, LOOPHOUND_LABEL_* for labels; json is that line.
 */
void journal_write(FILE *out, const struct breach *breach, const struct policy *policy,
		   const char *json);
/* The entry of what was held back. */
void journal_write_held(FILE *out, const struct ration_held *held, const char *json);
/* A descriptor to send entries to, or a negative errno. */
int journal_connect(const char *path);
/* Sends an entry, by a memfd if it is too long for a datagram. 0 or a negative errno; never waits.
 */
int journal_send(int fd, const void *entry, size_t bytes);

#endif
