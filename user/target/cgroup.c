/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "util.h"

#define FILE_BYTES 512 /* of cpu.stat: some ten lines */

/* Whether a comma separated list has a word. */
static bool list_has(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word), part;

	for (; len; list += part, len -= part) {
		part = strcspn(list, ",");
		part = min(part, len);
		if (part == word_len && !memcmp(list, word, word_len))
			return true;
		part += part < len; /* the comma */
	}
	return false;
}

/* One line of mountinfo: "36 31 0:28 ROOT WHERE rw,... [tags] - TYPE SOURCE OPTIONS". */
static bool parse_mount(const char *line, char base[EV_PATH_LEN], char where[EV_PATH_LEN], bool *is_v1)
{
	const char *end = strchrnul(line, '\n'), *rest = strstr(line, " - ");
	char type[16];
	int options = 0;

	if (!rest || rest > end || sscanf(line, "%*u %*u %*s %255s %255s ", base, where) != 2 ||
	    sscanf(rest, " - %15s %*s %n", type, &options) != 1 || !options)
		return false;
	*is_v1 = !strcmp(type, "cgroup");
	rest += options;
	return *is_v1 ? list_has(rest, strcspn(rest, " \n"), "cpu") : !strcmp(type, "cgroup2");
}

int cgroup_open_root(struct cgroup_root *root, const char *mountinfo)
{
	char base[EV_PATH_LEN], where[EV_PATH_LEN], best[EV_PATH_LEN] = "";
	const char *line, *end;
	bool is_v1;

	memset(root, 0, sizeof(*root));
	root->fd = -1;
	for (line = mountinfo; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		/* Where both are mounted, the controller is in the hierarchy of its own. */
		if (!parse_mount(line, base, where, &is_v1) || (best[0] && !is_v1))
			continue;
		memcpy(best, where, sizeof(best));
		memcpy(root->base, base, sizeof(base));
		root->is_v1 = is_v1;
		if (is_v1)
			break;
	}
	if (!best[0])
		return -ENOENT;
	root->fd = open(best, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root->fd < 0 ? -errno : 0;
}

void cgroup_close_root(struct cgroup_root *root)
{
	closep(&root->fd);
	root->fd = -1;
}

/* A process outside of what is mounted has a path that leads up: not to be followed. */
static bool leads_up(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3)
		if (!at[3] || at[3] == '/')
			return true;
	return false;
}

int cgroup_path_of(const struct cgroup_root *root, const char *text, char path[EV_PATH_LEN])
{
	size_t base = strcmp(root->base, "/") ? strlen(root->base) : 0, len;
	const char *line, *end, *list, *at;

	for (line = text; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		list = memchr(line, ':', end - line);
		at = list ? memchr(list + 1, ':', end - list - 1) : NULL;
		if (!at || !(root->is_v1 ? list_has(list + 1, at - list - 1, "cpu") : at == list + 1))
			continue;
		at++;
		/* As the mount shows it. */
		if ((size_t)(end - at) < base || memcmp(at, root->base, base) != 0 ||
		    (base && at + base < end && at[base] != '/'))
			return -ENOENT;
		at += base;
		len = end - at;
		if (len >= EV_PATH_LEN || (len && at[0] != '/'))
			return -ENOENT;
		snprintf(path, EV_PATH_LEN, "%.*s", (int)len, len ? at : "/");
		if (!len)
			strcpy(path, "/");
		return leads_up(path) ? -ENOENT : 0;
	}
	return -ENOENT;
}

bool cgroup_parent(char path[EV_PATH_LEN])
{
	char *slash = strrchr(path, '/');

	if (!slash || !slash[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* Reads a cgroup's file whole, NUL-ended. */
static int read_file(const struct cgroup_root *root, const char *path, const char *file,
		     char text[FILE_BYTES])
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	char name[EV_PATH_LEN + 32];
	cleanup_close int fd = -1;
	ssize_t got;

	if (root->fd < 0)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s%s%s", path + (path[0] == '/'), path[0] && path[1] ? "/" : "",
		 file);
	fd = (int)syscall(SYS_openat2, root->fd, name, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	got = read(fd, text, FILE_BYTES - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	return 0;
}

int cgroup_read_quota(const struct cgroup_root *root, const char *path, struct cgroup_cpu *cpu)
{
	unsigned long long quota_us = 0, period_us = 0;
	char text[FILE_BYTES];
	int err;

	cpu->quota_ns = cpu->period_ns = 0;
	err = read_file(root, path, root->is_v1 ? "cpu.cfs_quota_us" : "cpu.max", text);
	if (err)
		return err == -ENOENT ? 0 : err; /* the root has none */
	if (text[0] == '-' || !strncmp(text, "max", 3))
		return 0;
	if (root->is_v1) {
		err = sscanf(text, "%llu", &quota_us) == 1 ?
			      read_file(root, path, "cpu.cfs_period_us", text) : -EBADMSG;
		if (err || sscanf(text, "%llu", &period_us) != 1)
			return err ? err : -EBADMSG;
	} else if (sscanf(text, "%llu %llu", &quota_us, &period_us) != 2) {
		return -EBADMSG;
	}
	cpu->quota_ns = quota_us * NSEC_PER_USEC;
	cpu->period_ns = period_us * NSEC_PER_USEC;
	return 0;
}

int cgroup_read_stat(const struct cgroup_root *root, const char *path, struct cgroup_cpu *cpu)
{
	char text[FILE_BYTES], *line, *rest = NULL, key[32];
	unsigned long long value;
	int err = read_file(root, path, "cpu.stat", text);

	if (err)
		return err;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "%31s %llu", key, &value) != 2)
			continue;
		if (!strcmp(key, "nr_periods"))
			cpu->nr_periods = value;
		else if (!strcmp(key, "nr_throttled"))
			cpu->nr_throttled = value;
		else if (!strcmp(key, "throttled_usec"))
			cpu->throttled_ns = value * NSEC_PER_USEC;
		else if (!strcmp(key, "throttled_time"))
			cpu->throttled_ns = value; /* v1: nanoseconds */
	}
	return 0;
}
