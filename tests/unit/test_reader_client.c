/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who asks the reader is answered, whatever the reader does: see reader_ends.h. */
#include "reader_ends.h"

static void answers_arrive_in_order(void **state)
{
	struct reader *reader = start("silent");
	struct ev_target target = known_target(3, GOOD_PID);
	struct reader_stats stats;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(reader_ask_code(reader, &target, 8 * i, i, 5), 0);
	assert_int_equal(reader_pending(reader), 100);
	wait_answers(reader, 100, 6);
	assert_int_equal(answers.nr_ok, 100);
	assert_int_equal(answers.last.code.fingerprint, 99);
	assert_int_equal(answers.last_target_id, 3);
	assert_int_equal(answers.last.code.head.ts_ns, 6);
	assert_int_equal(reader_pending(reader), 0);
	reader_get_stats(reader, &stats);
	assert_int_equal(stats.asked, 100);
	assert_int_equal(stats.failed, 0);
	assert_int_equal(stats.restarts, 0);
	reader_free(reader);
}

static void a_callback_may_ask(void **state)
{
	struct reader *reader = start("silent");

	(void)state;
	answers.ask_again = 20;
	assert_int_equal(reader_ask_target(reader, 7, GOOD_PID, 1), 0);
	wait_answers(reader, 21, 1);
	reader_free(reader);
}

