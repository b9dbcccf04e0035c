/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Samples of who connects: enough of them to tell, and no more than that. */
#include "watched.h"

/* The first eight, then one each 50 ms or, of a burst, one of eight but no more than one a millisecond. */
static void samples_who_connects(void **state)
{
	static const char script[] =
		"server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(256)\n"
		"go()\n"
		"opened = [socket.create_connection(server.getsockname()) for _ in range(200)]\n"
		"say('end')\n"
		"sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_connect *ev;
	uint64_t before_ns = 0, nr = 0;
	struct child child;
	unsigned i;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "end");
	watch_await(w, EV_CONNECT, child.target_id, 8);
	for (i = 0; (ev = (const void *)watch_nth(w, EV_CONNECT, child.target_id, i)); i++) {
		bool is_burst = ev->open >= 32 && ev->weight >= 8 && ev->head.ts_ns - before_ns >= 1000000;

		if (i < 8)
			assert_int_equal(ev->weight, 1);
		else
			assert_true(is_burst || ev->head.ts_ns - before_ns >= 50000000);
		watch_stack(w, ev->stack_id);
		before_ns = ev->head.ts_ns;
		nr += ev->weight;
	}
	assert_true(nr <= 200);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* From so many in one iteration on they are further apart; what they stand for adds up all the same. */
static void samples_a_long_burst_less_and_less(void **state)
{
	static const char script[] =
		"server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(4096)\n"
		"def connect():\n"
		"    s = socket.socket(); s.setblocking(False); s.connect_ex(server.getsockname())\n"
		"    server.accept()[0].close(); s.close()\n"
		"async def main():\n"
		"    for _ in range(3): await asyncio.sleep(0)\n" /* it is known as a loop by then */
		"    for _ in range(8000): connect()\n"
		"go()\n"
		"asyncio.run(main())\n"
		"say('end')\n"
		"sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	unsigned nr_long = 0, nr_longer = 0;
	uint64_t before_ns = 0, nr = 0;
	const struct ev_connect *ev;
	struct child child;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "end");
	watch_drain(w);
	for (unsigned i = 0; (ev = (const void *)watch_nth(w, EV_CONNECT, child.target_id, i)); i++) {
		uint64_t gap_ns = ev->head.ts_ns - before_ns;

		nr += ev->weight;
		if (ev->burst >= 1024)
			assert_true(++nr_longer && gap_ns >= 16000000);
		else if (ev->burst >= 256)
			assert_true(++nr_long && gap_ns >= 4000000);
		before_ns = ev->head.ts_ns;
	}
	assert_true(nr_long >= 2);
	assert_true(nr_longer >= 4);
	assert_true(nr > 4000 && nr <= 8000);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_who_connects),
		cmocka_unit_test(samples_a_long_burst_less_and_less),
	};

	require_host();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
