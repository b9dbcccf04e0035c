/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opening a mapped file by its path, as when the kernel refuses /proc/PID/map_files: the right file
 * or none, and no trap.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "mapfile.h"
#include "procinfo.h"
#include "util.h"

static char directory[] = "/tmp/loophound-test-XXXXXX";
static int proc_fd = -1;

/* A mapping that is not there: only the path is left to open it by. */
static struct maps_line line_of(const char *name)
{
	struct maps_line line = { .start = 1, .end = 2 };
	struct stat st;

	if (name[0] == '/')
		snprintf(line.path, sizeof(line.path), "%s", name);
	else
		snprintf(line.path, sizeof(line.path), "%s/%s", directory, name);
	assert_int_equal(stat(line.path, &st), 0);
	line.inode = st.st_ino;
	line.dev_major = major(st.st_dev);
	line.dev_minor = minor(st.st_dev);
	return line;
}

static int open_line(const struct maps_line *line)
{
	uint64_t bytes = 0;
	cleanup_close int fd = mapfile_open(proc_fd, line, &bytes);

	return fd < 0 ? fd : (int)bytes;
}

static int make_files(void **state)
{
	char path[128];
	FILE *file;

	(void)state;
	if (!mkdtemp(directory) || chdir(directory))
		return -1;
	file = fopen("file", "w");
	if (!file || fputs("12345", file) < 0 || fclose(file))
		return -1;
	snprintf(path, sizeof(path), "%s/file", directory);
	proc_fd = procinfo_open(getpid());
	return mkfifo("fifo", 0600) || symlink(path, "link") ||
	       symlink("/proc/self/exe", "magic") || proc_fd < 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink("file");
	unlink("fifo");
	unlink("link");
	unlink("magic");
	close(proc_fd);
	return rmdir(directory);
}

static void the_mapped_file_is_opened(void **state)
{
	struct maps_line line = line_of("file");

	(void)state;
	assert_int_equal(open_line(&line), 5);
	line = line_of("link");
	assert_int_equal(open_line(&line), 5);
}

static void another_file_at_the_path_is_not(void **state)
{
	struct maps_line line = line_of("file");

	(void)state;
	line.inode++;
	assert_int_equal(open_line(&line), -ESTALE);
	line = line_of("file");
	line.dev_minor++;
	assert_int_equal(open_line(&line), -ESTALE);
	line = line_of("file");
	line.is_deleted = true;
	assert_int_equal(open_line(&line), -ENOENT);
	line = line_of("file");
	strcpy(line.path, "[heap]");
	assert_int_equal(open_line(&line), -ENOENT);
}

static void traps_are_not_walked_into(void **state)
{
	struct maps_line line = line_of("fifo");

	(void)state;
	assert_int_equal(open_line(&line), -EPERM); /* at once: nobody writes to it */
	line = line_of("/dev/null");
	assert_int_equal(open_line(&line), -EPERM);
	line = line_of("/tmp");
	assert_int_equal(open_line(&line), -EPERM);
	line = line_of("magic");
	assert_int_equal(open_line(&line), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mapped_file_is_opened),
		cmocka_unit_test(another_file_at_the_path_is_not),
		cmocka_unit_test(traps_are_not_walked_into),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
