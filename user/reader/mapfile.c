/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opens the file behind a mapping: by the mapping itself, or by its path within the target's root.
 */
#include "mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "util.h"

#define FUSE_MAGIC 0x65735546 /* f_type of FUSE, fs/fuse/inode.c */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int check_file(int fd, uint64_t *bytes, struct stat *st)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fstat(fd, st) < 0)
		return -errno;
	if ((uint32_t)fs.f_type == FUSE_MAGIC || !S_ISREG(st->st_mode))
		return -EPERM;
	*bytes = (uint64_t)st->st_size;
	return 0;
}

/* The kernel's own link to the mapped file, deleted or not; it asks for CAP_CHECKPOINT_RESTORE. */
static int open_by_mapping(int proc_fd, const struct maps_line *line)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)line->start,
		 (unsigned long long)line->end);
	fd = openat(proc_fd, name, OPEN_FLAGS);
	return fd < 0 ? -errno : fd;
}

/* Within the target's root, through no magic link: /proc there could lead out again. */
static int open_by_path(int proc_fd, const struct maps_line *line)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, line->path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int mapfile_open(int proc_fd, const struct maps_line *line, uint64_t *bytes)
{
	cleanup_close int fd = open_by_mapping(proc_fd, line);
	struct stat st;
	int err;

	if (fd >= 0) {
		err = check_file(fd, bytes, &st);
		return err ? err : take_fd(&fd);
	}
	if (line->path[0] != '/' || line->is_deleted)
		return -ENOENT;
	fd = open_by_path(proc_fd, line);
	if (fd < 0)
		return fd;
	err = check_file(fd, bytes, &st);
	if (err)
		return err;
	/* The path may lead elsewhere by now. */
	if (st.st_ino != line->inode || major(st.st_dev) != line->dev_major ||
	    minor(st.st_dev) != line->dev_minor)
		return -ESTALE;
	return take_fd(&fd);
}
