/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections of AF_UNIX are counted at once, at both ends, as /proc/PID/net/unix has them; descriptors that were
 * passed to another process count for the one that holds them, as /proc/PID/fd has it.
 */
#include "counted.h"

#include <sys/un.h>

static void check_unix(struct watch *w, pid_t pid, uint32_t target_id, uint32_t outbound, uint32_t inbound)
{
	struct sums out, in;

	check_sock_diag(w, pid, target_id);
	assert_int_equal(truth_unix(pid, true), outbound);
	assert_int_equal(truth_unix(pid, false), inbound);
	sums_of(w, target_id, CONNECTION_OUT, AF_UNIX, &out);
	sums_of(w, target_id, CONNECTION_IN, AF_UNIX, &in);
	assert_int_equal(out.established, outbound);
	assert_int_equal(in.established, inbound);
}

static void counts_both_ends_of_unix_at_once(void **state)
{
	static const char script[] =
		"go()\n"
		"server = socket.socket(socket.AF_UNIX); server.bind('\\0loophound-both-%d' % os.getpid())\n"
		"server.listen(100)\n"
		"name = server.getsockname()\n"
		"ours, theirs = [], []\n"
		"for i in range(40):\n"
		"    s = socket.socket(socket.AF_UNIX); s.connect(name); ours.append(s)\n"
		"    theirs.append(server.accept()[0])\n"
		"say('peak'); sys.stdin.readline()\n"
		"for s in ours[:10] + theirs[:15]: s.close()\n"
		"for s in theirs[15:20]: os.dup2(0, s.fileno())\n"
		"for s in theirs[20:22]: os.dup2(0, s.fileno(), inheritable=False)\n" /* dup3 */
		"try: os.dup2(999, ours[30].fileno())\n" /* closes nothing */
		"except OSError: pass\n"
		"copy = os.dup(ours[10].fileno()); ours[10].close()\n" /* is open still */
		"say('rest'); sys.stdin.readline()\n"
		"os.close(copy); server.close()\n"
		"say('closed'); sys.stdin.readline()\n"
		"os._exit(0)\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	struct sums sums;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "peak");
	check_unix(w, child.pid, child.target_id, 40, 40);
	sums_of(w, child.target_id, CONNECTION_IN, AF_UNIX, &sums);
	assert_int_equal(sums.peak, 40);
	assert_int_equal(sums.begun, 40);
	assert_int_equal(sums.listening, 1);
	/* A look finds nothing that is not known. */
	LOOK(w, false, child.pid);
	check_unix(w, child.pid, child.target_id, 40, 40);
	child_go(&child);
	assert_string_equal(child_line(&child), "rest");
	check_unix(w, child.pid, child.target_id, 30, 18);
	child_go(&child);
	assert_string_equal(child_line(&child), "closed");
	check_unix(w, child.pid, child.target_id, 29, 18);
	sums_of(w, child.target_id, CONNECTION_IN, AF_UNIX, &sums);
	assert_int_equal(sums.listening, 0);
	child_go(&child);
	child_end(&child);
	sums_of(w, child.target_id, CONNECTION_IN, AF_UNIX, &sums);
	assert_int_equal(sums.established, 0);
	assert_int_equal(sums.closed, 40);
	sums_of(w, child.target_id, CONNECTION_OUT, AF_UNIX, &sums);
	assert_int_equal(sums.established, 0);
	assert_int_equal(sums.begun, 40);
	assert_int_equal(sums.closed, 40);
	watch_close(w);
}

