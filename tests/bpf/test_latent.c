/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Quick calls that can block: does the kernel half see them all, and nothing but them? */
#include <sys/syscall.h>

#include "watched.h"

static struct probes_config config_for(enum probes_boundary boundary)
{
	struct probes_config config = probes_default_config;

	config.boundary = boundary;
	config.is_latent = true;
	return config;
}

static const struct ev_latent *latent_of(const struct watch *w, int syscall)
{
	const struct ev_latent *ev;

	for (unsigned i = 0; (ev = watch_nth(w, EV_LATENT, ANY_TARGET, i)); i++)
		if (ev->syscall == syscall)
			return ev;
	return NULL;
}

static void keep_unsent(void *ctx, const struct ev_head *ev)
{
	assert_int_equal(watch_keep(ctx, (void *)ev, ev->size), 0);
}

/* What the kernel half counted is what its records say, once those that it keeps back are taken. */
static uint64_t calls_in_records(struct watch *w)
{
	uint64_t stats[STAT_MAX] = { 0 }, calls = 0;
	const struct ev_latent *ev;

	probes_take_latent(w->probes, EV_NO_LOOP, UINT64_MAX, keep_unsent, w);
	for (unsigned i = 0; (ev = watch_nth(w, EV_LATENT, ANY_TARGET, i)); i++)
		calls += ev->count;
	probes_stats(w->probes, stats);
	assert_int_equal(stats[STAT_LATENT_CALLS], calls);
	assert_int_equal(stats[STAT_RECORDS_MADE], stats[STAT_RECORDS_SUBMITTED]);
	return calls;
}

static const char script[] =
	"server = socket.create_server(('127.0.0.1', 0))\n"
	"path = '/etc/passwd'\n"
	"import tempfile\n"
	"folder = tempfile.mkdtemp()\n"
	"fd = os.open(path, os.O_RDONLY)\n"
	"null = os.open('/dev/null', os.O_RDWR)\n"
	"left, right = socket.socketpair()\n"
	"right.setblocking(False)\n"
	"def quick():\n"
	"    for _ in range(500): os.pread(fd, 16, 0)\n"
	"    os.close(os.open(path, os.O_RDONLY))\n"
	"    os.mkdir(folder + '/new')\n"
	"    os.rmdir(folder + '/new')\n"
	"    socket.socket().connect(server.getsockname())\n"
	"    os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)\n"
	"def harmless():\n"
	"    os.write(null, b'x')\n"
	"    os.read(null, 1)\n"
	"    os.close(os.open('/proc/self/stat', os.O_RDONLY))\n"
	"    right.send(b'x')\n"
	"    time.sleep(0)\n"
	"    select.select([left], [], [], 0)\n"
	"    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
	"    udp.connect(('127.0.0.1', 9))\n"
	"    with socket.socket() as client:\n"
	"        client.setblocking(False)\n"
	"        client.connect_ex(server.getsockname())\n"
	"async def main():\n"
	"    await asyncio.sleep(0)\n"
	"    WHAT()\n"
	"    await asyncio.sleep(0)\n"
	"go()\n"
	"asyncio.run(main())\n"
	"quick(); harmless(); os.rmdir(folder)\n" /* without a loop: nobody's business */
	"say(server.getsockname()[1])\n"
	"sys.stdin.readline()\n";

static struct watch *run(const char *python, const char *what, const struct probes_config *config,
			 unsigned *port)
{
	struct watch *w = watch_open(config);
	char text[sizeof(script) + 64];
	struct child child;

	snprintf(text, sizeof(text), "def WHAT(): %s()\n%s", what, script);
	watch_run(w, &child, python, text);
	*port = (unsigned)atoi(child_line(&child));
	assert_int_equal(watch_end(w, &child), 0);
	return w;
}

static void check_quick(struct watch *w, unsigned port)
{
	const struct ev_latent *read = latent_of(w, SYS_pread64), *open = latent_of(w, SYS_openat);
	const struct ev_latent *connect = latent_of(w, SYS_connect);
	const struct ev_stack *stack;

	assert_true(read && open && connect && latent_of(w, SYS_wait4));
	assert_int_equal(read->object.kind, OBJECT_FILE);
	assert_string_equal(read->object.name, "passwd");
	assert_int_equal(read->ret, 16);
	assert_int_equal(read->args[2], 16);
	assert_int_equal(read->fd, (int)read->args[0]);
	assert_string_equal(open->object.name, "passwd");
	assert_int_equal(open->fd, open->ret);
	assert_int_equal(connect->object.kind, OBJECT_SOCKET);
	assert_int_equal(connect->object.port, port);
	stack = watch_stack(w, read->stack_id);
	assert_int_equal(stack->status, STACK_OK);
	assert_true(latent_of(w, SYS_rmdir)->object.flags & OBJECT_AS_GIVEN);
	assert_non_null(strstr(latent_of(w, SYS_rmdir)->object.name, "/new"));
	/* 500 reads, an open, a folder made and removed, a connect, a fork, its wait */
	assert_int_equal(calls_in_records(w), 506);
	assert_int_equal(latent_of(w, SYS_pread64)->count, 1);
	assert_true(watch_count(w, EV_LATENT, ANY_TARGET) <= 12);
}

static void all_quick_calls_of_a_loop_are_in_records(void **state)
{
	static const enum probes_boundary boundaries[] = { BOUNDARY_TRACEPOINT, BOUNDARY_RAW };
	unsigned port;

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct probes_config config = config_for(boundaries[i % ARRAY_SIZE(boundaries)]);
		struct watch *w = run(pythons[i], "quick", &config, &port);

		print_message("    %s\n", pythons[i]);
		check_quick(w, port);
		watch_close(w);
	}
}

static void what_cannot_block_makes_no_record(void **state)
{
	struct probes_config config = config_for(BOUNDARY_AUTO);
	unsigned port;

	(void)state;
	for (unsigned i = 0; i < nr_pythons; i++) {
		struct watch *w = run(pythons[i], "harmless", &config, &port);

		for (unsigned k = 0; k < watch_count(w, EV_LATENT, ANY_TARGET); k++) {
			const struct ev_latent *ev = watch_nth(w, EV_LATENT, ANY_TARGET, k);

			print_message("    %s: call %d, fd %d, object %u\n", pythons[i], ev->syscall,
				      ev->fd, ev->object.kind);
		}
		assert_int_equal(calls_in_records(w), 0);
		watch_close(w);
	}
}

static void nothing_is_seen_unasked(void **state)
{
	struct probes_config config = probes_default_config;
	unsigned port;
	struct watch *w;

	(void)state;
	w = run(pythons[0], "quick", &config, &port);
	assert_int_equal(calls_in_records(w), 0);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_quick_calls_of_a_loop_are_in_records),
		cmocka_unit_test(what_cannot_block_makes_no_record),
		cmocka_unit_test(nothing_is_seen_unasked),
	};

	require_host();
	return cmocka_run_group_tests_name("latent", tests, NULL, NULL);
}
