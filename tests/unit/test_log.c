/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Messages as text and as JSON: what a process is called can break neither; who does not read them stops nobody. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "log.h"
#include "stderr_of.h"

static char got[16384];

/* What standard error got of one line. */
static const char *said(enum log_level level, pid_t pid, const char *text)
{
	struct stderr_of of;

	stderr_begin(&of);
	if (pid)
		log_about(level, pid, "%s", text);
	else
		log_write(level, "%s", text);
	return stderr_end(&of, got, sizeof(got));
}

static const char *message(const char *text)
{
	char *from = strstr(said(LOG_ERR, 0, text), "\"message\":\"");

	assert_non_null(from);
	from += strlen("\"message\":\"");
	assert_memory_equal(from + strlen(from) - 3, "\"}\n", 3);
	from[strlen(from) - 3] = '\0';
	return from;
}

static void lines_are_objects(void **state)
{
	const char *line;

	(void)state;
	log_set_json(true);
	line = said(LOG_WARN, 4711, "process 4711 python3: ok");
	assert_memory_equal(line, "{\"schema\":\"loophound/1\",\"type\":\"log\",\"time\":\"2", 46);
	assert_non_null(strstr(line, "Z\",\"level\":\"warning\",\"message\":\"process 4711 "
				     "python3: ok\",\"pid\":4711}\n"));
	assert_string_equal(said(LOG_DEBUG, 0, "not told"), "");
	assert_non_null(strstr(said(LOG_NOTE, 0, "a"), "\"level\":\"info\",\"message\":\"a\"}\n"));
	log_set_json(false);
	assert_string_equal(said(LOG_WARN, 4711, "a"), "loophound: warning: a\n");
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void no_byte_breaks_out(void **state)
{
	char all[256];

	(void)state;
	log_set_json(true);
	assert_string_equal(message("a\"b\\c"), "a\\\"b\\\\c");
	assert_string_equal(message("\x1b[2J\n\x7f"), "\\u001b[2J\\u000a\\u007f");
	assert_string_equal(message("\xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x95"),
			    "\xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x95");
	assert_string_equal(message("\xc2\x9b"), "\\u009b"); /* a terminal's other escape */
	assert_string_equal(message("\xe2\x80\xae"), "\\u202e"); /* turns the direction of what follows */
	/* Cut, overlong, a surrogate, past the last. */
	assert_string_equal(message("\xc3"), BAD);
	assert_string_equal(message("\xe2\x82"), BAD);
	assert_string_equal(message("\xc0\x80"), BAD BAD);
	assert_string_equal(message("\xe0\x80\x80"), BAD);
	assert_string_equal(message("\xed\xa0\x80"), BAD);
	assert_string_equal(message("\xf4\x90\x80\x80"), BAD);
	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	for (const char *c = message(all); *c; c++)
		assert_true(((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f) || strchr(BAD, *c));
	log_set_json(false);
}

static void the_longest_line_fits(void **state)
{
	static char longest[4096];

	(void)state;
	memset(longest, '\x01', sizeof(longest) - 1);
	log_set_json(true);
	assert_int_equal(strlen(message(longest)), 1023 * 6);
	log_set_json(false);
}

/* ---- without waiting ---- */

#define PAGE	   4096
#define PIPE_BYTES (4 * PAGE) /* there is room, says poll(), while a page of it is free */
#define PATIENCE_MS 10000
#define NOBODY	   65534

/* A process with a standard error of its own, which never waits; ends with its test. */
static pid_t teller;
static int to_teller;

static void tell_on(int fd, int orders, const char *text, bool is_json, bool is_nobody)
{
	unsigned char nr;

	dup2(fd, STDERR_FILENO);
	if (is_nobody && !geteuid() && (setegid(NOBODY) || seteuid(NOBODY)))
		_exit(1);
	log_set_json(is_json);
	log_never_wait();
	while (read(orders, &nr, 1) == 1) {
		for (unsigned i = 0; i < nr; i++)
			log_write(LOG_ERR, "%s", text);
		if (write(orders, &nr, 1) != 1)
			break;
	}
	_exit(0);
}

static void begin_teller(int fd, const char *text, bool is_json, bool is_nobody)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	teller = fork();
	if (!teller) {
		close(ends[0]);
		tell_on(fd, ends[1], text, is_json, is_nobody);
	}
	close(ends[1]);
	to_teller = ends[0];
}

static int end_teller(void **state)
{
	(void)state;
	kill(teller, SIGKILL);
	waitpid(teller, NULL, 0);
	close(to_teller);
	return 0;
}

/* It says so many and goes on. */
static void tells(unsigned char nr)
{
	struct pollfd answer = { .fd = to_teller, .events = POLLIN };

	assert_int_equal(write(to_teller, &nr, 1), 1);
	assert_int_equal(poll(&answer, 1, PATIENCE_MS), 1);
	assert_int_equal(read(to_teller, &nr, 1), 1);
}

static void fill(int fd)
{
	static const char filling[PIPE_BYTES];

	assert_int_equal(write(fd, filling, PIPE_BYTES), PIPE_BYTES);
}

/* What is in a pipe or socket, but for what the test itself has put there. */
static const char *taken_from(int fd)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };
	char chunk[PAGE];
	size_t bytes = 0;

	while (poll(&in, 1, 0) == 1) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		assert_true(n > 0 && bytes + (size_t)n < sizeof(got));
		for (ssize_t i = 0; i < n; i++)
			if (chunk[i])
				got[bytes++] = chunk[i];
	}
	got[bytes] = '\0';
	return got;
}

