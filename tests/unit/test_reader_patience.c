/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whose answers wake the daemon, and whose wait until it looks: see reader_ends.h. */
#include "reader_ends.h"

/* To be woken for each costs more than the count: they come with a tick, or with what somebody
 * waits for. */
static void counts_of_tasks_wake_nobody(void **state)
{
	struct reader *reader = start("silent");
	struct ev_target good = known_target(3, GOOD_PID), bad = known_target(4, BAD_PID);
	struct pollfd ready = { .fd = reader_fd(reader), .events = POLLIN };
	struct reader_stats stats;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(reader_ask_tasks(reader, &good, 5), 0);
	while (answers.nr < 20) {
		bool is_told = poll(&ready, 1, 0) == 1;
		unsigned before = answers.nr;

		assert_int_equal(reader_expire(reader, 6), 0);
		assert_false(is_told && answers.nr > before);
	}

	assert_int_equal(reader_ask_tasks(reader, &good, 7), 0);
	assert_int_equal(reader_ask_code(reader, &good, 8, 1, 7), 0);
	wait_answers(reader, 22, 8);
	assert_int_equal(answers.nr_ok, 1);

	/* Its end is heard of all the same, and who is to blame for it. */
	assert_int_equal(reader_ask_tasks(reader, &good, 9), 0);
	assert_int_equal(reader_ask_tasks(reader, &bad, 9), 0);
	assert_int_equal(reader_ask_tasks(reader, &good, 9), 0);
	if (reader_pid())
		kill(reader_pid(), SIGKILL);
	else
		skip();
	do
		assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
	while (!reader_dispatch(reader, 10) && (reader_get_stats(reader, &stats), !stats.restarts));
	while (answers.nr < 23)
		assert_int_equal(reader_expire(reader, 11), 0);
	assert_int_equal(reader_expire(reader, 11 + READER_DEADLINE_NS), 0);
	assert_int_equal(answers.nr_stuck, 1);
	while (answers.nr < 25)
		assert_int_equal(reader_expire(reader, 12 + READER_DEADLINE_NS), 0);
	assert_int_equal(reader_ask_tasks(reader, &bad, 0), -ETIMEDOUT);
	assert_int_equal(reader_ask_tasks(reader, &good, 0), 0);
	reader_free(reader);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_of_tasks_wake_nobody),
	};

	return is_reader(argc, argv) ? run_reader(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
