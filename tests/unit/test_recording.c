/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does a recording give back what was put in, and say what is wrong with one that was damaged? */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stream.h"
#include "util.h"

#define HEADER_BYTES 352

static char path[] = "/tmp/test_recording.XXXXXX";

static const struct session session = { .start_ns = 7,
					.wall_minus_mono_ns = 8,
					.version = "1.0",
					.host = "h",
					.kernel = "k",
					.command = "watch" };

/* A code record of any length: what it holds does not matter here. */
static const struct ev_head *code_record(uint32_t data_bytes, uint64_t nr)
{
	static union {
		struct ev_code ev;
		char bytes[EV_RECORD_MAX];
	} rec;

	rec.ev.head = (struct ev_head){ .type = EV_CODE,
					.size = sizeof(rec.ev) + data_bytes,
					.ts_ns = nr };
	memset(rec.bytes + sizeof(rec.ev), (int)(nr | 1), data_bytes);
	return &rec.ev.head;
}

static void write_ticks(uint64_t nr)
{
	struct recording_writer *writer;

	assert_int_equal(recording_create(&writer, path, &session), 0);
	for (uint64_t i = 0; i < nr; i++) {
		struct ev_tick tick = {
			{ .type = EV_TICK, .size = sizeof(tick), .ts_ns = i, .loop_id = EV_NO_LOOP }
		};

		assert_int_equal(recording_append(writer, &tick.head), 0);
	}
	assert_int_equal(recording_close(writer), 0);
}