/* As a server with workers does it: each counts for the worker that accepted it, without a look. */
static void a_worker_accepts_on_what_it_inherited(void **state)
{
	static const char script[] =
		"go()\n"
		"server = socket.socket(socket.AF_UNIX); server.bind('\\0loophound-worker-%d' % os.getpid())\n"
		"server.listen(100)\n"
		"r, w = os.pipe()\n"
		"child = os.fork()\n"
		"if child == 0:\n"
		"    theirs = [server.accept()[0] for _ in range(7)]\n"
		"    os.write(w, b'x'); os.read(0, 1)\n"
		"    for s in theirs[:3]: s.close()\n"
		"    say('rest'); os.read(0, 1)\n"
		"    os._exit(0)\n"
		"ours = []\n"
		"for i in range(7):\n"
		"    s = socket.socket(socket.AF_UNIX); s.connect(server.getsockname()); ours.append(s)\n"
		"os.read(r, 1)\n"
		"say('peak', child)\n"
		"os.waitpid(child, 0)\n"
		"say('alone'); sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_fork *fork_ev;
	struct child child;
	struct sums sums;
	int worker;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(sscanf(child_line(&child), "peak %d", &worker), 1);
	watch_drain(w);
	fork_ev = watch_nth(w, EV_FORK, ANY_TARGET, 0);
	assert_non_null(fork_ev);
	check_unix(w, child.pid, child.target_id, 7, 0);
	check_unix(w, worker, fork_ev->head.target_id, 0, 7);
	assert_int_equal(write(child.input, "x", 1), 1);
	assert_string_equal(child_line(&child), "rest");
	check_unix(w, worker, fork_ev->head.target_id, 0, 4);
	assert_int_equal(write(child.input, "x", 1), 1);
	assert_string_equal(child_line(&child), "alone");
	check_unix(w, child.pid, child.target_id, 7, 0);
	sums_of(w, fork_ev->head.target_id, CONNECTION_IN, AF_UNIX, &sums);
	assert_int_equal(sums.established, 0);
	/* The listening socket is its parent's as well. */
	sums_of(w, child.target_id, CONNECTION_IN, AF_UNIX, &sums);
	assert_int_equal(sums.listening, 1);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* Nor does who inherited it, and is looked at after its owner, keep the owner's close() from being its end. */
static void who_inherited_it_too_does_not_hide_its_end(void **state)
{
	static const char script[] =
		"go()\n"
		"server = socket.socket(socket.AF_UNIX); server.bind('\\0loophound-heir-%d' % os.getpid())\n"
		"server.listen(100)\n"
		"ours = []\n"
		"for i in range(5):\n"
		"    s = socket.socket(socket.AF_UNIX); s.connect(server.getsockname()); ours.append(s)\n"
		"child = os.fork()\n"
		"if child == 0:\n"
		"    os.read(0, 1); os._exit(0)\n"
		"say('heir', child); os.waitpid(child, 0)\n"
		"for s in ours[:3]: s.close()\n"
		"say('rest'); sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;
	int heir;

	(void)state;
	watch_run(w, &child, pythons[0], script);
	assert_int_equal(sscanf(child_line(&child), "heir %d", &heir), 1);
	check_unix(w, child.pid, child.target_id, 5, 0);
	LOOK(w, false, child.pid, heir);
	assert_int_equal(write(child.input, "x", 1), 1);
	assert_string_equal(child_line(&child), "rest");
	check_unix(w, child.pid, child.target_id, 2, 0);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* ---- descriptors in messages ---- */

static const char passing[] =
	"go()\n"
	"server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen(100)\n"
	"port = server.getsockname()[1]\n"
	"here, there = socket.socketpair()\n"
	"child = os.fork()\n"
	"if child == 0:\n"
	"    server.close(); here.close()\n"
	"    fds = socket.recv_fds(there, 1, 10)[1]\n"
	"    there.recv(1)\n" /* they are closed there */
	"    say('passed', port, os.getpid()); os.read(0, 1)\n"
	"    out = socket.socket(socket.AF_UNIX); out.connect('\\0loophound-passed-%d' % os.getppid())\n"
	"    socket.send_fds(out, [b'x'], fds[:2])\n"
	"    for fd in fds[:2]: os.close(fd)\n"
	"    say('away'); os.read(0, 1)\n"
	"    back = socket.recv_fds(out, 1, 10)[1]\n"
	"    say('back'); os.read(0, 1)\n"
	"    os._exit(0)\n"
	"there.close()\n"
	"mine = [socket.create_connection(('127.0.0.1', port)) for _ in range(6)]\n"
	"socket.send_fds(here, [b'x'], [s.fileno() for s in mine[:4]])\n"
	"for s in mine[:4]: s.close()\n"
	"here.send(b'y')\n"
	"os.waitpid(child, 0)\n"
	"say('alone'); sys.stdin.readline()\n";

/* The test itself, which is nobody's target, receives descriptors by that name. */
static int listen_as(pid_t pid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "loophound-passed-%d", pid);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Takes two out of a message, or (is_back) puts them into one. */
static void pass(int socket_fd, int fds[2], bool is_back)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec data = { .iov_base = "x", .iov_len = 1 };
	char byte;
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (is_back) {
		*header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(2 * sizeof(int)) };
		memcpy(CMSG_DATA(header), fds, 2 * sizeof(int));
		assert_int_equal(sendmsg(socket_fd, &message, 0), 1);
		return;
	}
	data.iov_base = &byte;
	assert_int_equal(recvmsg(socket_fd, &message, 0), 1);
	header = CMSG_FIRSTHDR(&message);
	assert_non_null(header);
	assert_int_equal(header->cmsg_len, CMSG_LEN(2 * sizeof(int)));
	memcpy(fds, CMSG_DATA(header), 2 * sizeof(int));
}

/* Some looks later: what each holds by /proc, and what is counted for it. */
static void check_holders(struct watch *w, const struct child *child, pid_t heir, uint32_t heir_id, unsigned port,
			  uint32_t first, uint32_t second)
{
	struct sums parent, other;

	for (int round = 0; round < 4; round++)
		LOOK(w, false, child->pid, heir);
	assert_int_equal(truth(child->pid, ESTABLISHED, port, false), first);
	assert_int_equal(truth(heir, ESTABLISHED, port, false), second);
	sums_of(w, child->target_id, CONNECTION_OUT, AF_INET, &parent);
	sums_of(w, heir_id, CONNECTION_OUT, AF_INET, &other);
	assert_int_equal(parent.established, first);
	assert_int_equal(other.established, second);
}