static void check_full_pipe(bool is_nobody)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	if (is_nobody)
		assert_int_equal(fchmod(ends[1], 0), 0); /* nor may it be opened by who we are without root */
	begin_teller(ends[1], "a", false, is_nobody);
	tells(1);
	assert_string_equal(taken_from(ends[0]), "loophound: error: a\n");
	fill(ends[1]);
	tells(3);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK); /* which is everybody's */
	assert_string_equal(taken_from(ends[0]), "");
	tells(2);
	assert_string_equal(taken_from(ends[0]),
			    "loophound: warning: 3 messages are lost here: nobody read what was before\n"
			    "loophound: error: a\nloophound: error: a\n");
	fill(ends[1]);
	tells(1);
	taken_from(ends[0]);
	tells(1);
	assert_string_equal(taken_from(ends[0]),
			    "loophound: warning: 1 message is lost here: nobody read what was before\n"
			    "loophound: error: a\n");
	close(ends[0]);
	close(ends[1]);
}

static void who_does_not_read_a_pipe_stops_nobody(void **state)
{
	(void)state;
	check_full_pipe(false);
}

static void nor_does_who_owns_it(void **state)
{
	(void)state;
	check_full_pipe(true);
}

static void nor_who_has_a_socket(void **state)
{
	static const char filling[PAGE];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	begin_teller(ends[1], "a", false, false);
	while (send(ends[1], filling, sizeof(filling), MSG_DONTWAIT) > 0)
		;
	tells(3);
	assert_string_equal(taken_from(ends[0]), "");
	tells(1);
	assert_string_equal(taken_from(ends[0]),
			    "loophound: warning: 3 messages are lost here: nobody read what was before\n"
			    "loophound: error: a\n");
	close(ends[0]);
	close(ends[1]);
}

static void what_was_cut_is_made_whole_before_all_else(void **state)
{
	static char longest[1023], whole[sizeof(got)];
	const char *message;
	int ends[2];

	(void)state;
	memset(longest, '\x01', sizeof(longest) - 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PAGE), PAGE);
	begin_teller(ends[1], longest, true, false);
	tells(2); /* the second finds no room */
	assert_int_equal(strlen(strcpy(whole, taken_from(ends[0]))), PAGE);
	assert_null(strchr(whole, '\n'));
	tells(1);
	strcat(whole, taken_from(ends[0]));
	message = strstr(whole, "\"message\":\"");
	assert_non_null(message);
	message += strlen("\"message\":\"");
	assert_int_equal(strcspn(message, "\""), 1022 * strlen("\\u0001"));
	message = strchr(message, '\n');
	assert_memory_equal(message, "\n{\"schema\":", 11);
	assert_non_null(strstr(message, "\"message\":\"1 message is lost here"));
	close(ends[0]);
	close(ends[1]);
}

#define TELLS(name) cmocka_unit_test_teardown(name, end_teller)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_objects),
		cmocka_unit_test(no_byte_breaks_out),
		cmocka_unit_test(the_longest_line_fits),
		TELLS(who_does_not_read_a_pipe_stops_nobody),
		TELLS(nor_does_who_owns_it),
		TELLS(nor_who_has_a_socket),
		TELLS(what_was_cut_is_made_whole_before_all_else),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
