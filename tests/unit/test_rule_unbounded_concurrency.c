/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whether a burst is a pool's, by the stack that begins the connections. */
#include <sys/socket.h>

#include "records.h"
#include "rules.h"
#include "util.h"

#define INSTALLED "/srv/venv/lib/python3.11/site-packages/"
#define LIMIT	  100 /* unbounded-concurrency's own */

struct caller {
	const char *file, *name;
};

static struct finding finding;

static void add_connects(struct model *model)
{
	struct ev_connect ev = { HEAD(CONNECT, 1, 0), .stack_id = 11, .serial = 7, .weight = LIMIT,
				 .process_serial = 8 };

	add(model, &ev);
}

/* What is said of a burst of as many as the limit has, by these two coroutines, the inner one first. */
static unsigned nr_told(struct caller inner, struct caller outer, uint32_t peak)
{
	struct model *model = new_model(&model_default_bounds);
	struct rules_config config;
	struct ev_connection ev = { HEAD(CONNECTION, 1, EV_NO_LOOP), .serial = 7, .window_peak = peak,
				    .window_burst = LIMIT,
				    .peer = { .kind = CONNECTION_OUT, .family = AF_INET, .port = 5432 } };
	struct connection *connection;
	struct frame *frames;
	unsigned nr;

	rules_config_init(&config);
	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 50);
	add_stack(model, 1, 11, 100, outer.file ? 2 : 1);
	add_code(model, 1, 100, CODE_OK);
	add_code(model, 1, 101, CODE_OK);
	add_connects(model);
	add(model, &ev);
	connection = model_next_connection(model);
	assert_non_null(connection);
	frames = (struct frame *)connection->sites[0].stack->frames;
	for (uint32_t i = 0; i < connection->sites[0].stack->nr; i++) {
		frames[i].file = i ? outer.file : inner.file;
		frames[i].name = i ? outer.name : inner.name;
		frames[i].is_coroutine = true;
	}
	nr = rules_eval_connection(&config, connection, &finding, 1);
	model_free(model);
	return nr;
}

static const struct caller program = { "/srv/app.py", "fetch" };
static const struct caller nobody = { NULL, NULL };
static const struct caller driver = { INSTALLED "asyncpg/connect_utils.py",
				      "_create_ssl_connection" };
static const struct caller anyio = { INSTALLED "anyio/_core/_sockets.py", "try_connect" };
static const struct caller asyncio = { "/usr/lib/python3.11/asyncio/unix_events.py",
				       "create_unix_connection" };

static void a_program_s_burst_is_told(void **state)
{
	(void)state;
	assert_int_equal(nr_told(program, nobody, LIMIT), 1);
	assert_int_equal(finding.cause, CAUSE_ITERATION);
}

static void a_pools_own_burst_is_left_alone(void **state)
{
	static const struct caller pools[] = {
		{ INSTALLED "aiohttp/connector.py", "connect" },
		{ INSTALLED "httpcore/_async/connection_pool.py", "handle_async_request" },
		{ INSTALLED "asyncpg/pool.py", "connect" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
		assert_int_equal(nr_told(pools[i], nobody, LIMIT), 0);
		assert_int_equal(nr_told(program, pools[i], LIMIT), 0);
	}
	assert_int_equal(nr_told(pools[0], nobody, LIMIT + 1), 1); /* it has no bound */
	assert_int_equal(finding.cause, CAUSE_CONCURRENT);
}

/* A library made it; who waits for it may be a pool, if nobody is known to. */
static void a_task_that_does_nothing_else_may_be_a_pool_s(void **state)
{
	(void)state;
	assert_int_equal(nr_told(driver, nobody, LIMIT), 0);
	assert_int_equal(nr_told(asyncio, nobody, LIMIT), 0);
	assert_int_equal(nr_told(anyio, nobody, LIMIT), 0);
	assert_int_equal(nr_told(driver, program, LIMIT), 1);
	assert_int_equal(nr_told(asyncio, program, LIMIT), 1);
	assert_int_equal(nr_told(anyio, program, LIMIT), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_s_burst_is_told),
		cmocka_unit_test(a_pools_own_burst_is_left_alone),
		cmocka_unit_test(a_task_that_does_nothing_else_may_be_a_pool_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
