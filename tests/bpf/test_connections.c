/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections are counted as the kernel itself has them: /proc/PID/fd and /proc/PID/net/tcp* at the peak
 * and at rest, whoever opened them, before or after the watch began; and all end at zero.
 */
#include "counted.h"

/* Clients and servers in one process: IPv4, IPv6 and IPv4 written as IPv6. */
static const char families[] =
	"import resource\n"
	"resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n"
	"def pairs(family, address, target):\n"
	"    server = socket.socket(family); server.bind(address); server.listen(1000)\n"
	"    port = server.getsockname()[1]\n"
	"    clients = [socket.create_connection((target, port)) for _ in range(COUNT)]\n"
	"    accepted = [server.accept()[0] for _ in range(COUNT)]\n"
	"    return server, port, clients, accepted\n"
	"COUNT = 40\n"
	"before = pairs(socket.AF_INET, ('127.0.0.1', 0), '127.0.0.1') if BEFORE else None\n"
	"go()\n"
	"if not BEFORE:\n"
	"    before = pairs(socket.AF_INET, ('127.0.0.1', 0), '127.0.0.1')\n"
	"six = pairs(socket.AF_INET6, ('::', 0), '::1')\n"
	"mapped = pairs(socket.AF_INET6, ('::', 0), '127.0.0.1')\n"
	"say(before[1], six[1], mapped[1])\n"
	"sys.stdin.readline()\n"
	"for s, p, clients, accepted in (before, six, mapped):\n"
	"    for c in clients[:30]: c.close()\n"
	"for s, p, clients, accepted in (before, six, mapped):\n"
	"    for a in accepted[:30]:\n"
	"        assert a.recv(1) == b''\n" /* the peer's end has come */
	"say('rest')\n"
	"sys.stdin.readline()\n"
	"os._exit(0)\n";

static void check_against_truth(struct watch *w, const struct child *child, const unsigned *ports,
				uint32_t established, uint32_t close_wait)
{
	struct sums out, in;
	uint32_t true_out = 0, true_in = 0, true_wait = 0;

	for (int i = 0; i < 3; i++) {
		true_out += truth(child->pid, ESTABLISHED, ports[i], false);
		true_in += truth(child->pid, ESTABLISHED, ports[i], true);
		true_wait += truth(child->pid, CLOSE_WAIT, ports[i], true);
	}
	assert_int_equal(true_out, established);
	assert_int_equal(true_wait, close_wait);
	sums_of(w, child->target_id, CONNECTION_OUT, 0, &out);
	sums_of(w, child->target_id, CONNECTION_IN, 0, &in);
	check_sock_diag(w, child->pid, child->target_id);
	assert_int_equal(out.established, true_out);
	assert_int_equal(in.established, true_in + true_wait);
	assert_int_equal(in.close_wait, true_wait);
	assert_int_equal(out.connecting + in.connecting, 0);
	assert_int_equal(in.listening, 3);
	assert_int_equal(out.peak, 120);
	assert_int_equal(in.peak, 120);
}

static void check_families(bool is_before)
{
	struct watch *w = watch_open(&probes_default_config);
	cleanup_free char *script = NULL;
	struct child child;
	unsigned ports[3];
	struct sums sums;

	assert_true(asprintf(&script, "BEFORE = %d\n%s", is_before, families) > 0);
	child_start(&child, pythons[0], script);
	child.target_id = ++w->last_target_id;
	watch_layout(w, &child, child.pid);
	LOOK(w, true, child.pid);
	child_go(&child);
	assert_int_equal(sscanf(child_line(&child), "%u %u %u", &ports[0], &ports[1], &ports[2]), 3);
	check_against_truth(w, &child, ports, 120, 0);
	/* Looking again changes nothing. */
	LOOK(w, false, child.pid);
	LOOK(w, false, child.pid);
	check_against_truth(w, &child, ports, 120, 0);
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.before, is_before ? 40 : 0);
	assert_int_equal(sums.begun, is_before ? 80 : 120);
	/* What IPv6 sockets call ::ffff:127.0.0.1 is an IPv4 destination; ::1 is not. */
	sums_of(w, child.target_id, CONNECTION_OUT, AF_INET, &sums);
	assert_int_equal(sums.established, 80);
	child_go(&child);
	assert_string_equal(child_line(&child), "rest");
	check_against_truth(w, &child, ports, 30, 90);
	child_go(&child);
	child_end(&child);
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.established + sums.connecting, 0);
	assert_int_equal(sums.closed, 120);
	sums_of(w, child.target_id, CONNECTION_IN, 0, &sums);
	assert_int_equal(sums.established + sums.listening + sums.close_wait, 0);
	watch_close(w);
}

static void counts_all_families(void **state)
{
	(void)state;
	check_families(false);
}

static void counts_what_was_open_before_once(void **state)
{
	(void)state;
	check_families(true);
}

