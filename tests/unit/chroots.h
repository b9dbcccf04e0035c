/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Interpreters with a root directory of their own (scripts/chroots.sh), for tests that start them. */
#ifndef CHROOTS_H
#define CHROOTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline const char *chroots_folder(void)
{
	const char *folder = getenv("LOOPHOUND_CHROOTS");

	return folder && folder[0] ? folder : "/var/cache/loophound/chroots";
}

/* A pattern for glob(3); it matches nothing for who may not chroot(2). */
static inline void chroots_pattern(char *pattern, size_t bytes, const char *minor)
{
	snprintf(pattern, bytes, "%s/*/usr/bin/python3.%s", geteuid() == 0 ? chroots_folder() : "/nowhere", minor);
}

/* In the child that is to become the program: goes where it is at home.  Its path there. */
static inline const char *chroots_enter(const char *path)
{
	const char *folder = chroots_folder(), *slash;
	size_t bytes = strlen(folder);
	char root[512];

	if (strncmp(path, folder, bytes) != 0 || path[bytes] != '/')
		return path;
	slash = strchr(path + bytes + 1, '/');
	snprintf(root, sizeof(root), "%.*s", (int)(slash - path), path);
	if (chroot(root) || chdir("/"))
		_exit(126);
	return slash;
}

#endif
