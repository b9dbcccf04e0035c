/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is read of cgroups: paths as the kernel writes them, files of both versions, traps on the way. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cgroup.h"
#include "util.h"

static struct cgroup_root root_of(bool is_v1, const char *base)
{
	struct cgroup_root root = { .fd = -1, .is_v1 = is_v1 };

	strcpy(root.base, base);
	return root;
}

static void the_path_is_the_controllers_own(void **state)
{
	static const char both[] = "9:name=systemd:/systemd\n3:cpuset:/set\n"
				   "2:cpuacct,cpu:/docker/1:2\n0::/unified\n";
	struct cgroup_root v1 = root_of(true, "/"), v2 = root_of(false, "/");
	char path[EV_PATH_LEN];

	(void)state;
	assert_int_equal(cgroup_path_of(&v1, both, path), 0);
	assert_string_equal(path, "/docker/1:2");
	assert_int_equal(cgroup_path_of(&v2, both, path), 0);
	assert_string_equal(path, "/unified");
	assert_int_equal(cgroup_path_of(&v1, "0::/unified", path), -ENOENT);
	assert_int_equal(cgroup_path_of(&v2, "", path), -ENOENT);
	assert_int_equal(cgroup_path_of(&v2, "0:", path), -ENOENT);
	assert_int_equal(cgroup_path_of(&v2, "0::relative", path), -ENOENT);
}

static void a_container_sees_its_part_of_it(void **state)
{
	struct cgroup_root root = root_of(false, "/docker/12");
	char path[EV_PATH_LEN];

	(void)state;
	assert_int_equal(cgroup_path_of(&root, "0::/docker/12/app", path), 0);
	assert_string_equal(path, "/app");
	assert_int_equal(cgroup_path_of(&root, "0::/docker/12\n", path), 0);
	assert_string_equal(path, "/");
	assert_int_equal(cgroup_path_of(&root, "0::/docker/123", path), -ENOENT);
	assert_int_equal(cgroup_path_of(&root, "0::/", path), -ENOENT);
}

static void a_path_that_leads_up_or_is_too_long_is_refused(void **state)
{
	struct cgroup_root root = root_of(false, "/");
	char path[EV_PATH_LEN], text[2 * EV_PATH_LEN];

	(void)state;
	assert_int_equal(cgroup_path_of(&root, "0::/../other", path), -ENOENT);
	assert_int_equal(cgroup_path_of(&root, "0::/a/..", path), -ENOENT);
	assert_int_equal(cgroup_path_of(&root, "0::/a..b/..c", path), 0);
	memset(text, 'x', sizeof(text));
	memcpy(text, "0::/", 4);
	text[4 + EV_PATH_LEN - 1] = '\0';
	assert_int_equal(cgroup_path_of(&root, text, path), -ENOENT);
	text[4 + EV_PATH_LEN - 2] = '\0';
	assert_int_equal(cgroup_path_of(&root, text, path), 0);
}

static void the_way_up_ends_at_the_root(void **state)
{
	char path[EV_PATH_LEN] = "/a/b";

	(void)state;
	assert_true(cgroup_parent(path));
	assert_string_equal(path, "/a");
	assert_true(cgroup_parent(path));
	assert_string_equal(path, "/");
	assert_false(cgroup_parent(path));
}

