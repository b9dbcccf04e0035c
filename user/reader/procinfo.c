/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reads and parses the small files of /proc/PID. */
#include "procinfo.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "util.h"

#define PF_KTHREAD	 0x00200000u /* include/linux/sched.h; unchanged since 2.6 */
#define FIELD_FLAGS	 9
#define FIELD_START	 22
#define STAT_BYTES_MAX	 4096
#define READ_STEP	 65536

int procinfo_open(pid_t pid)
{
	char path[32];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

int procinfo_read(int proc_fd, const char *name, size_t max_bytes, char **text, size_t *bytes)
{
	cleanup_close int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cleanup_free char *buf = NULL;
	size_t len = 0, room = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (len + 1 >= room) {
			char *grown = realloc(buf, room ? room * 2 : READ_STEP);

			if (!grown)
				return -ENOMEM;
			buf = grown;
			room = room ? room * 2 : READ_STEP;
		}
		n = read(fd, buf + len, min(room - len - 1, max_bytes - len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (n == 0 || len == max_bytes)
			break;
	}
	buf[len] = '\0';
	*text = take(buf);
	*bytes = len;
	return 0;
}

/* The field as a number; the text starts at field 3 and ends with NUL. */
static int stat_field(const char *text, unsigned field, uint64_t *value)
{
	char *end;

	for (unsigned at = 3; at < field; at++) {
		text = strchr(text, ' ');
		if (!text)
			return -EBADMSG;
		text++;
	}
	if (!isdigit((unsigned char)*text))
		return -EBADMSG;
	errno = 0;
	*value = strtoull(text, &end, 10);
	/* Without what follows it, the number may be cut. */
	if (errno || (*end != ' ' && *end != '\n'))
		return -EBADMSG;
	return 0;
}

/* "pid (comm) S ...": comm may hold spaces, newlines and parentheses, so the last ')' ends it. */
int procinfo_parse_stat(const char *text, size_t bytes, struct procinfo_stat *stat)
{
	const char *open = memchr(text, '(', bytes);
	const char *close = memrchr(text, ')', bytes);
	char rest[1024];
	size_t comm_bytes, rest_bytes;
	uint64_t flags, start;

	if (!open || !close || close < open || (size_t)(text + bytes - close) < 4)
		return -EBADMSG;
	rest_bytes = min((size_t)(text + bytes - close) - 2, sizeof(rest) - 1);
	memcpy(rest, close + 2, rest_bytes);
	rest[rest_bytes] = '\0';
	if (stat_field(rest, FIELD_FLAGS, &flags) || stat_field(rest, FIELD_START, &start))
		return -EBADMSG;

	memset(stat, 0, sizeof(*stat));
	stat->state = rest[0];
	stat->flags = (uint32_t)flags;
	stat->start_ticks = start;
	comm_bytes = min((size_t)(close - open - 1), sizeof(stat->comm) - 1);
	memcpy(stat->comm, open + 1, comm_bytes);
	return 0;
}

/* "NSpid:\t4711\t12\t1": from the reader's namespace to the innermost one. */
uint32_t procinfo_parse_nspid(const char *text, size_t bytes)
{
	static const char key[] = "\nNSpid:";
	const char *at = memmem(text, bytes, key, strlen(key));
	const char *end = text + bytes;
	uint64_t number = 0;

	if (!at)
		return 0;
	for (at += strlen(key); at < end && *at != '\n'; at++) {
		if (!isdigit((unsigned char)*at))
			continue;
		if (!isdigit((unsigned char)at[-1]))
			number = 0;
		number = number * 10 + (uint64_t)(*at - '0');
		if (number > INT32_MAX)
			return 0;
	}
	return (uint32_t)number;
}

bool procinfo_parse_number(const char *text, size_t bytes, const char *name, unsigned index,
			   uint32_t *value)
{
	const char *end = text + bytes, *at = memmem(text, bytes, name, strlen(name));

	if (!at)
		return false;
	for (at += strlen(name);; index--) {
		uint64_t number = 0;
		const char *first;

		while (at < end && (*at == '\t' || *at == ' '))
			at++;
		for (first = at; at < end && isdigit((unsigned char)*at) && number <= UINT32_MAX; at++)
			number = number * 10 + (uint64_t)(*at - '0');
		if (at == first || number > UINT32_MAX)
			return false;
		if (!index) {
			*value = (uint32_t)number;
			return true;
		}
	}
}

/* The kernel makes all of it for one read. */
static int read_stat(int fd, struct procinfo_stat *stat)
{
	char text[STAT_BYTES_MAX];
	ssize_t n = read(fd, text, sizeof(text));

	return n < 0 ? -errno : procinfo_parse_stat(text, (size_t)n, stat);
}

int procinfo_stat(int proc_fd, struct procinfo_stat *stat)
{
	cleanup_close int fd = openat(proc_fd, "stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return read_stat(fd, stat);
}

int procinfo_stat_of(pid_t pid, struct procinfo_stat *stat)
{
	cleanup_close int fd = -1;
	char path[32];

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return read_stat(fd, stat);
}

bool procinfo_is_kernel_thread(const struct procinfo_stat *stat)
{
	return stat->flags & PF_KTHREAD;
}
