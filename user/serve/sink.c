/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A write that fails is counted and tried again with the next line: a disk that is full for an hour
 * costs an hour's lines, not the service.  Nothing waits: a pipe that is not read is full, and its
 * lines are lost and counted.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "journal.h"
#include "util.h"

#define HISTORY_LINE_MAX \
	65536 /* a longer one is not remembered; the longest of 128 frames is about half */

#define HISTORY_BYTES_MAX (16u << 20) /* of all together: an answer has to hold them */

struct sink {
	enum breach_sink to;
	int fd; /* -1: none */
	bool is_socket;
	char *rest; /* of a line that was written in part */
	size_t rest_bytes;
	char path[PATH_MAX];
	uint64_t bytes, max_bytes, keep;
	struct ration *ration;
	char **history; /* a ring */
	uint64_t nr_history, next, history_bytes;
	struct sink_stats stats;
};

/* A line that a crash or a full disk cut must not take the next one with it. */
static int end_line(int fd, uint64_t *bytes)
{
	char last = '\n';

	if (*bytes && pread(fd, &last, 1, (off_t)*bytes - 1) != 1)
		return -EIO;
	if (last == '\n')
		return 0;
	if (write(fd, "\n", 1) != 1)
		return errno ? -errno : -EIO;
	++*bytes;
	return 0;
}

/* Its descriptor, and how long it is; or a negative errno. */
static int open_path(const char *path, uint64_t *bytes)
{
	cleanup_close int fd =
		open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0640);
	struct stat status;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return -EINVAL;
	*bytes = (uint64_t)status.st_size;
	err = end_line(fd, bytes);
	return err ? err : take_fd(&fd);
}

static int open_file(struct sink *sink)
{
	int fd = open_path(sink->path, &sink->bytes);

	if (fd < 0)
		return fd;
	sink->fd = fd;
	return 0;
}

/*
 * A description of our own, so that not to wait is not decided for who shares standard output; a
 * socket has none, and each send says so.
 */
