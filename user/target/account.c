/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reads /proc/TID/stat and schedstat, which need no permission and take no lock of the target's memory. */
#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

static int read_file(pid_t tid, const char *name, char *text, size_t size)
{
	cleanup_close int fd = -1;
	char path[64];
	ssize_t nr;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	nr = read(fd, text, size - 1);
	if (nr < 0)
		return -errno;
	text[nr] = '\0';
	return 0;
}

int account_read(pid_t tid, struct account *out)
{
	unsigned long long exec_ns;
	char text[1024], *state;
	int err = read_file(tid, "stat", text, sizeof(text));

	if (err)
		return err;
	/* The name before it may have parentheses and spaces itself. */
	state = strrchr(text, ')');
	if (!state || state[1] != ' ' || !state[2])
		return -EBADMSG;
	out->is_runnable = state[2] == 'R';
	err = read_file(tid, "schedstat", text, sizeof(text));
	if (err)
		return err;
	if (sscanf(text, "%llu", &exec_ns) != 1)
		return -EBADMSG;
	out->exec_ns = exec_ns;
	return 0;
}
