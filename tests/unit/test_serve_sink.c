/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lines of breaches: whole or not there, at most so many, in files of a bounded size; the last ones
 * remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sink.h"
#include "util.h"

static struct serve_config config;
static char directory[64], why[YAML_ERROR_LEN];
static struct sink *sink;

static int setup(void **state)
{
	(void)state;
	serve_config_init(&config);
	config.breaches.per_second = 100000;
	snprintf(directory, sizeof(directory), "/tmp/loophound-sink-XXXXXX");
	assert_non_null(mkdtemp(directory));
	config.breaches.to = SINK_FILE;
	snprintf(config.breaches.file, sizeof(config.breaches.file), "%s/b.jsonl", directory);
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	sink_free(take(sink));
	for (int i = -1; i < 4; i++) {
		snprintf(path, sizeof(path), i < 0 ? "%s/b.jsonl" : "%s/b.jsonl.%d", directory, i);
		unlink(path);
	}
	return rmdir(directory);
}

static off_t bytes_of(const char *suffix)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/b.jsonl%s", directory, suffix);
	return stat(path, &status) ? -1 : status.st_size;
}

static const struct ration_of anybody = { 1, 4711, 100000 };

static void put(const char *line)
{
	sink_line(sink, &anybody, line, strlen(line), NULL, 0, NSEC_PER_SEC);
}

static void files_are_rotated_and_the_oldest_goes(void **state)
{
	struct stat status;
	char line[100];

	(void)state;
	config.breaches.max_bytes = 1000;
	config.breaches.keep = 2;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 35; i++)
		put(line);
	assert_int_equal(bytes_of(""), 500);
	assert_int_equal(bytes_of(".1"), 1000);
	assert_int_equal(bytes_of(".2"), 1000);
	assert_int_equal(bytes_of(".3"), -1);
	assert_int_equal(stat(config.breaches.file, &status), 0);
	assert_int_equal(status.st_mode & 0137, 0); /* others have no business with it */
}

static void what_is_there_already_is_appended_to(void **state)
{
	(void)state;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	put("one");
	sink_free(take(sink));
	assert_int_equal(sink_open(&sink, &config, why), 0);
	put("two");
	assert_int_equal(bytes_of(""), 8);
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	snprintf(config.breaches.file, sizeof(config.breaches.file), "/dev/full");
	assert_int_equal(sink_open(&sink, &config, why), -EINVAL);
	assert_string_equal(why, "/dev/full: not a regular file");
	snprintf(config.breaches.file, sizeof(config.breaches.file), "%s/none/b", directory);
	assert_int_equal(sink_open(&sink, &config, why), -ENOENT);
}

/* It comes back by itself: what failed is counted, and the next line tries again. */
static void a_directory_that_is_gone_costs_lines_and_no_more(void **state)
{
	char away[80];
	struct sink_stats stats;

	(void)state;
	config.breaches.max_bytes = 10;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	put("before the move");
	snprintf(away, sizeof(away), "%s.away", directory);
	assert_int_equal(rename(directory, away), 0);
	put("lost: it had to be rotated");
	assert_int_equal(rename(away, directory), 0);
	put("back");
	sink_get_stats(sink, &stats);
	assert_int_equal(stats.lines, 3);
	assert_int_equal(stats.failed, 1);
}

static void so_many_a_second_and_no_more(void **state)
{
	struct sink_stats stats;

	(void)state;
	config.breaches.per_second = 5;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	for (int i = 0; i < 20; i++)
		put("line");
	sink_line(sink, &anybody, "line", 4, NULL, 0, 2 * NSEC_PER_SEC);
	sink_get_stats(sink, &stats);
	assert_int_equal(stats.lines, 21);
	assert_int_equal(stats.held_overall, 15);
	assert_int_equal(stats.held_of_target, 0);
	assert_int_equal(bytes_of(""), 6 * 5);
}

