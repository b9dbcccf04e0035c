/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which numbers of processes are looked up at all: those of who is watched, and for a while of who was. */
#include "entries.h"
#include "watched.h"

static unsigned nr_hints(const struct watch *w)
{
	struct entries entries = probes_entries(w->probes);
	unsigned nr = 0;

	for (uint32_t i = 0; i < entries.nr_hints; i++)
		nr += entries.hints[i] != HINT_NONE;
	return nr;
}

static void hints_of_those_that_are_gone_are_cleared(void **state)
{
	static const char script[] =
		"go()\n"
		"asyncio.run(asyncio.sleep(0))\n"
		"sys.stdin.readline()\n";
	struct probes_config config = probes_default_config;
	struct entries entries;
	struct child child;
	struct watch *w;
	unsigned nr;

	(void)state;
	child_start(&child, pythons[0], script); /* before: one that begins has an id by then */
	config.finds_new = true;
	w = watch_open(&config);
	entries = probes_entries(w->probes);
	child.target_id = ++w->last_target_id;
	watch_layout(w, &child, child.pid);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(system("/bin/true"), 0); /* a shell, which is kept in mind while it runs */
	nr = nr_hints(w);
	assert_true(nr > 100);
	probes_clear_hints(w->probes); /* nothing is in doubt yet */
	assert_true(nr_hints(w) >= nr);
	probes_doubt_hints(w->probes);
	assert_true(nr_hints(w) >= nr);
	probes_clear_hints(w->probes);
	assert_true(nr_hints(w) < 50); /* what the host starts meanwhile */
	assert_int_equal(entries.hints[(uint32_t)child.pid % entries.nr_hints], HINT_SET);
	child_go(&child);
	watch_await(w, EV_LOOP, child.target_id, 0);
	child_end(&child);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints_of_those_that_are_gone_are_cleared),
	};

	require_host();
	return cmocka_run_group_tests_name("hints", tests, NULL, NULL);
}