static void counts_how_attempts_fail(void **state)
{
	static const char script[] =
		"import resource\n"
		"server = socket.socket(); server.bind(('127.0.0.1', 0)); port = server.getsockname()[1]\n"
		"server.listen(0)\n"
		"free = socket.socket(); free.bind(('127.0.0.1', 0)); closed = free.getsockname()[1]\n"
		"go()\n"
		"for _ in range(5):\n" /* nobody listens */
		"    try: socket.create_connection(('127.0.0.1', closed))\n"
		"    except ConnectionRefusedError: pass\n"
		"fill = []\n" /* the queue of the server is full: no answer comes */
		"for _ in range(6):\n"
		"    s = socket.socket(); s.setblocking(False); s.connect_ex(('127.0.0.1', port)); fill.append(s)\n"
		"say(port)\n"
		"sys.stdin.readline()\n"
		"late = socket.socket(); late.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)\n"
		"try: late.connect(('127.0.0.1', port))\n" /* given up by the kernel, after three seconds */
		"except TimeoutError: pass\n"
		"for s in fill: s.close()\n"
		"resource.setrlimit(resource.RLIMIT_NOFILE, (8, 4096))\n"
		"some = []\n"
		"try:\n"
		"    while True: some.append(socket.socket())\n"
		"except OSError: pass\n"
		"say('end')\n"
		"sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	uint32_t connecting;
	struct sums sums;
	unsigned port;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	port = child_number(&child);
	connecting = truth(child.pid, SYN_SENT, port, false);
	assert_true(connecting > 0);
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.connecting, connecting);
	assert_int_equal(sums.established, truth(child.pid, ESTABLISHED, port, false));
	assert_int_equal(sums.begun, 11);
	assert_int_equal(sums.failed[FAILURE_REFUSED], 5);
	child_go(&child);
	assert_string_equal(child_line(&child), "end");
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.connecting + sums.established, 0);
	assert_int_equal(sums.failed[FAILURE_GIVEN_UP], connecting);
	assert_int_equal(sums.failed[FAILURE_TIMED_OUT], 1);
	sums_of(w, child.target_id, CONNECTION_PROCESS, 0, &sums);
	assert_int_equal(sums.failed[FAILURE_DESCRIPTORS], 1);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* By the other end: while all is open, and after it has said that nothing more comes. */
static void counts_resets(void **state)
{
	static const char script[] =
		"import struct\n"
		"go()\n"
		"server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(100)\n"
		"def pair():\n"
		"    return socket.create_connection(server.getsockname()), server.accept()[0]\n"
		"pairs = [pair() for _ in range(5)]\n"
		"pairs[0][1].shutdown(socket.SHUT_WR); pairs[0][0].recv(1)\n"
		"for mine, other in pairs[:4]:\n"
		"    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); other.close()\n"
		"for mine, other in pairs[1:4]:\n"
		"    try: mine.recv(1)\n"
		"    except ConnectionResetError: continue\n"
		"    raise SystemExit('not reset')\n"
		"say('reset'); sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	struct sums sums;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "reset");
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.established, 1);
	assert_int_equal(sums.closed, 4);
	for (int i = 0; i < FAILURE_MAX; i++)
		assert_int_equal(sums.failed[i], i == FAILURE_RESET ? 4 : 0);
	/* who resets has lost nothing */
	sums_of(w, child.target_id, CONNECTION_IN, 0, &sums);
	assert_int_equal(sums.established, 1);
	for (int i = 0; i < FAILURE_MAX; i++)
		assert_int_equal(sums.failed[i], 0);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* Both ends connect to each other, or one to itself: an attempt that comes to something, and from nowhere. */
static void counts_who_connects_to_itself_once(void **state)
{
	static const char script[] =
		"def both():\n"
		"    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.connect(s.getsockname()); return s\n"
		"go()\n"
		"mine = [both() for _ in range(5)]\n"
		"say(mine[0].getsockname()[1]); sys.stdin.readline()\n"
		"for s in mine: s.close()\n"
		"say('rest'); sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	struct sums sums;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(truth(child.pid, ESTABLISHED, child_number(&child), false), 1);
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.established, 5);
	assert_int_equal(sums.begun, 5);
	assert_int_equal(sums.completed, 5);
	for (int i = 0; i < FAILURE_MAX; i++)
		assert_int_equal(sums.failed[i], 0);
	child_go(&child);
	assert_string_equal(child_line(&child), "rest");
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &sums);
	assert_int_equal(sums.established, 0);
	assert_int_equal(sums.closed, 5);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

