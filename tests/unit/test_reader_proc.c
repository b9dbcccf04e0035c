/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The parsers of /proc files, with what the kernel writes and with what a hostile process makes it
 * write.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "maps.h"
#include "procinfo.h"
#include "pyversion.h"
#include "util.h"

static struct maps_line line;

static unsigned count_lines(const char *text, size_t bytes)
{
	struct maps maps;
	unsigned nr = 0;

	maps_parse(&maps, text, bytes);
	while (maps_next(&maps, &line))
		nr++;
	return nr;
}

static void a_maps_line_is_taken_apart(void **state)
{
	static const char text[] =
		"7f52c8e00000-7f52c8e28000 r-xp 0002a000 fd:01 131090    /usr/lib/lib python3.so\n";

	(void)state;
	assert_int_equal(count_lines(text, strlen(text)), 1);
	assert_int_equal(line.start, 0x7f52c8e00000);
	assert_int_equal(line.end, 0x7f52c8e28000);
	assert_int_equal(line.offset, 0x2a000);
	assert_int_equal(line.dev_major, 0xfd);
	assert_int_equal(line.dev_minor, 1);
	assert_int_equal(line.inode, 131090);
	assert_true(line.is_readable && line.is_executable && !line.is_writable);
	assert_false(line.is_deleted);
	assert_string_equal(line.path, "/usr/lib/lib python3.so");
	assert_string_equal(maps_basename(&line), "lib python3.so");
}

static void special_lines_are_understood(void **state)
{
	static const char deleted[] = "1000-2000 r--p 0 08:01 7 /tmp/a (deleted)\n";
	static const char newline[] = "1000-2000 rw-s 0 08:01 7 /tmp/a\\012b\n";
	static const char heap[] = "1000-2000 rw-p 0 00:00 0      [heap]\n";
	static const char anonymous[] = "1000-2000 rw-p 0 00:00 0 \n1000-2000 rw-p 0 00:00 0\n";

	(void)state;
	assert_int_equal(count_lines(deleted, strlen(deleted)), 1);
	assert_string_equal(line.path, "/tmp/a");
	assert_true(line.is_deleted);
	assert_int_equal(count_lines(newline, strlen(newline)), 1);
	assert_string_equal(line.path, "/tmp/a\nb");
	assert_int_equal(count_lines(heap, strlen(heap)), 1);
	assert_string_equal(line.path, "[heap]");
	assert_int_equal(count_lines(anonymous, strlen(anonymous)), 2);
	assert_string_equal(line.path, "");
}

static void malformed_lines_are_skipped(void **state)
{
	static const char text[] = "\n"
				   "zz-2000 r--p 0 08:01 7 /a\n"
				   "2000-1000 r--p 0 08:01 7 /a\n"
				   "1000-2000 r--p\n"
				   "1000-2000 r--p 0 08:01 99999999999999999999999 /a\n"
				   "11111111111111111-22222222222222222 r--p 0 08:01 7 /a\n"
				   "1000-2000 r--p 0 0801 7 /a\n"
				   "-2000 r--p 0 08:01 7 /a\n"
				   "1000-2000 r--p 0 08:01 7 /good\n"
				   "1000-2000 r--p 0 08:01 7 /no-newline";
	cleanup_free char *long_path = malloc(3 * PATH_MAX);

	(void)state;
	assert_int_equal(count_lines(text, strlen(text)), 1);
	assert_string_equal(line.path, "/good");
	/* Every cut of it is survived. */
	for (size_t bytes = 0; bytes < strlen(text); bytes++) {
		cleanup_free char *exact = malloc(bytes + 1);

		memcpy(exact, text, bytes);
		count_lines(exact, bytes);
	}
	memset(long_path, 'a', 3 * PATH_MAX);
	memcpy(long_path, "1000-2000 r--p 0 08:01 7 /", 26);
	long_path[3 * PATH_MAX - 1] = '\n';
	assert_int_equal(count_lines(long_path, 3 * PATH_MAX), 0);
}

