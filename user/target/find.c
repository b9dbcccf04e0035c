/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "util.h"

ssize_t find_read(pid_t pid, const char *file, char *buf, size_t size)
{
	cleanup_close int fd = -1;
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, buf, size - 1);
	if (got >= 0)
		buf[got] = '\0';
	return got;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool find_has_name(const char *name_glob, const char *comm, const char *args, size_t args_bytes)
{
	const char *arg = args, *end = args + args_bytes;
	char name[4096];
	size_t len;

	if (!name_glob || !fnmatch(name_glob, comm, 0))
		return true;
	/* The interpreter and the script: `python3 app.py` is found as app.py too. */
	for (int i = 0; i < 2 && arg < end; i++) {
		len = strnlen(arg, (size_t)(end - arg));
		if (len < sizeof(name)) {
			memcpy(name, arg, len);
			name[len] = '\0';
			if (!fnmatch(name_glob, last_part(name), 0))
				return true;
		}
		arg += len + 1;
	}
	return false;
}

static bool has_name(pid_t pid, const char *glob)
{
	char comm[64], args[4096];
	ssize_t got;

	if (!glob)
		return true;
	if (find_read(pid, "comm", comm, sizeof(comm)) <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	got = find_read(pid, "cmdline", args, sizeof(args));
	return find_has_name(glob, comm, args, got > 0 ? (size_t)got : 0);
}

/* path is wanted, or below it; both begin with a slash. */
static bool is_below(const char *path, const char *wanted)
{
	size_t len = strlen(wanted);

	while (len && wanted[len - 1] == '/')
		len--;
	return !strncmp(path, wanted, len) && (!path[len] || path[len] == '/');
}

bool find_text_has_cgroup(const char *text, const char *wanted)
{
	static const char root[] = "/sys/fs/cgroup";
	char path[FIND_CGROUPS_BYTES];

	if (is_below(wanted, root))
		wanted += sizeof(root) - 1;
	while (*text) {
		/* "0::/path", or "4:memory:/path" for each controller of version 1. */
		size_t bytes = strcspn(text, "\n");
		const char *slash = memchr(text, '/', bytes);

		if (slash) {
			snprintf(path, sizeof(path), "%.*s", (int)(text + bytes - slash), slash);
			if (is_below(path, *wanted ? wanted : "/"))
				return true;
		}
		text += bytes + (text[bytes] == '\n');
	}
	return false;
}

bool find_is_in_cgroup(pid_t pid, const char *wanted)
{
	char text[FIND_CGROUPS_BYTES];

	if (!wanted)
		return true;
	return find_read(pid, "cgroup", text, sizeof(text)) > 0 && find_text_has_cgroup(text, wanted);
}

/* Equal records, one after the other. */
struct records {
	char *data;
	size_t nr, bytes; /* how many; of one */
};

static int add(struct records *records, const void *record)
{
	char *grown;

	if (records->nr % 256 == 0) {
		grown = realloc(records->data, (records->nr + 256) * records->bytes);
		if (!grown)
			return -ENOMEM;
		records->data = grown;
	}
	memcpy(records->data + records->nr++ * records->bytes, record, records->bytes);
	return 0;
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int scan(find_look *look, const void *ctx, struct records *records)
{
	cleanup(closedirp) DIR *dir = opendir("/proc");
	char record[FIND_RECORD_BYTES];
	struct dirent *entry;
	pid_t pid;
	int err;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid == getpid() || !look(ctx, pid, record))
			continue;
		err = add(records, record);
		if (err)
			return err;
	}
	return (int)records->nr;
}

#define SCAN_DEADLINE_MS 2000

/* Takes the records that a scanning child writes; kills it if it does not come to an end. */
static int take_records(pid_t child, int fd, struct records *records)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char record[FIND_RECORD_BYTES];
	int err = 0;

	while (!err) {
		err = poll(&ready, 1, SCAN_DEADLINE_MS) > 0 ? 0 : -ETIMEDOUT;
		if (!err && read(fd, record, records->bytes) != (ssize_t)records->bytes)
			break;
		if (!err)
			err = add(records, record);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, err == -ETIMEDOUT ? WNOHANG : 0);
	return err ? err : (int)records->nr;
}

/*
 * A command line is the target's own memory, and reading it can wait without end (FUSE).  So a search by
 * name is done by a child that can be killed.
 */
static int scan_in_child(find_look *look, const void *ctx, struct records *records)
{
	cleanup_close int from_child = -1;
	pid_t child, parent = getpid();
	int fds[2], nr;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	from_child = fds[0];
	child = fork();
	if (child == 0) {
		nr = scan(look, ctx, records);
		for (int i = 0; i < nr; i++) {
			const char *record = records->data + (size_t)i * records->bytes;

			/* Each begins with its pid. */
			if (memcmp(record, &parent, sizeof(parent)) != 0 &&
			    write(fds[1], record, records->bytes) < 0)
				break;
		}
		_exit(0);
	}
	close(fds[1]);
	return child < 0 ? -errno : take_records(child, from_child, records);
}