static void follows_sockets_to_who_holds_them(void **state)
{
	static const char script[] =
		"server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(100)\n"
		"go()\n"
		"mine = [socket.create_connection(server.getsockname()) for _ in range(10)]\n"
		"r, w = os.pipe()\n"
		"child = os.fork()\n"
		"if child == 0:\n"
		"    server.close()\n"
		"    for s in mine[5:]: s.close()\n"
		"    os.read(r, 1)\n"
		"    say('child', os.getpid())\n"
		"    os.read(0, 1)\n"
		"    os._exit(0)\n"
		"for s in mine[:5]: s.close()\n"
		"os.write(w, b'x')\n"
		"os.waitpid(child, 0)\n"
		"say('alone')\n"
		"sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_fork *fork_ev;
	struct sums parent, heir;
	struct child child;
	int child_pid;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(sscanf(child_line(&child), "child %d", &child_pid), 1);
	watch_drain(w);
	fork_ev = watch_nth(w, EV_FORK, ANY_TARGET, 0);
	assert_non_null(fork_ev);
	/* Until it is certain that the parent has let go, they are its own. */
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &parent);
	assert_int_equal(parent.established, 10);
	for (int round = 0; round < 3; round++)
		LOOK(w, false, child.pid, child_pid);
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &parent);
	sums_of(w, fork_ev->head.target_id, CONNECTION_OUT, 0, &heir);
	assert_int_equal(parent.established, 5);
	assert_int_equal(heir.established, 5);
	assert_int_equal(write(child.input, "x", 1), 1);
	assert_string_equal(child_line(&child), "alone");
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &parent);
	sums_of(w, fork_ev->head.target_id, CONNECTION_OUT, 0, &heir);
	assert_int_equal(parent.established, 5);
	assert_int_equal(heir.established, 0);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

static void counts_unix_sockets(void **state)
{
	static const char script[] =
		"server = socket.socket(socket.AF_UNIX); server.bind('\\0loophound-test-%d' % os.getpid())\n"
		"server.listen(100)\n"
		"name = server.getsockname()\n"
		"def client():\n"
		"    s = socket.socket(socket.AF_UNIX); s.connect(name); return s\n"
		"old = [client() for _ in range(4)]\n"
		"pair = socket.socketpair()\n" /* is no connection to anywhere */
		"go()\n"
		"new = [client() for _ in range(9)]\n"
		"try: socket.socket(socket.AF_UNIX).connect('/nowhere')\n"
		"except FileNotFoundError: pass\n"
		"say('peak')\n"
		"sys.stdin.readline()\n"
		"for s in new[:6]: s.close()\n"
		"os.dup2(0, old[0].fileno())\n" /* an end without a close() */
		"say('rest')\n"
		"sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	struct sums sums;

	(void)state;
	child_start(&child, pythons[0], script);
	child.target_id = ++w->last_target_id;
	watch_layout(w, &child, child.pid);
	LOOK(w, true, child.pid);
	child_go(&child);
	assert_string_equal(child_line(&child), "peak");
	sums_of(w, child.target_id, CONNECTION_OUT, AF_UNIX, &sums);
	assert_int_equal(sums.established, 13);
	assert_int_equal(sums.before, 4);
	assert_int_equal(sums.begun, 10);
	assert_int_equal(sums.failed[FAILURE_UNREACHABLE], 1);
	child_go(&child);
	assert_string_equal(child_line(&child), "rest");
	sums_of(w, child.target_id, CONNECTION_OUT, AF_UNIX, &sums);
	assert_int_equal(sums.established, 6);
	LOOK(w, false, child.pid);
	sums_of(w, child.target_id, CONNECTION_OUT, AF_UNIX, &sums);
	assert_int_equal(sums.established, 6);
	child_go(&child);
	child_end(&child);
	LOOK(w, false, getpid());
	sums_of(w, child.target_id, CONNECTION_OUT, AF_UNIX, &sums);
	assert_int_equal(sums.established, 0);
	watch_close(w);
}

static void bounds_destinations(void **state)
{
	static const char script[] =
		"import resource\n"
		"resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n"
		"server = socket.socket(); server.bind(('0.0.0.0', 0)); server.listen(2000)\n"
		"port = server.getsockname()[1]\n"
		"go()\n"
		"places = ['127.0.%d.%d' % (i // 250, 1 + i % 250) for i in range(1300)]\n"
		"mine = [socket.create_connection((place, port)) for place in places]\n"
		"say('peak')\n"
		"sys.stdin.readline()\n"
		"for s in mine: s.close()\n"
		"say('rest')\n"
		"sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	uint64_t stats[STAT_MAX] = { 0 };
	struct sums own, rest;
	struct child child;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "peak");
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &own);
	sums_of(w, child.target_id, CONNECTION_PROCESS, 0, &rest);
	assert_int_equal(own.established + rest.established, 1300);
	assert_int_equal(own.established, MAX_DESTINATIONS_OF_TARGET);
	probes_stats(w->probes, stats);
	assert_int_equal(stats[STAT_DESTINATIONS_REFUSED], 1300 - MAX_DESTINATIONS_OF_TARGET);
	child_go(&child);
	assert_string_equal(child_line(&child), "rest");
	sums_of(w, child.target_id, CONNECTION_OUT, 0, &own);
	sums_of(w, child.target_id, CONNECTION_PROCESS, 0, &rest);
	assert_int_equal(own.established + rest.established, 0);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_all_families),
		cmocka_unit_test(counts_what_was_open_before_once),
		cmocka_unit_test(counts_how_attempts_fail),
		cmocka_unit_test(counts_resets),
		cmocka_unit_test(counts_who_connects_to_itself_once),
		cmocka_unit_test(follows_sockets_to_who_holds_them),
		cmocka_unit_test(counts_unix_sockets),
		cmocka_unit_test(bounds_destinations),
	};

	require_host();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
