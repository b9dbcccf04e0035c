/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records to and from a file: a header, then the records back to back, each padded to 8 bytes.
 * Nothing is interpreted but type and size, and those only to tell a cut file from a corrupt one.
 */
#include <errno.h>
#include <string.h>

#include "file.h"
#include "stream.h"
#include "util.h"

#define WRITE_BYTES ((size_t)256 * 1024)
#define READ_BYTES  ((size_t)1024 * 1024)
#define HEADER_MAX  ((size_t)64 * 1024) /* later versions may append to the header */
#define TYPE_MAX    255u		/* types are append-only: a later release stays below it */
#define PADDED(n)   (((n) + 7) & ~(size_t)7)

struct header {
	char magic[8];
	uint32_t version;
	uint32_t size; /* of the header; the first record follows */
	struct session session;
};
_Static_assert(sizeof(struct header) == 352, "recording ABI");
_Static_assert(READ_BYTES >= 2 * EV_RECORD_MAX && WRITE_BYTES >= EV_RECORD_MAX, "a record fits");

struct recording_writer {
	int fd;
	int err; /* the first, or 0; nothing is written after it */
	size_t used;
	char buffer[WRITE_BYTES];
};

struct recording_reader {
	int fd;
	int err; /* sticky: what recording_next() stumbled over, or 0 */
	bool is_eof;
	size_t at, end;	 /* what is left of the buffer */
	size_t consumed; /* of the record handed out last */
	uint64_t offset; /* of the record at buffer + at */
	_Alignas(8) char buffer[READ_BYTES];
};

int recording_create(struct recording_writer **out, const char *path, const struct session *session)
{
	struct recording_writer *writer;
	struct header header = {
		.version = RECORDING_VERSION,
		.size = sizeof(header),
		.session = *session,
	};
	cleanup_close int fd = file_create(path);
	int err;

	if (fd < 0)
		return fd;
	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	/* Written at once: a full disk shows before the watch begins. */
	err = file_write(fd, &header, sizeof(header));
	if (err)
		return err;
	writer = malloc(sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->fd = take_fd(&fd);
	writer->err = 0;
	writer->used = 0;
	*out = writer;
	return 0;
}

int recording_flush(struct recording_writer *writer)
{
	if (!writer->err && writer->used)
		writer->err = file_write(writer->fd, writer->buffer, writer->used);
	writer->used = 0;
	return writer->err;
}

int recording_append(struct recording_writer *writer, const struct ev_head *ev)
{
	size_t padded = PADDED((size_t)ev->size);

	if (writer->err)
		return writer->err;
	if (ev->size < sizeof(*ev) || ev->size > EV_RECORD_MAX)
		return -EMSGSIZE;
	if (padded > sizeof(writer->buffer) - writer->used) {
		int err = recording_flush(writer);

		if (err)
			return err;
	}
	memcpy(writer->buffer + writer->used, ev, ev->size);
	memset(writer->buffer + writer->used + ev->size, 0, padded - ev->size);
	writer->used += padded;
	return 0;
}

int recording_close(struct recording_writer *writer)
{
	int err;

	if (!writer)
		return 0;
	err = recording_flush(writer);
	if (close(writer->fd) < 0 && !err)
		err = -errno;
	free(writer);
	return err;
}

/* Reads on until the buffer holds size bytes from at on, or the file ends. */
static int fill(struct recording_reader *reader, size_t size)
{
	size_t left = reader->end - reader->at;
	ssize_t n;

	if (left >= size || reader->is_eof)
		return 0;
	memmove(reader->buffer, reader->buffer + reader->at, left);
	reader->at = 0;
	reader->end = left;
	n = file_read(reader->fd, reader->buffer + left, size - left,
		      sizeof(reader->buffer) - left);
	if (n < 0)
		return (int)n;
	reader->end += (size_t)n;
	reader->is_eof = reader->end < size;
	return 0;
}

static void terminate(struct session *session)
{
	session->version[sizeof(session->version) - 1] = '\0';
	session->host[sizeof(session->host) - 1] = '\0';
	session->kernel[sizeof(session->kernel) - 1] = '\0';
	session->command[sizeof(session->command) - 1] = '\0';
}

static int read_header(struct recording_reader *reader, struct session *session)
{
	struct header header = { 0 };
	size_t size;
	int err = fill(reader, sizeof(header));

	if (err)
		return err;
	size = min(reader->end, sizeof(header));
	memcpy(&header, reader->buffer, size);
	if (memcmp(header.magic, RECORDING_MAGIC, min(size, sizeof(header.magic))) != 0)
		return -EPROTO;
	if (size < offsetof(struct header, session))
		return size ? -ENODATA : -EPROTO;
	if (header.version != RECORDING_VERSION)
		return -EPROTONOSUPPORT;
	if (header.size < sizeof(header) || header.size > HEADER_MAX || header.size % 8)
		return -EPROTO;
	err = fill(reader, header.size);
	if (err)
		return err;
	if (reader->end < header.size)
		return -ENODATA;
	reader->at = header.size;
	reader->offset = header.size;
	*session = header.session;
	terminate(session);
	return 0;
}

int recording_open(struct recording_reader **out, const char *path, struct session *session)
{
	cleanup_close int fd = file_open(path);
	cleanup_free struct recording_reader *reader = NULL;
	int err;

	if (fd < 0)
		return fd;
	reader = malloc(sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	memset(reader, 0, offsetof(struct recording_reader, buffer));
	reader->fd = fd;
	err = read_header(reader, session);
	if (err)
		return err;
	reader->fd = take_fd(&fd);
	*out = take(reader);
	return 0;
}

/* An unknown type may be a later release's: its size is believed, decode() refuses it. */
static bool is_plausible(const struct ev_head *head)
{
	if (head->size < sizeof(*head) || head->size > EV_RECORD_MAX)
		return false;
	if (decode_name(head->type))
		return decode_size_fits(head->type, head->size);
	return head->type && head->type <= TYPE_MAX;
}

static bool is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static int next(struct recording_reader *reader, const void **rec, size_t *size)
{
	const struct ev_head *head;
	size_t padded;
	int err = fill(reader, sizeof(*head));

	if (err)
		return err;
	if (reader->end == reader->at)
		return 0;
	if (reader->end - reader->at < sizeof(*head))
		return -ENODATA;
	head = (const struct ev_head *)(reader->buffer + reader->at);
	if (!is_plausible(head))
		return -EBADMSG;
	padded = PADDED((size_t)head->size);
	err = fill(reader, padded);
	if (err)
		return err;
	if (reader->end - reader->at < padded)
		return -ENODATA;
	head = (const struct ev_head *)(reader->buffer + reader->at); /* fill() may have moved it */
	if (!is_zero((const char *)head + head->size, padded - head->size))
		return -EBADMSG;
	*rec = head;
	*size = head->size;
	reader->consumed = padded;
	return 1;
}

int recording_next(struct recording_reader *reader, const void **rec, size_t *size)
{
	int ret;

	if (reader->err)
		return reader->err;
	reader->at += reader->consumed;
	reader->offset += reader->consumed;
	reader->consumed = 0;
	ret = next(reader, rec, size);
	if (ret < 0)
		reader->err = ret;
	return ret;
}

uint64_t recording_offset(const struct recording_reader *reader)
{
	return reader->offset;
}

void recording_reader_free(struct recording_reader *reader)
{
	if (!reader)
		return;
	close(reader->fd);
	free(reader);
}
