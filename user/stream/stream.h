/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Raw bytes to checked records, and records to and from a file. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"

/*
 * Checks one record: type known, size right for it, counts and lengths within it.  Sets *ev into rec.
 * 0 or -EBADMSG; never reads past size.  Pure.  rec is 8-byte aligned.
 */
int decode(const void *rec, size_t size, const struct ev_head **ev);
/* "loop_stats" for EV_LOOP_STATS; NULL: no such type. */
const char *decode_name(uint32_t type);
/* Whether a record of this type can have this size. */
bool decode_size_fits(uint32_t type, uint32_t size);

/* --- recordings (stream/recording.c) --- */
#define RECORDING_MAGIC	  "LOOPHND1"
#define RECORDING_VERSION 2u

/* What a report says once, at its start; the header of a recording holds it. Strings end within. */
struct session {
	uint64_t start_ns;	     /* CLOCK_MONOTONIC */
	uint64_t wall_minus_mono_ns; /* adds to a ts_ns for wall clock time */
	char version[32];	     /* of loophound */
	char host[64], kernel[64];
	char command[160]; /* what was asked, for people */
};
_Static_assert(sizeof(struct session) == 336, "recording ABI");

struct recording_writer;
/* Creates or truncates path ("-": standard output) and writes the header. Negative errno on failure. */
int recording_create(struct recording_writer **out, const char *path, const struct session *session);
/* Appends a record as it is.  Buffered; a full disk shows here or in recording_close(). */
int recording_append(struct recording_writer *writer, const struct ev_head *ev);
/* Writes out what is buffered, so that a crash loses no more than what came since. */
int recording_flush(struct recording_writer *writer);
/* Flushes, closes, frees. Returns the first error of the file's whole life. NULL is fine. */
int recording_close(struct recording_writer *writer);

struct recording_reader;
/*
 * path "-": standard input.
 * 0; -EPROTO: not a recording; -EPROTONOSUPPORT: another version; -ENODATA: cut in the header; or errno.
 */
int recording_open(struct recording_reader **out, const char *path, struct session *session);
/* 1: *rec, *size is the next raw record (valid until the next call); 0: end; -EBADMSG: corrupt from
 * here on (offset by recording_offset()); -ENODATA: cut in the middle of a record; or errno. */
int recording_next(struct recording_reader *reader, const void **rec, size_t *size);
/* Where in the file the record begins that recording_next() last returned or stumbled over. */
uint64_t recording_offset(const struct recording_reader *reader);
void recording_reader_free(struct recording_reader *reader);

#endif