static int parse_stat(const char *text, struct procinfo_stat *stat)
{
	return procinfo_parse_stat(text, strlen(text), stat);
}

#define TAIL " S 1 2 3 4 5 4194560 7 8 9 10 11 12 13 14 15 16 17 18 424242 21 22\n"

static void a_name_can_be_anything(void **state)
{
	static const char *const names[] = { "python3", "a) S 1 2 (b", ")",	 "((",
					     "",	"a b\nc",      ") R 9 9" };
	struct procinfo_stat stat;
	char text[256];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "4711 (%s)" TAIL, names[i]);
		assert_int_equal(parse_stat(text, &stat), 0);
		assert_string_equal(stat.comm, names[i]);
		assert_int_equal(stat.start_ticks, 424242);
		assert_int_equal(stat.flags, 4194560);
		assert_int_equal(stat.state, 'S');
	}
	assert_int_equal(parse_stat("1 (a name longer than the kernel's)" TAIL, &stat), 0);
	assert_string_equal(stat.comm, "a name longer t");
}

static void a_cut_stat_is_refused(void **state)
{
	static const char text[] = "4711 (python3)" TAIL;
	struct procinfo_stat stat;

	(void)state;
	for (size_t bytes = 0; bytes < strlen(text) - strlen(" 21 22\n"); bytes++) {
		cleanup_free char *exact = malloc(bytes + 1);

		memcpy(exact, text, bytes);
		exact[bytes] = '7'; /* it must not be looked at */
		assert_int_not_equal(procinfo_parse_stat(exact, bytes, &stat), 0);
	}
	assert_int_not_equal(parse_stat(")(", &stat), 0);
	assert_int_not_equal(parse_stat("1 (a) S x x x x x x x x x x x x x x x x x x x", &stat), 0);
	assert_int_not_equal(
		parse_stat("1 (a) S 1 2 3 4 5 -1 7 8 9 10 11 12 13 14 15 16 17 18 19 20", &stat),
		0);
}

static uint32_t nspid(const char *text)
{
	return procinfo_parse_nspid(text, strlen(text));
}

static void the_innermost_pid_is_taken(void **state)
{
	(void)state;
	assert_int_equal(nspid("Name:\tx\nNSpid:\t4711\nx"), 4711);
	assert_int_equal(nspid("Name:\tx\nNSpid:\t4711\t12\t1\n"), 1);
	assert_int_equal(nspid("Name:\tx\nNSpid:\t4711\t12"), 12);
	assert_int_equal(nspid("Name:\tNSpid:\t5\n"), 0);
	assert_int_equal(nspid("Name:\tx\nNSpid:\t99999999999999999999\n"), 0);
	assert_int_equal(nspid(""), 0);
}

static void a_number_of_status_is_found(void **state)
{
	static const char text[] = "Name:\tx\nUid:\t1000\t1001\t1002\t4294967295\nThreads:\t7\nX:\t\n";
	uint32_t value = 0;

	(void)state;
	assert_true(procinfo_parse_number(text, strlen(text), "\nUid:", 1, &value));
	assert_int_equal(value, 1001);
	assert_true(procinfo_parse_number(text, strlen(text), "\nUid:", 3, &value));
	assert_int_equal(value, 4294967295);
	assert_true(procinfo_parse_number(text, strlen(text), "\nThreads:", 0, &value));
	assert_int_equal(value, 7);
	/* Not beyond the line, not beyond 32 bits, not what is not there. */
	assert_false(procinfo_parse_number(text, strlen(text), "\nUid:", 4, &value));
	assert_false(procinfo_parse_number(text, strlen(text), "\nX:", 0, &value));
	assert_false(procinfo_parse_number(text, strlen(text), "\nGid:", 0, &value));
	assert_false(procinfo_parse_number("a\nU:\t4294967296\n", 16, "\nU:", 0, &value));
	assert_false(procinfo_parse_number("a\nU:\t99999999999999999999999\n", 29, "\nU:", 0, &value));
	assert_false(procinfo_parse_number("a\nU:", 4, "\nU:", 0, &value));
	assert_int_equal(value, 7);
}