static void follows_descriptors_in_messages(void **state)
{
	struct watch *w = watch_open(&probes_default_config);
	const struct ev_fork *fork_ev;
	int listening, receiver, fds[2];
	struct child child;
	struct sums sums;
	unsigned port;
	pid_t heir;

	(void)state;
	watch_run(w, &child, pythons[0], passing);
	listening = listen_as(child.pid);
	assert_int_equal(sscanf(child_line(&child), "passed %u %d", &port, &heir), 2);
	watch_drain(w);
	fork_ev = watch_nth(w, EV_FORK, ANY_TARGET, 0);
	assert_non_null(fork_ev);
	check_holders(w, &child, heir, fork_ev->head.target_id, port, 2, 4);

	/* To a process that is not watched, and back. */
	assert_int_equal(write(child.input, "x", 1), 1);
	receiver = accept(listening, NULL, NULL);
	assert_true(receiver >= 0);
	pass(receiver, fds, false);
	assert_string_equal(child_line(&child), "away");
	check_holders(w, &child, heir, fork_ev->head.target_id, port, 2, 2);
	pass(receiver, fds, true);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(write(child.input, "x", 1), 1);
	assert_string_equal(child_line(&child), "back");
	check_holders(w, &child, heir, fork_ev->head.target_id, port, 2, 4);
	sums_of(w, fork_ev->head.target_id, CONNECTION_OUT, AF_INET, &sums);
	assert_int_equal(sums.before, 2);
	/* What nobody has accepted yet has no descriptor, and is there all the same. */
	sums_of(w, child.target_id, CONNECTION_IN, AF_INET, &sums);
	assert_int_equal(sums.established, 6);

	assert_int_equal(write(child.input, "x", 1), 1);
	assert_string_equal(child_line(&child), "alone");
	sums_of(w, fork_ev->head.target_id, CONNECTION_OUT, AF_INET, &sums);
	assert_int_equal(sums.established, 0);
	close(receiver);
	close(listening);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* Who may become a target, and what descends from one, has no destinations: they would be nobody's for ever. */
static void who_is_kept_in_mind_is_not_counted(void **state)
{
	static const char script[] =
		"go()\n"
		"for family, address in ((socket.AF_INET, ('127.0.0.1', 0)), (socket.AF_UNIX, '')):\n"
		"    server = socket.socket(family); server.bind(address); server.listen(9)\n"
		"    s = socket.socket(family); s.connect(server.getsockname()); server.accept()\n"
		"say('peak'); sys.stdin.readline()\n";
	struct watch *w = watch_open(&probes_default_config);
	struct child child;

	(void)state;
	child_start(&child, pythons[0], script);
	child.target_id = ++w->last_target_id;
	watch_layout(w, &child, child.pid);
	assert_int_equal(probes_keep(w->probes, child.pid, child.target_id, true), 0);
	child_go(&child);
	assert_string_equal(child_line(&child), "peak");
	LOOK(w, true, child.pid);
	assert_int_equal(destinations_high(probes_destinations(w->probes)), 0);
	child_go(&child);
	child_end(&child);
	watch_close(w);
}

/* ---- where the kernel refuses ---- */

static void run_without(const char *spared, bool has_connections)
{
	static const char script[] = "go()\n"
				     "server = socket.socket(socket.AF_UNIX)\n"
				     "server.bind('\\0loophound-spared-%d' % os.getpid()); server.listen(9)\n"
				     "s = socket.socket(socket.AF_UNIX); s.connect(server.getsockname())\n"
				     "say('peak'); sys.stdin.readline()\n";
	struct probes_config config = probes_default_config;
	struct child child;
	struct watch *w;
	struct sums sums;

	config.spared = spared;
	w = watch_open(&config);
	watch_run(w, &child, pythons[0], script);
	assert_string_equal(child_line(&child), "peak");
	assert_int_equal(probes_destinations(w->probes) != NULL, has_connections);
	if (has_connections) { /* a look finds it */
		LOOK(w, false, child.pid);
		sums_of(w, child.target_id, CONNECTION_OUT, AF_UNIX, &sums);
		assert_int_equal(sums.established, 1);
	}
	child_go(&child);
	child_end(&child);
	/* All else goes on. */
	watch_drain(w);
	assert_non_null(watch_nth(w, EV_EXIT, child.target_id, 0));
	watch_close(w);
}

static void what_the_kernel_refuses_takes_no_more_with_it(void **state)
{
	(void)state;
	run_without("on_tcp_state", false);
	run_without("on_connect_exit", true);
	run_without("", false); /* the programs do not load */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_both_ends_of_unix_at_once),
		cmocka_unit_test(a_worker_accepts_on_what_it_inherited),
		cmocka_unit_test(who_inherited_it_too_does_not_hide_its_end),
		cmocka_unit_test(follows_descriptors_in_messages),
		cmocka_unit_test(who_is_kept_in_mind_is_not_counted),
		cmocka_unit_test(what_the_kernel_refuses_takes_no_more_with_it),
	};

	require_host();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