static void put(int dir, const char *path, const char *text)
{
	cleanup_close int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static char folder[] = "/tmp/loophound-cgroup-XXXXXX";

static struct cgroup_root made_root(bool is_v1)
{
	struct cgroup_root root = root_of(is_v1, "/");

	root.fd = open(folder, O_PATH | O_DIRECTORY);
	assert_true(root.fd >= 0);
	return root;
}

static void files_of_version_2(void **state)
{
	struct cgroup_root root = made_root(false);
	struct cgroup_cpu cpu = { 0 };

	(void)state;
	put(root.fd, "app/cpu.max", "10000 100000\n");
	put(root.fd, "app/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 8\nthrottled_usec 412\n");
	assert_int_equal(cgroup_read_quota(&root, "/app", &cpu), 0);
	assert_int_equal(cgroup_read_stat(&root, "/app", &cpu), 0);
	assert_int_equal(cpu.quota_ns, 10 * NSEC_PER_MSEC);
	assert_int_equal(cpu.period_ns, 100 * NSEC_PER_MSEC);
	assert_int_equal(cpu.throttled_ns, 412000);
	assert_int_equal(cpu.nr_throttled, 8);
	assert_int_equal(cpu.nr_periods, 9);
	put(root.fd, "app/cpu.max", "max 100000\n");
	assert_int_equal(cgroup_read_quota(&root, "/app", &cpu), 0);
	assert_int_equal(cpu.quota_ns, 0);
	put(root.fd, "app/cpu.max", "what\n");
	assert_int_equal(cgroup_read_quota(&root, "/app", &cpu), -EBADMSG);
	assert_int_equal(cgroup_read_quota(&root, "/", &cpu), 0); /* no file */
	assert_int_equal(cgroup_read_stat(&root, "/gone", &cpu), -ENOENT);
	cgroup_close_root(&root);
}

static void files_of_version_1(void **state)
{
	struct cgroup_root root = made_root(true);
	struct cgroup_cpu cpu = { 0 };

	(void)state;
	put(root.fd, "app/cpu.cfs_quota_us", "10000\n");
	put(root.fd, "app/cpu.cfs_period_us", "100000\n");
	put(root.fd, "app/cpu.stat", "nr_periods 9\nnr_throttled 8\nthrottled_time 412\nnr_bursts 0\n");
	assert_int_equal(cgroup_read_quota(&root, "/app", &cpu), 0);
	assert_int_equal(cgroup_read_stat(&root, "/app", &cpu), 0);
	assert_int_equal(cpu.quota_ns, 10 * NSEC_PER_MSEC);
	assert_int_equal(cpu.throttled_ns, 412);
	put(root.fd, "app/cpu.cfs_quota_us", "-1\n");
	assert_int_equal(cgroup_read_quota(&root, "/app", &cpu), 0);
	assert_int_equal(cpu.quota_ns, 0);
	cgroup_close_root(&root);
}

static void no_way_leads_out(void **state)
{
	struct cgroup_root root = made_root(false);
	struct cgroup_cpu cpu = { 0 };

	(void)state;
	put(root.fd, "app/cpu.stat", "nr_periods 9\n");
	assert_int_equal(symlinkat("app", root.fd, "link"), 0);
	assert_int_equal(cgroup_read_stat(&root, "/link", &cpu), -ELOOP);
	assert_int_equal(cgroup_read_stat(&root, "/../etc", &cpu), -EXDEV);
	unlinkat(root.fd, "link", 0);
	unlinkat(root.fd, "app/cpu.stat", 0);
	assert_int_equal(symlinkat("/proc/version", root.fd, "app/cpu.stat"), 0);
	assert_int_equal(cgroup_read_stat(&root, "/app", &cpu), -ELOOP);
	cgroup_close_root(&root);
}

static void the_mount_with_the_controller_is_found(void **state)
{
	char text[1024];
	struct cgroup_root root;

	(void)state;
	snprintf(text, sizeof(text),
		 "31 23 0:28 / /sys rw,relatime - tmpfs tmpfs rw,mode=755\n"
		 "41 31 0:38 /b %s rw shared:4 - cgroup2 cgroup2 rw,cpu\n"
		 "33 31 0:30 / /nowhere rw,relatime - cgroup cgroup rw,cpuacct\n"
		 "32 31 0:29 /a %s/app rw,relatime - cgroup cgroup rw,cpuset,cpu\n", folder, folder);
	assert_int_equal(cgroup_open_root(&root, text), 0);
	assert_true(root.is_v1);
	assert_string_equal(root.base, "/a");
	cgroup_close_root(&root);
	*strstr(text, "33 31") = '\0';
	assert_int_equal(cgroup_open_root(&root, text), 0);
	assert_false(root.is_v1);
	assert_string_equal(root.base, "/b");
	cgroup_close_root(&root);
	assert_int_equal(cgroup_open_root(&root, "31 23 0:28 / /sys rw - tmpfs tmpfs rw\nnonsense"), -ENOENT);
	assert_int_equal(cgroup_open_root(&root, ""), -ENOENT);
}

static int make_folder(void **state)
{
	char path[64];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/app", folder);
	return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_is_the_controllers_own),
		cmocka_unit_test(a_container_sees_its_part_of_it),
		cmocka_unit_test(a_path_that_leads_up_or_is_too_long_is_refused),
		cmocka_unit_test(the_way_up_ends_at_the_root),
		cmocka_unit_test(files_of_version_2),
		cmocka_unit_test(files_of_version_1),
		cmocka_unit_test(no_way_leads_out),
		cmocka_unit_test(the_mount_with_the_controller_is_found),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
