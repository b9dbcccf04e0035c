/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When descriptors are looked through again, and when a destination is let go of: the daemon's own functions
 * over the real kernel half, by a time that the test says it is.
 */
#include "counted.h"

#include "engine_state.h"
#include "targets_state.h"

/* The parts of an engine that connections need; its stream leads nowhere. */
static void engine_make(struct engine *engine, struct watch *w, const struct child *child)
{
	*engine = (struct engine){ .probes = w->probes, .connections = engine_connections_new() };
	assert_non_null(engine->connections);
	assert_int_equal(targets_new(&engine->targets, w->probes, NULL, NULL, NULL), 0);
	assert_non_null(targets_new_entry(engine->targets, child->target_id, child->pid));
}

static void engine_unmake(struct engine *engine)
{
	struct entry *entry = engine->targets->entries;

	HASH_DEL(engine->targets->entries, entry);
	free(entry);
	targets_free(engine->targets);
	engine_connections_free(engine->connections);
}

/* The slot of what the process connects to on that port; NULL: it has none. */
static const volatile struct connection_slot *slot_of(struct watch *w, const struct child *child, int kind,
						      unsigned port)
{
	const struct destinations *destinations = probes_destinations(w->probes);

	for (uint32_t i = 0; i < destinations_high(destinations); i++) {
		const volatile struct connection_slot *slot = destinations_slot(destinations, i);

		if (slot->target_id == child->target_id && slot->peer.kind == kind && slot->peer.port == port)
			return slot;
	}
	return NULL;
}

static void lets_go_of_a_destination_that_is_idle(void **state)
{
	static const char script[] =
		"go()\n"
		"servers = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]\n"
		"kept, left = [socket.create_connection(each.getsockname()) for each in servers]\n"
		"left.close()\n"
		"say(*(each.getsockname()[1] for each in servers)); sys.stdin.readline()\n"
		"again = socket.create_connection(servers[1].getsockname())\n"
		"say('again'); sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	const volatile struct connection_slot *left;
	uint64_t now_ns = 1000 * NSEC_PER_SEC;
	unsigned kept_port, left_port;
	struct engine engine;
	struct child child;
	uint32_t serial;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(sscanf(child_line(&child), "%u %u", &kept_port, &left_port), 2);
	engine_make(&engine, w, &child);
	left = slot_of(w, &child, CONNECTION_OUT, left_port);
	assert_non_null(left);
	serial = left->serial;
	/* In the second window its peak is news, too; from then on nothing is. */
	for (int i = 0; i < 3; i++)
		engine_feed_connections(&engine, now_ns);
	engine_feed_connections(&engine, now_ns + 30 * NSEC_PER_SEC);
	assert_int_equal(left->is_released, 0);
	engine_feed_connections(&engine, now_ns + 30 * NSEC_PER_SEC + 1);
	assert_int_equal(left->is_released, 1);
	engine_feed_connections(&engine, now_ns + 31 * NSEC_PER_SEC);
	assert_null(slot_of(w, &child, CONNECTION_OUT, left_port));
	/* What is open stays, and who listens, and what is the process's. */
	assert_non_null(slot_of(w, &child, CONNECTION_OUT, kept_port));
	assert_non_null(slot_of(w, &child, CONNECTION_IN, left_port));
	assert_non_null(slot_of(w, &child, CONNECTION_PROCESS, 0));
	/* One that comes back is another. */
	child_go(&child);
	assert_string_equal(child_line(&child), "again");
	left = slot_of(w, &child, CONNECTION_OUT, left_port);
	assert_non_null(left);
	assert_int_not_equal(left->serial, serial);
	assert_int_equal(left->counts.begun, 1);
	engine_unmake(&engine);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* What only a look finds. */
static void check_found(struct watch *w, const struct child *child, uint32_t found)
{
	struct sums sums;

	sums_of(w, child->target_id, CONNECTION_OUT, AF_UNIX, &sums);
	assert_int_equal(sums.established, found);
}

/* A round that took so long: the next one is not by the one time, and is by the other. */
static void check_pace(uint64_t cost_ns, uint64_t not_by_ns, uint64_t by_ns)
{
	static const char script[] = "server = socket.socket(socket.AF_UNIX)\n"
				     "server.bind('\\0loophound-pace-%d' % os.getpid()); server.listen(9)\n"
				     "go()\n"
				     "mine = []\n"
				     "for _ in range(2):\n"
				     "    s = socket.socket(socket.AF_UNIX); s.connect(server.getsockname())\n"
				     "    mine.append(s); say('open'); sys.stdin.readline()\n";
	struct probes_config config = probes_default_config;
	struct engine engine;
	struct child child;
	uint64_t began_ns;
	struct watch *w;

	config.spared = "on_connect_exit";
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "open");
	engine_make(&engine, w, &child);
	began_ns = engine_now_ns() - cost_ns;
	engine_round_of_connections(&engine, began_ns);
	check_found(w, &child, 1);
	child_go(&child);
	assert_string_equal(child_line(&child), "open");
	engine_round_of_connections(&engine, began_ns + not_by_ns);
	check_found(w, &child, 1);
	engine_round_of_connections(&engine, began_ns + by_ns);
	check_found(w, &child, 2);
	engine_unmake(&engine);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* A quarter of a second early, so that a tick that comes a little before is not one too few. */
static void rounds_take_a_thousandth_of_a_cpu(void **state)
{
	(void)state;
	check_pace(0, 700 * NSEC_PER_MSEC, 60 * NSEC_PER_SEC);
	check_pace(20 * NSEC_PER_MSEC, 19700 * NSEC_PER_MSEC, 60 * NSEC_PER_SEC);
	check_pace(100 * NSEC_PER_SEC, 59700 * NSEC_PER_MSEC, 60 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_go_of_a_destination_that_is_idle),
		cmocka_unit_test(rounds_take_a_thousandth_of_a_cpu),
	};

	require_host();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
