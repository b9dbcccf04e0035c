/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opens the file behind a mapping: by the mapping itself, or by its path within the target's root.
 * First as a mere place (O_PATH), which runs no driver and waits for no one; what it is decides
 * whether it is opened for reading.
 */
#include "mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "procinfo.h"
#include "util.h"

#define FUSE_MAGIC	    0x65735546 /* f_type of FUSE, fs/fuse/inode.c */
#define PLACE_FLAGS	    (O_PATH | O_CLOEXEC)
#define READ_FLAGS	    (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define MOUNTINFO_BYTES_MAX (1u << 20)

/* Finds the mount in the text of mountinfo: "ID PARENT MAJ:MIN ROOT WHERE OPTIONS [TAGS] - TYPE
 * ...". */
static bool find_mount(const char *text, uint64_t mount_id, bool *is_fuse)
{
	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n'), *type;
		char *rest;

		if (strtoull(line, &rest, 10) == mount_id && rest > line && *rest == ' ') {
			type = memmem(line, (size_t)(end - line), " - ", 3);
			*is_fuse = type && !strncmp(type + 3, "fuse", 4);
			return true;
		}
		line = *end ? end + 1 : end;
	}
	return false;
}

/*
 * Whether the file is on FUSE, found out without asking that file system, whose process need not
 * answer. One that no mount table shows (a chroot's hides those around it) is asked in the end:
 * then the deadline of a request to the reader is what helps.
 */
static bool is_on_fuse(int proc_fd, uint64_t mount_id)
{
	static const char *const tables[] = { "mountinfo", "/proc/self/mountinfo" };
	bool is_fuse = false;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		cleanup_free char *text = NULL;
		size_t bytes;

		if (!procinfo_read(proc_fd, tables[i], MOUNTINFO_BYTES_MAX, &text, &bytes) &&
		    find_mount(text, mount_id, &is_fuse))
			break;
	}
	return is_fuse;
}

/* Two numbers for one file: overlayfs shows a mapping's layer, btrfs its subvolume, in stat() only.
 */
static bool has_two_devices(const struct statfs *fs)
{
	return (uint32_t)fs->f_type == OVERLAYFS_SUPER_MAGIC ||
	       (uint32_t)fs->f_type == BTRFS_SUPER_MAGIC;
}

/* line: what the file must be; NULL: it is the mapping's, whatever it is. */
static int check_place(int proc_fd, int place_fd, const struct maps_line *line, uint64_t *bytes)
{
	struct statx place;
	struct statfs fs;

	if (statx(place_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_BASIC_STATS | STATX_MNT_ID, &place))
		return -errno;
	if (!S_ISREG(place.stx_mode) ||
	    ((place.stx_mask & STATX_MNT_ID) && is_on_fuse(proc_fd, place.stx_mnt_id)))
		return -EPERM;
	if (fstatfs(place_fd, &fs) < 0)
		return -errno;
	if ((uint32_t)fs.f_type == FUSE_MAGIC)
		return -EPERM;
	/* The path may lead elsewhere by now. */
	if (line && (place.stx_ino != line->inode || ((place.stx_dev_major != line->dev_major ||
						       place.stx_dev_minor != line->dev_minor) &&
						      !has_two_devices(&fs))))
		return -ESTALE;
	*bytes = place.stx_size;
	return 0;
}

/* The very file that was looked at, whatever its name is by now. */
static int open_place(int place_fd)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", place_fd);
	fd = open(path, READ_FLAGS);
	return fd < 0 ? -errno : fd;
}

/* The kernel's own link to the mapped file, deleted or not; it asks for CAP_CHECKPOINT_RESTORE. */
static int find_by_mapping(int proc_fd, const struct maps_line *line)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)line->start,
		 (unsigned long long)line->end);
	fd = openat(proc_fd, name, PLACE_FLAGS);
	return fd < 0 ? -errno : fd;
}

/*
 * The kernel writes the path as we see it, if we see it, else as the target's mount namespace does.
 * In a chroot among our own mounts the root's path comes first in it.
 */
static const char *path_in_root(int proc_fd, const char *path)
{
	char root[PATH_MAX];
	ssize_t bytes = readlinkat(proc_fd, "root", root, sizeof(root));

	if (bytes <= 1 || strncmp(path, root, (size_t)bytes) != 0 || path[bytes] != '/')
		return path;
	return path + bytes;
}

/* Within the target's root, through no magic link: /proc there could lead out again. */
static int find_by_path(int proc_fd, const struct maps_line *line)
{
	struct open_how how = {
		.flags = PLACE_FLAGS,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path_in_root(proc_fd, line->path), &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int mapfile_open(int proc_fd, const struct maps_line *line, uint64_t *bytes)
{
	cleanup_close int place_fd = find_by_mapping(proc_fd, line);
	bool is_mapping = place_fd >= 0;
	int err;

	if (!is_mapping && (line->path[0] != '/' || line->is_deleted))
		return -ENOENT;
	if (!is_mapping)
		place_fd = find_by_path(proc_fd, line);
	if (place_fd < 0)
		return place_fd;
	err = check_place(proc_fd, place_fd, is_mapping ? NULL : line, bytes);
	return err ? err : open_place(place_fd);
}