static void our_own_process_is_read(void **state)
{
	cleanup_close int proc_fd = procinfo_open(getpid());
	cleanup_free char *text = NULL;
	struct procinfo_stat stat;
	size_t bytes;

	(void)state;
	assert_true(proc_fd >= 0);
	assert_int_equal(procinfo_stat(proc_fd, &stat), 0);
	assert_int_not_equal(stat.start_ticks, 0);
	assert_false(procinfo_is_kernel_thread(&stat));
	stat.flags |= 0x00200000;
	assert_true(procinfo_is_kernel_thread(&stat));
	assert_int_equal(procinfo_read(proc_fd, "maps", 100, &text, &bytes), 0);
	assert_int_equal(bytes, 100);
	assert_int_equal(procinfo_read(proc_fd, "no-such-file", 100, &text, &bytes), -ENOENT);
	assert_int_equal(procinfo_open(0), -ESRCH);
}

static int scan(const char *text, size_t bytes, unsigned minor, uint32_t *version)
{
	char path[] = "/tmp/loophound-test-XXXXXX";
	cleanup_close int fd = mkstemp(path);
	struct mem mem;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, bytes), bytes);
	procmem_of_file(&mem, fd, 1 << 24);
	return pyversion_scan(&mem, 0, bytes, minor, version);
}

#define SCAN(text, minor) scan(text, sizeof(text), minor, &version)

static void versions_are_found_in_names_and_data(void **state)
{
	static char large[3 * 65536];
	uint32_t version = 0;

	(void)state;
	assert_int_equal(pyversion_of_name("python3.9"), 0x03090000);
	assert_int_equal(pyversion_of_name("libpython3.10.so.1.0"), 0x030a0000);
	assert_int_equal(pyversion_of_name("python2.7"), 0x02070000);
	assert_int_equal(pyversion_of_name("python3"), 0);
	assert_int_equal(pyversion_of_name("python3."), 0);
	assert_int_equal(pyversion_of_name("python999.9"), 0);
	assert_int_equal(pyversion_of_name("uwsgi"), 0);
	assert_int_equal(SCAN("x\0003.9.2\0", 9), 0);
	assert_int_equal(version, 0x030902f0);
	assert_int_equal(SCAN("Python 3.10.13+\0", 10), 0);
	assert_int_equal(version, 0x030a0df0);
	assert_int_equal(SCAN("3.10.0rc2\0", 10), 0);
	assert_int_equal(version, 0x030a00c2);
	assert_int_equal(SCAN("3.9.2 is\0", 9), -ENOENT);
	assert_int_equal(SCAN("13.9.2\0", 9), -ENOENT);
	assert_int_equal(SCAN("1.3.9.2\0", 9), -ENOENT);
	assert_int_equal(SCAN("3.9.999\0", 9), -ENOENT);
	assert_int_equal(SCAN("3.9.", 9), -ENOENT);
	assert_int_equal(SCAN("a 3.9.2\0 b", 0), 0);
	assert_int_equal(version, 0x030902f0);
	assert_int_equal(SCAN("3.9.2\0003.10.4\0", 0), -ENOENT);
	for (size_t at = 65536 - 10; at < 65536 + 10; at++) {
		memset(large, 'x', sizeof(large));
		memcpy(large + at, "3.9.18", 7);
		assert_int_equal(scan(large, sizeof(large), 9, &version), 0);
		assert_int_equal(version, 0x030912f0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_maps_line_is_taken_apart),
		cmocka_unit_test(special_lines_are_understood),
		cmocka_unit_test(malformed_lines_are_skipped),
		cmocka_unit_test(a_name_can_be_anything),
		cmocka_unit_test(a_cut_stat_is_refused),
		cmocka_unit_test(the_innermost_pid_is_taken),
		cmocka_unit_test(a_number_of_status_is_found),
		cmocka_unit_test(our_own_process_is_read),
		cmocka_unit_test(versions_are_found_in_names_and_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