/* Standard output is a pipe that nobody reads: lines fail, none is there in part. */
static void a_full_pipe_keeps_nobody_waiting(void **state)
{
	int old = dup(STDOUT_FILENO), ends[2];
	char line[3000], got[65536 * 2];
	struct sink_stats stats;
	ssize_t bytes = 0, n;
	uint64_t written;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	fcntl(ends[1], F_SETFL, 0); /* as whoever started us left it */
	fflush(stdout);
	assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	close(ends[1]);
	config.breaches.to = SINK_STDOUT;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 100; i++)
		put(line);
	sink_get_stats(sink, &stats);
	assert_int_equal(stats.lines, 100);
	assert_true(stats.failed > 0);
	bytes = read(ends[0], got, sizeof(got));
	put("the last");
	sink_get_stats(sink, &stats);
	written = stats.lines - stats.failed;
	while ((n = read(ends[0], got + bytes, sizeof(got) - (size_t)bytes)) > 0)
		bytes += n;
	assert_int_equal(dup2(old, STDOUT_FILENO), STDOUT_FILENO);
	close(old);
	close(ends[0]);
	assert_int_equal(bytes, (ssize_t)(written - 1) * (ssize_t)sizeof(line) + 9);
	assert_memory_equal(got + bytes - 9, "the last\n", 9);
}

static void assert_history(const char *expected)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	sink_history(sink, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void the_last_lines_are_remembered_newest_first(void **state)
{
	(void)state;
	config.breaches.to = SINK_NONE;
	config.breaches.history = 3;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	assert_history("[]\n");
	put("1");
	put("2");
	assert_history("[\n2,\n1]\n");
	put("3");
	put("4");
	assert_history("[\n4,\n3,\n2]\n");
	/* Also through a reload that wants more, or fewer. */
	config.breaches.history = 5;
	assert_int_equal(sink_reopen(sink, &config, why), 0);
	put("5");
	assert_history("[\n5,\n4,\n3,\n2]\n");
	config.breaches.history = 2;
	assert_int_equal(sink_reopen(sink, &config, why), 0);
	assert_history("[\n5,\n4]\n");
	config.breaches.history = 0;
	assert_int_equal(sink_reopen(sink, &config, why), 0);
	put("6");
	assert_history("[]\n");
}

/* A crash or a full disk cut the last line: the next one stands by itself. */
static void a_line_that_was_cut_does_not_take_the_next_one_with_it(void **state)
{
	char text[64] = "";
	FILE *file;

	(void)state;
	file = fopen(config.breaches.file, "w");
	fputs("{\"cut", file);
	fclose(file);
	assert_int_equal(sink_open(&sink, &config, why), 0);
	put("{}");
	file = fopen(config.breaches.file, "r");
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, "{\"cut\n{}\n");
}

static void a_reload_that_fails_leaves_all_as_it_was(void **state)
{
	struct serve_config next;

	(void)state;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	put("1");
	put("2");
	next = config;
	next.breaches.history = 1;
	snprintf(next.breaches.file, sizeof(next.breaches.file), "%s/none/b", directory);
	assert_int_equal(sink_reopen(sink, &next, why), -ENOENT);
	put("3");
	assert_history("[\n3,\n2,\n1]\n");
	assert_int_equal(bytes_of(""), 6);
}

static void the_last_lines_have_a_bound_in_bytes(void **state)
{
	enum { LINE_BYTES = 60000, BOUND = 16 << 20 };
	char *line = malloc(LINE_BYTES + 1), *text = NULL;
	size_t bytes;
	FILE *out;

	(void)state;
	config.breaches.to = SINK_NONE;
	assert_int_equal(sink_open(&sink, &config, why), 0);
	assert_non_null(line);
	memset(line, 'x', LINE_BYTES);
	line[LINE_BYTES] = '\0';
	for (int i = 0; i < 2 * BOUND / LINE_BYTES; i++)
		put(line);
	put("the newest");
	out = open_memstream(&text, &bytes);
	sink_history(sink, out);
	fclose(out);
	assert_in_range(bytes, BOUND - 2 * LINE_BYTES, BOUND + 4096);
	assert_memory_equal(text, "[\nthe newest,\nxx", 16);
	free(text);
	free(line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_rotated_and_the_oldest_goes),
		TEST(what_is_there_already_is_appended_to),
		TEST(what_is_no_file_is_refused),
		TEST(a_directory_that_is_gone_costs_lines_and_no_more),
		TEST(so_many_a_second_and_no_more),
		TEST(a_full_pipe_keeps_nobody_waiting),
		TEST(the_last_lines_are_remembered_newest_first),
		TEST(a_line_that_was_cut_does_not_take_the_next_one_with_it),
		TEST(a_reload_that_fails_leaves_all_as_it_was),
		TEST(the_last_lines_have_a_bound_in_bytes),
	};

	return cmocka_run_group_tests_name("serve/sink", tests, NULL, NULL);
}