static void poke(long offset, const void *bytes, size_t size)
{
	cleanup_fclose FILE *file = fopen(path, "r+");

	assert_non_null(file);
	assert_int_equal(fseek(file, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
}

/* Reads to the end; how it ended, after how many records, at what offset. */
static int read_all(unsigned *nr, uint64_t *offset)
{
	struct recording_reader *reader = NULL;
	struct session got;
	const void *rec;
	size_t size;
	int ret = recording_open(&reader, path, &got);

	*nr = 0;
	if (ret)
		return ret;
	while ((ret = recording_next(reader, &rec, &size)) == 1) {
		assert_int_equal((uintptr_t)rec % 8, 0);
		(*nr)++;
	}
	*offset = recording_offset(reader);
	assert_int_equal(recording_next(reader, &rec, &size), ret);
	recording_reader_free(reader);
	return ret;
}

static void what_goes_in_comes_out(void **state)
{
	struct recording_writer *writer;
	struct recording_reader *reader;
	struct session got;
	const void *rec;
	size_t size;

	(void)state;
	assert_int_equal(recording_create(&writer, path, &session), 0);
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(recording_append(writer, code_record((i * 977) % 60000, i)), 0);
	assert_int_equal(recording_append(writer, code_record(EV_RECORD_MAX - 64, 3000)), 0);
	assert_int_equal(recording_close(writer), 0);

	assert_int_equal(recording_open(&reader, path, &got), 0);
	assert_memory_equal(&got, &session, sizeof(got));
	for (uint64_t i = 0; i <= 3000; i++) {
		uint32_t bytes = i < 3000 ? (i * 977) % 60000 : EV_RECORD_MAX - 64;

		assert_int_equal(recording_next(reader, &rec, &size), 1);
		assert_int_equal(size, 64 + bytes);
		assert_memory_equal(rec, code_record(bytes, i), size);
	}
	assert_int_equal(recording_next(reader, &rec, &size), 0);
	assert_int_equal(recording_next(reader, &rec, &size), 0);
	recording_reader_free(reader);
}

static void a_recording_without_records_is_one(void **state)
{
	uint64_t offset;
	unsigned nr;

	(void)state;
	write_ticks(0);
	assert_int_equal(read_all(&nr, &offset), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(offset, HEADER_BYTES);
}

static void every_cut_is_told_from_corruption(void **state)
{
	uint64_t offset;
	unsigned nr;

	(void)state;
	write_ticks(4);
	for (off_t size = HEADER_BYTES + 4 * 24; size >= 0; size--) {
		int ret;

		assert_int_equal(truncate(path, size), 0);
		ret = read_all(&nr, &offset);
		if (size == 0) {
			assert_int_equal(ret, -EPROTO); /* an empty file is no recording */
		} else if (size < HEADER_BYTES) {
			assert_int_equal(ret, -ENODATA);
		} else {
			assert_int_equal(ret, (size - HEADER_BYTES) % 24 ? -ENODATA : 0);
			assert_int_equal(nr, (size - HEADER_BYTES) / 24);
			assert_int_equal(offset, HEADER_BYTES + nr * 24);
		}
	}
}

static void corruption_is_found_with_its_place(void **state)
{
	const struct ev_head wrong[] = {
		{ .type = 0, .size = 0 },	    { .type = EV_TICK, .size = 0 },
		{ .type = EV_TICK, .size = 32 },    { .type = 0, .size = 24 },
		{ .type = 100000, .size = 24 },	    { .type = EV_CODE, .size = UINT32_MAX },
		{ .type = EV_STACK, .size = 48 },   { .type = EV_CODE, .size = EV_RECORD_MAX + 1 },
		{ .type = EV_SLEEP, .size = 1000 }, { .type = 200, .size = 23 },
	};
	uint64_t offset;
	unsigned nr;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		write_ticks(100);
		poke(HEADER_BYTES + 40 * 24, &wrong[i], 24);
		assert_int_equal(read_all(&nr, &offset), -EBADMSG);
		assert_int_equal(nr, 40);
		assert_int_equal(offset, HEADER_BYTES + 40 * 24);
	}
}

/* The decoder counts it; a recording of a later release stays readable. */
static void a_later_type_is_handed_out(void **state)
{
	const struct ev_head later = { .type = 255, .size = 48 };
	uint64_t offset;
	unsigned nr;

	(void)state;
	write_ticks(4);
	poke(HEADER_BYTES, &later, 24);
	assert_int_equal(read_all(&nr, &offset), 0);
	assert_int_equal(nr, 3);
}

static void padding_that_is_not_zero_is_corruption(void **state)
{
	struct recording_writer *writer;
	uint64_t offset;
	unsigned nr;

	(void)state;
	assert_int_equal(recording_create(&writer, path, &session), 0);
	assert_int_equal(recording_append(writer, code_record(3, 0)), 0);
	assert_int_equal(recording_close(writer), 0);
	assert_int_equal(read_all(&nr, &offset), 0);
	poke(HEADER_BYTES + 64 + 3, "x", 1);
	assert_int_equal(read_all(&nr, &offset), -EBADMSG);
	assert_int_equal(truncate(path, HEADER_BYTES + 64 + 3), 0);
	assert_int_equal(read_all(&nr, &offset), -ENODATA);
}

static void a_header_that_is_not_ours_is_refused(void **state)
{
	const uint32_t sizes[] = { 0, 16, 344, 356, 1u << 20 };
	const uint32_t version = RECORDING_VERSION + 1;
	uint64_t offset;
	unsigned nr;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		write_ticks(1);
		poke(12, &sizes[i], 4);
		assert_int_equal(read_all(&nr, &offset), -EPROTO);
	}
	write_ticks(1);
	poke(8, &version, 4);
	assert_int_equal(read_all(&nr, &offset), -EPROTONOSUPPORT);
	poke(0, "X", 1);
	assert_int_equal(read_all(&nr, &offset), -EPROTO);
}

/* Later versions may append to the session. */
static void a_longer_header_is_skipped(void **state)
{
	const uint32_t size = HEADER_BYTES + 24;
	uint64_t offset;
	unsigned nr;

	(void)state;
	write_ticks(3);
	poke(12, &size, 4);
	assert_int_equal(read_all(&nr, &offset), 0);
	assert_int_equal(nr, 2);
}

static void strings_of_the_header_end(void **state)
{
	struct session hostile, got;
	struct recording_writer *writer;
	struct recording_reader *reader;

	(void)state;
	memset(&hostile, 'x', sizeof(hostile));
	assert_int_equal(recording_create(&writer, path, &hostile), 0);
	assert_int_equal(recording_close(writer), 0);
	assert_int_equal(recording_open(&reader, path, &got), 0);
	assert_int_equal(strlen(got.version), sizeof(got.version) - 1);
	assert_int_equal(strlen(got.host), sizeof(got.host) - 1);
	assert_int_equal(strlen(got.kernel), sizeof(got.kernel) - 1);
	assert_int_equal(strlen(got.command), sizeof(got.command) - 1);
	recording_reader_free(reader);
}

static void a_full_disk_is_reported(void **state)
{
	struct recording_writer *writer = NULL;

	(void)state;
	assert_int_equal(recording_create(&writer, "/dev/full", &session), -ENOSPC);
	assert_null(writer);
}

/* A pipe whose reader left stands for a disk that fills up later: the first error stays. */
static void the_first_error_stays(void **state)
{
	struct recording_writer *writer;
	int fds[2], saved = dup(STDOUT_FILENO), err = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	assert_int_equal(recording_create(&writer, "-", &session), 0);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fds[0]);
	for (unsigned i = 0; i < 1000 && !err; i++)
		err = recording_append(writer, code_record(1000, i));
	assert_int_equal(err, -EPIPE);
	assert_int_equal(recording_append(writer, code_record(1000, 0)), -EPIPE);
	assert_int_equal(recording_flush(writer), -EPIPE);
	assert_int_equal(recording_close(writer), -EPIPE);
}

static void what_cannot_be_opened_says_why(void **state)
{
	struct recording_writer *writer;
	struct recording_reader *reader;
	struct session got;

	(void)state;
	assert_int_equal(recording_create(&writer, "/nonexistent/x", &session), -ENOENT);
	assert_int_equal(recording_open(&reader, "/nonexistent/x", &got), -ENOENT);
	assert_int_equal(recording_open(&reader, "/", &got), -EISDIR);
	assert_int_equal(recording_close(NULL), 0);
	recording_reader_free(NULL);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(a_recording_without_records_is_one),
		cmocka_unit_test(every_cut_is_told_from_corruption),
		cmocka_unit_test(corruption_is_found_with_its_place),
		cmocka_unit_test(a_later_type_is_handed_out),
		cmocka_unit_test(padding_that_is_not_zero_is_corruption),
		cmocka_unit_test(a_header_that_is_not_ours_is_refused),
		cmocka_unit_test(a_longer_header_is_skipped),
		cmocka_unit_test(strings_of_the_header_end),
		cmocka_unit_test(a_full_disk_is_reported),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(what_cannot_be_opened_says_why),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, remove_file);
}