int find_in_child(find_look *look, const void *ctx, size_t bytes, void *out)
{
	struct records records = { .bytes = bytes };
	int nr = scan_in_child(look, ctx, &records);

	if (nr < 0)
		free(records.data);
	else
		*(void **)out = records.data;
	return nr;
}

static bool passes(const void *ctx, pid_t pid, void *record)
{
	const struct find_filter *filter = ctx;

	memcpy(record, &pid, sizeof(pid));
	return has_name(pid, filter->name_glob) && find_is_in_cgroup(pid, filter->cgroup);
}

int find_processes(const struct find_filter *filter, pid_t **pids)
{
	struct records records = { .bytes = sizeof(pid_t) };
	int nr = filter->name_glob ? scan_in_child(passes, filter, &records) :
				     scan(passes, filter, &records);

	if (nr < 0)
		free(records.data);
	else
		*pids = (pid_t *)(void *)records.data;
	return nr;
}

/* The value of a line "Name:\tvalue" of /proc/PID/status; -1. */
static long status_value(pid_t pid, const char *name)
{
	char buf[4096];
	const char *line;

	if (find_read(pid, "status", buf, sizeof(buf)) <= 0)
		return -1;
	line = strstr(buf, name);
	return line ? strtol(line + strlen(name), NULL, 10) : -1;
}

uint64_t find_start_ticks(pid_t pid)
{
	char buf[1024], *rest;

	if (find_read(pid, "stat", buf, sizeof(buf)) <= 0)
		return 0;
	rest = strrchr(buf, ')'); /* the name may have any character in it */
	for (int field = 2; rest && field < 22; field++)
		rest = strchr(rest + 1, ' ');
	return rest ? strtoull(rest, NULL, 10) : 0;
}

int find_exists(pid_t pid)
{
	long tgid = status_value(pid, "\nTgid:");

	if (tgid < 0)
		return -ESRCH;
	return tgid == pid ? 0 : -EINVAL;
}

pid_t find_parent(pid_t pid)
{
	return (pid_t)max(status_value(pid, "\nPPid:"), 0L);
}

int find_descendants(pid_t pid, pid_t **pids)
{
	struct find_filter all = { NULL, NULL };
	cleanup_free pid_t *every = NULL;
	cleanup_free long *parents = NULL;
	struct records found = { .bytes = sizeof(pid_t) };
	int nr_every = find_processes(&all, &every);
	size_t seen = 0;

	if (nr_every < 0)
		return nr_every;
	parents = calloc((size_t)nr_every + 1, sizeof(*parents));
	if (!parents)
		return -ENOMEM;
	for (int i = 0; i < nr_every; i++)
		parents[i] = status_value(every[i], "\nPPid:");
	for (pid_t parent = pid; parent;) {
		for (int i = 0; i < nr_every; i++)
			if (parents[i] == parent && add(&found, &every[i])) {
				free(found.data);
				return -ENOMEM;
			}
		parent = 0;
		if (seen < found.nr)
			memcpy(&parent, found.data + seen++ * sizeof(parent), sizeof(parent));
	}
	*pids = (pid_t *)(void *)found.data;
	return (int)found.nr;
}

#define HOST_PID_NAMESPACE 0xEFFFFFFCU /* PROC_PID_INIT_INO of the kernel, the same since 3.8 */

uint32_t find_pid_namespace(void)
{
	struct stat ns;

	return stat("/proc/self/ns/pid", &ns) || ns.st_ino == HOST_PID_NAMESPACE ? 0 : (uint32_t)ns.st_ino;
}

bool find_has_own_proc(void)
{
	cleanup_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char buf[4096] = "";
	unsigned own, below;
	const char *line;

	/* Of us it has our numbers from its own namespace down to ours; one that cannot see us has no self. */
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return false;
	line = strstr(buf, "\nNSpid:");
	return !line || (sscanf(line, "\nNSpid: %u%*[\t ]%u", &own, &below) == 1 && own == (unsigned)getpid());
}

bool find_has_host_clock(void)
{
	cleanup_close int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	char buf[256] = "", *line;
	long seconds = 0, ns = 0;

	/* Kernels without time namespaces (before 5.6) do not have the file. */
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return true;
	line = strstr(buf, "boottime");
	return !line || sscanf(line, "boottime %ld %ld", &seconds, &ns) != 2 || (!seconds && !ns);
}
