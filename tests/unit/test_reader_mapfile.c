/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opening a mapped file by its path, as when the kernel refuses /proc/PID/map_files, and by its mapping:
 * the right file or none, and no trap.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
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

/* A child that lives in the directory as its root; opening is tried on it. */
static int open_in_chroot(const struct maps_line *line)
{
	int ready[2], fd, bytes;
	char token;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		if (chroot(directory) || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &token, 1), 1);
	close(ready[0]);
	fd = proc_fd;
	proc_fd = procinfo_open(child);
	bytes = open_line(line);
	close(proc_fd);
	proc_fd = fd;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return bytes;
}

/* The kernel writes paths of a chroot among our mounts as we see them. */
static void a_file_in_a_chroot_is_found(void **state)
{
	struct maps_line line = line_of("file");

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(open_in_chroot(&line), 5);
	strcpy(line.path, "/file"); /* and those of another mount namespace from its root on */
	assert_int_equal(open_in_chroot(&line), 5);
}

static void nothing_leads_out_of_a_root(void **state)
{
	static const char *const ways[] = { "/etc/passwd", "/out/passwd", "/up/passwd", "/../etc/passwd",
					    "/out/../../etc/passwd", "/proc/self/root/etc/passwd", "/direct" };
	struct maps_line line = line_of("/etc/passwd");

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(symlink("/etc", "out"), 0);
	assert_int_equal(symlink("../../../../../etc", "up"), 0);
	assert_int_equal(symlink("/etc/passwd", "direct"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		strcpy(line.path, ways[i]);
		assert_true(open_line(&line) > 0 || i); /* it is what the first way leads to outside */
		assert_int_equal(open_in_chroot(&line), -ENOENT);
	}
	unlink("out");
	unlink("up");
	unlink("direct");
}

static atomic_bool is_over;

/* Puts one thing after the other where the file is expected. */
static void *swap(void *context)
{
	static const char *const others[] = { "fifo", "link", "magic", "etc", "other", "file" };

	(void)context;
	for (unsigned i = 0; !is_over; i++)
		if (linkat(AT_FDCWD, others[i % ARRAY_SIZE(others)], AT_FDCWD, "new", 0) == 0 &&
		    rename("new", "swapped"))
			abort();
	unlink("new"); /* rename() of two names of one file leaves both */
	return NULL;
}

static void what_is_swapped_meanwhile_is_the_file_or_refused(void **state)
{
	struct maps_line line = line_of("file");
	unsigned nr_right = 0, nr_refused = 0;
	pthread_t swapper;

	(void)state;
	assert_int_equal(symlink("/etc/passwd", "etc"), 0);
	assert_int_equal(close(open("other", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	snprintf(line.path, sizeof(line.path), "%s/swapped", directory);
	is_over = false;
	assert_int_equal(pthread_create(&swapper, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < 2000 || !nr_right || !nr_refused; i++) {
		int bytes = open_line(&line);

		nr_right += bytes == 5;
		nr_refused += bytes < 0;
		assert_true(bytes == 5 || bytes < 0);
	}
	is_over = true;
	pthread_join(swapper, NULL);
	unlink("swapped");
	unlink("other");
	unlink("etc");
}

/* The line of our own maps that this address is in. */
static struct maps_line line_at(void *address)
{
	cleanup_free char *text = NULL;
	struct maps_line line;
	struct maps maps;
	size_t bytes;

	assert_int_equal(procinfo_read(proc_fd, "maps", 1 << 20, &text, &bytes), 0);
	maps_parse(&maps, text, bytes);
	while (maps_next(&maps, &line))
		if (line.start == (uintptr_t)address)
			return line;
	fail_msg("no mapping");
	return line;
}

static void a_deleted_file_is_opened_by_its_mapping(void **state)
{
	struct maps_line line;
	void *address;
	int fd;

	(void)state;
	if (geteuid())
		skip();
	fd = open("deleted", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "1234567", 7), 7);
	address = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(address != MAP_FAILED);
	close(fd);
	unlink("deleted");
	line = line_at(address);
	assert_true(line.is_deleted);
	assert_int_equal(open_line(&line), 7);
	munmap(address, 4096);
	assert_int_equal(open_line(&line), -ENOENT);
}

static void a_mapped_device_is_not_opened(void **state)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	void *address = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	struct maps_line line;

	(void)state;
	assert_true(address != MAP_FAILED);
	close(fd);
	line = line_at(address);
	assert_string_equal(line.path, "/dev/zero");
	assert_int_equal(open_line(&line), -EPERM);
	munmap(address, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mapped_file_is_opened),
		cmocka_unit_test(another_file_at_the_path_is_not),
		cmocka_unit_test(traps_are_not_walked_into),
		cmocka_unit_test(a_file_in_a_chroot_is_found),
		cmocka_unit_test(nothing_leads_out_of_a_root),
		cmocka_unit_test(what_is_swapped_meanwhile_is_the_file_or_refused),
		cmocka_unit_test(a_deleted_file_is_opened_by_its_mapping),
		cmocka_unit_test(a_mapped_device_is_not_opened),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