static void a_silent_reader_costs_one_target_its_names(void **state)
{
	struct reader *reader = start("silent");
	struct ev_target bad = known_target(4, BAD_PID);
	struct reader_stats stats;

	(void)state;
	assert_int_equal(reader_ask_target(reader, 1, GOOD_PID, 0), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(reader_ask_code(reader, &bad, 16, i, 0), 0);
	assert_int_equal(reader_ask_target(reader, 2, BAD_PID, 0), 0);
	assert_int_equal(reader_ask_target(reader, 5, GOOD_PID, 0), 0);
	wait_answers(reader, 1, 100);
	assert_int_equal(reader_expire(reader, 100 + READER_DEADLINE_NS - 1), 0);
	assert_int_equal(answers.nr_stuck, 0);

	/*
	 * The deadline counts from the moment it became the oldest: all of its target's are
	 * answered.
	 */
	assert_int_equal(reader_expire(reader, 100 + READER_DEADLINE_NS), 0);
	assert_int_equal(answers.nr_stuck, 10);
	assert_int_equal(reader_ask_code(reader, &bad, 16, 77, 0), -ETIMEDOUT);

	/* The next one in line is asked of a new reader, and is stuck by its own deadline only. */
	assert_int_equal(reader_expire(reader, 101 + READER_DEADLINE_NS), 0);
	assert_int_equal(answers.nr_stuck, 10);
	assert_int_equal(reader_expire(reader, 101 + 2 * READER_DEADLINE_NS), 0);
	assert_int_equal(answers.nr_stuck, 11);
	assert_int_equal(answers.target.status, TARGET_STUCK);
	assert_int_equal(answers.target.pid, BAD_PID);
	wait_answers(reader, 13, 102 + 2 * READER_DEADLINE_NS);
	assert_int_equal(answers.last_target_id, 5);
	assert_int_equal(reader_pending(reader), 0);

	reader_forget(reader, 4);
	assert_int_equal(reader_ask_code(reader, &bad, 16, 77, 0), 0);
	reader_get_stats(reader, &stats);
	assert_int_equal(stats.restarts, 2);
	assert_int_equal(stats.asked, 11);
	assert_int_equal(stats.failed, 10);
	assert_int_equal(stats.refused, 1);
	reader_free(reader);
}

static void check_replaced(const char *mode)
{
	struct reader *reader = start(mode);
	struct reader_stats stats;

	assert_int_equal(reader_ask_target(reader, 1, GOOD_PID, 0), 0);
	assert_int_equal(reader_ask_target(reader, 2, BAD_PID, 0), 0);
	assert_int_equal(reader_ask_target(reader, 3, GOOD_PID, 0), 0);
	wait_answers(reader, 3, 0);
	assert_int_equal(answers.nr_stuck, 1);
	assert_int_equal(answers.last_target_id, 3);
	assert_int_equal(answers.target.status, TARGET_NOT_PYTHON);
	assert_int_equal(reader_ask_target(reader, 2, BAD_PID, 0), -ETIMEDOUT);
	reader_get_stats(reader, &stats);
	assert_int_equal(stats.restarts, 2); /* dying once may be chance */
	reader_free(reader);
}

static void a_reader_that_dies_once_costs_no_answer(void **state)
{
	char marker[] = "/tmp/loophound-test-dies-XXXXXX";
	struct reader_stats stats;
	struct reader *reader;

	(void)state;
	close(mkstemp(marker));
	reader = start(marker);
	assert_int_equal(reader_ask_target(reader, 1, GOOD_PID, 0), 0);
	assert_int_equal(reader_ask_target(reader, 2, BAD_PID, 0), 0);
	wait_answers(reader, 2, 0);
	assert_int_equal(answers.nr_stuck, 0);
	assert_int_equal(answers.last_target_id, 2);
	reader_get_stats(reader, &stats);
	assert_int_equal(stats.restarts, 1);
	reader_free(reader);
}

static void a_dead_reader_is_replaced(void **state)
{
	(void)state;
	check_replaced("die");
}

static void a_lying_reader_is_replaced(void **state)
{
	(void)state;
	check_replaced("lie");
}

static void a_reader_that_always_dies_is_started_ever_more_seldom(void **state)
{
	struct reader *reader = start("die at once");
	struct reader_stats stats;
	uint64_t now_ns = 0;

	(void)state;
	for (unsigned deaths = 1; deaths <= 10; deaths++) {
		do {
			struct pollfd ready = { .fd = reader_fd(reader), .events = POLLIN };

			if (poll(&ready, 1, 0) == 0)
				now_ns += 100000000;
			assert_int_equal(reader_expire(reader, now_ns), 0);
			reader_get_stats(reader, &stats);
		} while (stats.restarts < deaths);
	}
	/* 0.1 + 0.2 + ... + 6.4, then 10 each. */
	assert_true(now_ns >= 32 * 1000000000ULL);
	reader_free(reader);
}

static void a_full_queue_refuses(void **state)
{
	struct reader *reader = start("silent");
	struct ev_target bad = known_target(4, BAD_PID);
	struct reader_stats stats;

	(void)state;
	for (unsigned i = 0; i < QUEUE_SLOTS; i++)
		assert_int_equal(reader_ask_code(reader, &bad, 16, i, 0), 0);
	assert_int_equal(reader_ask_code(reader, &bad, 16, 1, 0), -ENOBUFS);
	assert_int_equal(reader_ask_tasks(reader, &bad, 0), -ENOBUFS); /* is asked for again: no name is lost */
	assert_int_equal(reader_pending(reader), QUEUE_SLOTS);
	assert_int_equal(reader_pending_names(reader), QUEUE_SLOTS);
	reader_forget(reader, 4);
	assert_int_equal(reader_pending(reader), 0);
	assert_int_equal(reader_ask_target(reader, 5, GOOD_PID, 0), 0);
	assert_int_equal(reader_pending(reader), 1);
	assert_int_equal(reader_pending_names(reader), 0); /* what it is: no name */
	assert_int_equal(reader_expire(reader, READER_DEADLINE_NS), 0);
	wait_answers(reader, 1, READER_DEADLINE_NS);
	/* Nobody waits for what is forgotten: no answer, and its number is nobody's. */
	assert_int_equal(answers.nr_stuck, 0);
	assert_int_equal(answers.last_target_id, 5);
	reader_get_stats(reader, &stats);
	assert_int_equal(stats.refused, 1);
	reader_free(reader);
}

static void only_a_known_target_is_asked_for_code(void **state)
{
	struct reader *reader = start("silent");
	struct ev_target target = { .status = TARGET_NOT_PYTHON };

	(void)state;
	assert_int_equal(reader_ask_code(reader, &target, 8, 0, 0), -EINVAL);
	reader_free(reader);
	reader_free(NULL);
}

static void the_true_reader_identifies_and_survives_signals(void **state)
{
	struct reader *reader = start("true");
	struct ev_target forged = known_target(9, (uint32_t)getpid());
	struct reader_stats stats;

	(void)state;
	assert_int_equal(reader_ask_target(reader, 8, getpid(), 0), 0);
	wait_answers(reader, 1, 0);
	assert_int_equal(answers.target.status, TARGET_NOT_PYTHON);
	assert_int_equal(answers.target.pid, getpid());
	if (reader_pid()) {
		kill(reader_pid(), SIGINT);
		kill(reader_pid(), SIGTERM);
	}
	/* Addresses of ours that are no code object's, and a wild one. */
	assert_int_equal(reader_ask_code(reader, &forged, (uintptr_t)&answers & ~7ULL, 1, 0), 0);
	wait_answers(reader, 2, 0);
	assert_int_equal(answers.last.code.status, CODE_GONE);
	assert_int_equal(reader_ask_code(reader, &forged, 4096, 1, 0), 0);
	wait_answers(reader, 3, 0);
	assert_int_equal(answers.last.code.status, CODE_UNREADABLE);
	reader_get_stats(reader, &stats);
	assert_int_equal(stats.restarts, 0);
	reader_free(reader);
}

/* A Python whose files are gone, as after an upgrade: it is read out of its memory alone. */
static void a_deleted_interpreter_is_identified(void **state)
{
	char path[] = "/tmp/loophound-test-python-XXXXXX", line[16], command[512];
	struct reader *reader;
	FILE *lines;
	int fd, pid;

	(void)state;
	if (access("/usr/bin/python3.11", X_OK) != 0)
		skip();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command),
		 "cp /usr/bin/python3.11 %s && chmod +x %s && exec %s -S -c 'import os, signal\n"
		 "os.unlink(\"%s\"); print(os.getpid(), flush=True); signal.pause()'",
		 path, path, path, path);
	lines = popen(command, "r");
	assert_non_null(lines);
	assert_non_null(fgets(line, sizeof(line), lines));
	pid = atoi(line);
	reader = start("true");
	assert_int_equal(reader_ask_target(reader, 1, pid, 0), 0);
	wait_answers(reader, 1, 0);
	kill(pid, SIGKILL);
	pclose(lines);
	print_message("%s: %s\n", answers.target.exe, answers.target.reason);
	assert_int_equal(answers.target.status, TARGET_OK);
	assert_int_equal(answers.target.version >> 16, 0x030b);
	assert_true(answers.target.flags & TARGET_STATIC);
	reader_free(reader);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_arrive_in_order),
		cmocka_unit_test(a_callback_may_ask),
		cmocka_unit_test(a_silent_reader_costs_one_target_its_names),
		cmocka_unit_test(a_reader_that_dies_once_costs_no_answer),
		cmocka_unit_test(a_dead_reader_is_replaced),
		cmocka_unit_test(a_lying_reader_is_replaced),
		cmocka_unit_test(a_reader_that_always_dies_is_started_ever_more_seldom),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(only_a_known_target_is_asked_for_code),
		cmocka_unit_test(the_true_reader_identifies_and_survives_signals),
		cmocka_unit_test(a_deleted_interpreter_is_identified),
	};

	return is_reader(argc, argv) ? run_reader(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