static int open_stdout(bool *is_socket)
{
	struct stat status;
	int fd;

	if (fstat(STDOUT_FILENO, &status))
		return -errno;
	*is_socket = S_ISSOCK(status.st_mode);
	fd = *is_socket ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
			: open("/proc/self/fd/1",
			       O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* As much as there is room for, without waiting. */
static size_t write_some(struct sink *sink, const char *data, size_t bytes)
{
	ssize_t n = sink->is_socket ? send(sink->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(sink->fd, data, bytes);

	return n > 0 ? (size_t)n : 0;
}

/* What a full pipe did not take of the last line goes before the next: a line is whole, or not
 * there. */
static bool write_rest(struct sink *sink)
{
	size_t done;

	if (!sink->rest)
		return true;
	done = write_some(sink, sink->rest, sink->rest_bytes);
	sink->rest_bytes -= done;
	sink->bytes += done;
	memmove(sink->rest, sink->rest + done, sink->rest_bytes);
	if (sink->rest_bytes)
		return false;
	free(take(sink->rest));
	return true;
}

/* What is left of a line gets a last chance, or is counted as lost. */
static void close_file(struct sink *sink)
{
	if (sink->fd >= 0 && !write_rest(sink))
		sink->stats.failed++;
	closep(&sink->fd);
	sink->fd = -1;
	sink->is_socket = false;
	free(take(sink->rest));
	sink->rest_bytes = 0;
}

/* F becomes F.1, which was F.2, ...; the oldest goes. */
static void rotate(struct sink *sink)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 32];

	close_file(sink);
	for (uint64_t i = sink->keep; i > 0; i--) {
		if (i == 1)
			snprintf(from, sizeof(from), "%s", sink->path);
		else
			snprintf(from, sizeof(from), "%s.%llu", sink->path,
				 (unsigned long long)i - 1);
		snprintf(to, sizeof(to), "%s.%llu", sink->path, (unsigned long long)i);
		(void)rename(from, to); /* not there yet, or the next open says why */
	}
	if (!sink->keep)
		(void)unlink(sink->path);
	(void)open_file(sink);
}

static void forget(struct sink *sink, uint64_t at)
{
	if (!sink->history[at])
		return;
	sink->history_bytes -= strlen(sink->history[at]);
	free(take(sink->history[at]));
}

static int resize_history(struct sink *sink, uint64_t nr)
{
	char **history = nr ? calloc(nr, sizeof(*history)) : NULL;
	uint64_t kept = min(nr, sink->nr_history);

	if (nr && !history)
		return -ENOMEM;
	/* The newest `kept`, oldest of them first, so that the ring goes on behind them. */
	for (uint64_t i = 0; i < kept; i++) {
		uint64_t from = (sink->next + sink->nr_history - kept + i) % sink->nr_history;

		history[i] = take(sink->history[from]);
	}
	for (uint64_t i = 0; i < sink->nr_history; i++)
		forget(sink, i);
	free(sink->history);
	sink->history = history;
	sink->nr_history = nr;
	sink->next = nr ? kept % nr : 0;
	return 0;
}

/* Where config wants lines; -1: nowhere. A negative errno: it cannot be opened. */
static int open_target(const struct serve_config *config, int *fd, uint64_t *bytes, bool *is_socket)
{
	*fd = -1;
	switch (config->breaches.to) {
	case SINK_STDOUT: *fd = open_stdout(is_socket); break;
	case SINK_FILE: *fd = open_path(config->breaches.file, bytes); break;
	case SINK_JOURNAL: *fd = journal_connect(JOURNAL_SOCKET); break;
	case SINK_NONE: return 0;
	}
	return min(*fd, 0);
}

int sink_reopen(struct sink *sink, const struct serve_config *config, char why[YAML_ERROR_LEN])
{
	enum breach_sink to = config->breaches.to;
	bool is_socket = false;
	uint64_t bytes = 0;
	int fd, err = open_target(config, &fd, &bytes, &is_socket);

	if (err) {
		snprintf(why, YAML_ERROR_LEN, "%.300s: %s",
			 to == SINK_FILE      ? config->breaches.file
			 : to == SINK_JOURNAL ? "the journal, " JOURNAL_SOCKET
					      : "standard output",
			 err == -EINVAL ? "not a regular file" : strerror(-err));
		return err;
	}
	err = resize_history(sink, config->breaches.history);
	if (err) {
		closep(&fd);
		snprintf(why, YAML_ERROR_LEN, "no memory");
		return err;
	}
	close_file(sink);
	sink->to = to;
	sink->fd = fd;
	sink->bytes = bytes;
	sink->is_socket = is_socket;
	sink->max_bytes = config->breaches.max_bytes;
	sink->keep = config->breaches.keep;
	ration_set(sink->ration, config->breaches.per_second);
	snprintf(sink->path, sizeof(sink->path), "%s", config->breaches.file);
	return 0;
}

int sink_open(struct sink **out, const struct serve_config *config, char why[YAML_ERROR_LEN])
{
	struct sink *sink = calloc(1, sizeof(*sink));
	int err;

	if (!sink)
		return -ENOMEM;
	sink->fd = -1;
	err = ration_new(&sink->ration, config->breaches.per_second);
	if (!err)
		err = sink_reopen(sink, config, why);
	if (err) {
		sink_free(sink);
		return err;
	}
	*out = sink;
	return 0;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	(void)resize_history(sink, 0);
	close_file(sink);
	ration_free(sink->ration);
	free(sink);
}

/* So many lines and so many bytes: whichever bound is met first, the oldest goes. */
static void remember(struct sink *sink, const char *line, size_t bytes)
{
	if (!sink->nr_history || bytes > HISTORY_LINE_MAX)
		return;
	forget(sink, sink->next);
	for (uint64_t i = 1;
	     sink->history_bytes + bytes > HISTORY_BYTES_MAX && i < sink->nr_history; i++)
		forget(sink, (sink->next + i) % sink->nr_history);
	sink->history[sink->next] = strndup(line, bytes);
	if (sink->history[sink->next])
		sink->history_bytes += strlen(sink->history[sink->next]);
	sink->next = (sink->next + 1) % sink->nr_history;
}

static int write_line(struct sink *sink, const char *line, size_t bytes)
{
	cleanup_free char *whole = malloc(bytes + 1);
	size_t done;

	if (!whole || !write_rest(sink))
		return -EAGAIN;
	memcpy(whole, line, bytes);
	whole[bytes] = '\n';
	done = write_some(sink, whole, bytes + 1);
	sink->bytes += done;
	if (!done)
		return -EIO;
	if (done == bytes + 1)
		return 0;
	sink->rest_bytes = bytes + 1 - done;
	memmove(whole, whole + done, sink->rest_bytes);
	sink->rest = take(whole);
	return 0;
}

bool sink_wants_entry(const struct sink *sink)
{
	return sink->to == SINK_JOURNAL;
}

static int write_file_line(struct sink *sink, const char *line, size_t bytes)
{
	if (sink->fd >= 0 && sink->bytes && sink->bytes + bytes + 1 > sink->max_bytes)
		rotate(sink);
	if (sink->fd < 0)
		(void)open_file(sink);
	return sink->fd < 0 ? -EIO : write_line(sink, line, bytes);
}

/* A journald that was restarted listens anew. */
static int write_entry(struct sink *sink, const char *entry, size_t bytes)
{
	int err = sink->fd < 0 ? -ENOTCONN : journal_send(sink->fd, entry, bytes);

	if (err != -ECONNREFUSED && err != -ENOTCONN && err != -ECONNRESET)
		return err;
	closep(&sink->fd);
	sink->fd = journal_connect(JOURNAL_SOCKET);
	return sink->fd < 0 ? sink->fd : journal_send(sink->fd, entry, bytes);
}

static void write_out(struct sink *sink, const char *line, size_t bytes, const char *entry,
		      size_t entry_bytes)
{
	int err = -EIO;

	if (sink->to == SINK_FILE)
		err = write_file_line(sink, line, bytes);
	else if (sink->to == SINK_STDOUT)
		err = write_line(sink, line, bytes);
	else if (entry)
		err = write_entry(sink, entry, entry_bytes);
	sink->stats.failed += err != 0;
}

void sink_line(struct sink *sink, const struct ration_of *of, const char *line, size_t bytes,
	       const char *entry, size_t entry_bytes, uint64_t now_ns)
{
	enum ration_verdict verdict;

	remember(sink, line, bytes);
	if (sink->to == SINK_NONE)
		return;
	sink->stats.lines++;
	verdict = ration_ask(sink->ration, of, now_ns);
	if (verdict == RATION_GIVEN)
		write_out(sink, line, bytes, entry, entry_bytes);
	sink->stats.held_of_target += verdict == RATION_TARGET;
	sink->stats.held_overall += verdict == RATION_OVERALL;
}

bool sink_tick(struct sink *sink, uint64_t now_ns, struct ration_held *held)
{
	return ration_tick(sink->ration, now_ns, held);
}

void sink_note(struct sink *sink, const char *line, size_t bytes, const char *entry,
	       size_t entry_bytes)
{
	sink->stats.lines++;
	write_out(sink, line, bytes, entry, entry_bytes);
}

void sink_history(const struct sink *sink, FILE *out)
{
	bool is_first = true;

	putc('[', out);
	for (uint64_t i = 1; i <= sink->nr_history; i++) {
		const char *line =
			sink->history[(sink->next + sink->nr_history - i) % sink->nr_history];

		if (!line)
			break;
		fprintf(out, "%s\n%s", is_first ? "" : ",", line);
		is_first = false;
	}
	fputs("]\n", out);
}

void sink_get_stats(const struct sink *sink, struct sink_stats *stats)
{
	*stats = sink->stats;
}
