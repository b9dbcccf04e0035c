/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Messages as text and as JSON: what a process is called can break neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"

static char got[16384];

/* What standard error got of one line. */
static const char *said(enum log_level level, pid_t pid, const char *text)
{
	FILE *file = tmpfile();
	int old = dup(STDERR_FILENO);
	size_t bytes;

	dup2(fileno(file), STDERR_FILENO);
	if (pid)
		log_about(level, pid, "%s", text);
	else
		log_write(level, "%s", text);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	bytes = fread(got, 1, sizeof(got) - 1, file);
	got[bytes] = '\0';
	fclose(file);
	return got;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_objects),
		cmocka_unit_test(no_byte_breaks_out),
		cmocka_unit_test(the_longest_line_fits),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
