/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "json.h"
#include "util.h"

#define LINE_LEN 1024
#define OUT_LEN	 (LINE_LEN * 6 + 256) /* each byte may become \u00xx */

static enum log_level log_level = LOG_WARN;
static bool log_is_json;
/* Of log_never_wait(). */
static bool never_waits, is_socket;
static int own_fd = -1; /* a description of our own; -1: standard error as it is */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the rest is what threads share */
static char rest[OUT_LEN]; /* of a line that there was room for in part */
static size_t rest_bytes;
static unsigned long long nr_lost; /* since that was said last */

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

void log_set_json(bool is_json)
{
	log_is_json = is_json;
}

/* The object, at most bytes long with its newline; 0: no memory. */
static size_t format_json(char *out, size_t bytes, enum log_level level, pid_t pid,
			  const char *line)
{
	static const char *const names[] = { "info", "error", "warning", "info", "debug" };
	char date[32], time[64];
	struct json json = { .out = fmemopen(out, bytes, "w") };
	struct timespec now;
	struct tm tm;

	if (!json.out)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time, sizeof(time), "%s.%06ldZ", date, now.tv_nsec / 1000);
	json_object(&json, NULL);
	json_string(&json, "schema", "loophound/1");
	json_string(&json, "type", "log");
	json_string(&json, "time", time);
	json_string(&json, "level", names[level]);
	json_string(&json, "message", line);
	if (pid)
		json_i64(&json, "pid", pid);
	json_object_end(&json);
	json_line_end(&json);
	return fclose(json.out) ? 0 : strlen(out);
}

static size_t format(char *out, size_t bytes, enum log_level level, pid_t pid, const char *line)
{
	static const char *const prefix[] = { "", "error: ", "warning: ", "", "debug: " };
	size_t done = log_is_json ? format_json(out, bytes, level, pid, line) : 0;

	return done ? done : (size_t)snprintf(out, bytes, "loophound: %s%s\n", prefix[level], line);
}

/* As much as there is room for, without waiting. */
static size_t write_some(const char *data, size_t bytes)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n = -1;

	if (own_fd >= 0)
		n = write(own_fd, data, bytes);
	else if (is_socket)
		n = send(STDERR_FILENO, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (poll(&room, 1, 0) == 1 && room.revents & POLLOUT)
		n = write(STDERR_FILENO, data, min(bytes, (size_t)PIPE_BUF));
	return n > 0 ? (size_t)n : 0;
}

/* Whole, or what is left of it goes before the next; false: nothing of it. */
static bool put(const char *data, size_t bytes)
{
	size_t done = 0, n;

	do {
		n = write_some(data + done, bytes - done);
		done += n;
	} while (n && done < bytes);
	if (!done)
		return false;
	rest_bytes = bytes - done;
	memmove(rest, data + done, rest_bytes);
	return true;
}

/* What nobody has read is what the next one finds in its way: it is lost, and the first that finds
 * room says so. */
static bool put_without_waiting(const char *out, size_t bytes)
{
	char lost[LINE_LEN], said[OUT_LEN];

	if (rest_bytes && (!put(rest, rest_bytes) || rest_bytes))
		return false;
	if (nr_lost) {
		snprintf(lost, sizeof(lost),
			 "%llu message%s lost here: nobody read what was before", nr_lost,
			 nr_lost == 1 ? " is" : "s are");
		if (!put(said, format(said, sizeof(said), LOG_WARN, 0, lost)))
			return false;
		nr_lost = 0;
	}
	return !rest_bytes && put(out, bytes);
}

/* One write a line: lines of two threads, or of the web process and of the daemon, do not mix. */
static void write_line(enum log_level level, pid_t pid, const char *fmt, va_list ap)
{
	char line[LINE_LEN], out[OUT_LEN];
	size_t bytes;

	vsnprintf(line, sizeof(line), fmt, ap);
	bytes = format(out, sizeof(out), level, pid, line);
	if (!never_waits) {
		fwrite(out, 1, bytes, stderr);
		return;
	}
	pthread_mutex_lock(&lock);
	nr_lost += !put_without_waiting(out, bytes);
	pthread_mutex_unlock(&lock);
}

/*
 * Not to wait is a property of a description, which whoever started us has too, so a pipe and a
 * terminal are opened again.  Whose they are may forbid that: then it is asked whether there is
 * room, and only what else writes there just then can make us wait.
 */
void log_never_wait(void)
{
	struct stat status;

	if (never_waits || fstat(STDERR_FILENO, &status))
		return;
	never_waits = true;
	is_socket = S_ISSOCK(status.st_mode);
	if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))
		own_fd = open("/proc/self/fd/2",
			      O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	write_line(level, 0, fmt, ap);
	va_end(ap);
}

void log_about(enum log_level level, pid_t pid, const char *fmt, ...)
{
	va_list ap;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	write_line(level, pid, fmt, ap);
	va_end(ap);
}
