/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How many connections processes hold: of this process, of a child, in another network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sockets.h"

#define MANY 30

/* A listening socket of loopback, and its address. */
static int listen_at(int family, struct sockaddr_storage *address, socklen_t *size)
{
	int fd = socket(family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	*size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (family == AF_INET)
		((struct sockaddr_in *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_addr = in6addr_loopback;
	else
		*size = sizeof(sa_family_t); /* the kernel finds a name */
	assert_int_equal(bind(fd, (struct sockaddr *)address, *size), 0);
	*size = sizeof(*address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, size), 0);
	assert_int_equal(listen(fd, MANY), 0);
	return fd;
}

static int connect_to(const struct sockaddr_storage *address, socklen_t size)
{
	int fd = socket(address->ss_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)address, size), 0);
	return fd;
}

static struct socket_counts counts_of(pid_t pid)
{
	struct socket_counts counts;

	assert_int_equal(sockets_count(&pid, 1, &counts), 0);
	assert_true(counts.is_known);
	return counts;
}

static void assert_counts(pid_t pid, uint32_t outbound, uint32_t inbound, uint32_t listening)
{
	struct socket_counts counts = counts_of(pid);

	assert_int_equal(counts.outbound, outbound);
	assert_int_equal(counts.inbound, inbound);
	assert_int_equal(counts.listening, listening);
}

static void check_family(int family)
{
	struct socket_counts before = counts_of(getpid());
	struct sockaddr_storage address;
	int out[MANY], in[MANY], fd, copy;
	socklen_t size;

	fd = listen_at(family, &address, &size);
	for (int i = 0; i < MANY; i++) {
		out[i] = connect_to(&address, size);
		in[i] = accept(fd, NULL, NULL);
		assert_true(in[i] >= 0);
	}
	copy = dup(out[0]);
	assert_counts(getpid(), before.outbound + MANY, before.inbound + MANY, before.listening + 1);
	for (int i = 0; i < MANY / 2; i++)
		close(out[i]);
	/* The first is still held by its copy; TCP's accepted ones are in CLOSE_WAIT. */
	assert_counts(getpid(), before.outbound + MANY / 2 + 1, before.inbound + MANY, before.listening + 1);
	close(copy);
	for (int i = 0; i < MANY; i++) {
		if (i >= MANY / 2)
			close(out[i]);
		close(in[i]);
	}
	close(fd);
	assert_counts(getpid(), before.outbound, before.inbound, before.listening);
}

static void counts_each_family(void **state)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		check_family(families[i]);
}

static void who_is_not_accepted_yet_is_connected(void **state)
{
	struct socket_counts before = counts_of(getpid());
	struct sockaddr_storage address;
	socklen_t size;
	int listening, fd;

	(void)state;
	listening = listen_at(AF_UNIX, &address, &size);
	fd = connect_to(&address, size);
	assert_counts(getpid(), before.outbound + 1, before.inbound, before.listening + 1);
	close(fd);
	close(listening);
}

static void pairs_and_datagrams_are_no_connections(void **state)
{
	struct socket_counts before = counts_of(getpid());
	int pair[2], datagrams[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
	assert_counts(getpid(), before.outbound, before.inbound, before.listening);
	close(pair[0]), close(pair[1]), close(datagrams[0]), close(datagrams[1]);
}

static void set_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		_exit(2);
	close(fd);
}

/* In a network of its own: three to itself; then it waits to be told to end. */
static void run_child(int ready, int end)
{
	struct sockaddr_storage address;
	socklen_t size;
	char byte = 0;

	if (unshare(CLONE_NEWNET))
		_exit(2);
	set_loopback_up();
	listen_at(AF_INET, &address, &size);
	for (int i = 0; i < 3; i++)
		connect_to(&address, size);
	if (write(ready, &byte, 1) != 1 || read(end, &byte, 1) != 0)
		_exit(2);
	_exit(0);
}

static void looks_into_other_networks_and_comes_back(void **state)
{
	struct socket_counts own = counts_of(getpid()), counts[2];
	int ready[2], end[2], status;
	pid_t pids[2];
	char byte;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pids[0] = fork();
	assert_true(pids[0] >= 0);
	if (!pids[0]) {
		close(end[1]);
		run_child(ready[1], end[0]);
	}
	close(end[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	pids[1] = getpid();
	assert_int_equal(sockets_count(pids, 2, counts), 0);
	assert_true(counts[0].is_known && counts[1].is_known);
	assert_int_equal(counts[0].outbound, 3); /* nobody has accepted the other ends */
	assert_int_equal(counts[0].inbound, 0);
	assert_int_equal(counts[0].listening, 1);
	assert_memory_equal(&counts[1], &own, sizeof(own));
	close(end[1]);
	assert_int_equal(waitpid(pids[0], &status, 0), pids[0]);
	assert_int_equal(status, 0);
	close(ready[0]);
	assert_counts(getpid(), own.outbound, own.inbound, own.listening);
}

static void who_is_gone_is_not_known(void **state)
{
	struct socket_counts counts[2];
	pid_t pids[2] = { fork(), getpid() };

	(void)state;
	if (!pids[0])
		_exit(0);
	assert_int_equal(waitpid(pids[0], NULL, 0), pids[0]);
	assert_int_equal(sockets_count(pids, 2, counts), 0);
	assert_false(counts[0].is_known);
	assert_true(counts[1].is_known);
}

/* More descriptors than are looked at: whoever goes past is not known, who came before is. */
static void descriptors_are_bounded(void **state)
{
	static pid_t pids[SOCKETS_MAX_DESCRIPTORS / 512 + 2];
	static struct socket_counts counts[sizeof(pids) / sizeof(pids[0])];
	unsigned nr = sizeof(pids) / sizeof(pids[0]);
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 1024)
		skip();
	limit.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int fd = 100; fd < 100 + 512; fd++)
		assert_int_equal(dup2(0, fd), fd);
	for (unsigned i = 0; i < nr; i++)
		pids[i] = getpid();
	assert_int_equal(sockets_count(pids, nr, counts), 0);
	assert_true(counts[0].is_known);
	assert_false(counts[nr - 1].is_known);
	for (int fd = 100; fd < 100 + 512; fd++)
		close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_family),
		cmocka_unit_test(who_is_not_accepted_yet_is_connected),
		cmocka_unit_test(pairs_and_datagrams_are_no_connections),
		cmocka_unit_test(looks_into_other_networks_and_comes_back),
		cmocka_unit_test(who_is_gone_is_not_known),
		cmocka_unit_test(descriptors_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
