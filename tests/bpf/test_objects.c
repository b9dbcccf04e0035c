/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a sleep waited for: the peer of a socket, the path of a file, as the program tells them. */
#include <arpa/inet.h>
#include <sys/syscall.h>

#include "watched.h"

/* A callback that blocks in `wait()` for 30 ms, until a thread calls `let()`. */
#define BLOCK(setup, name)                                       \
	setup                                                    \
	"def later():\n"                                         \
	"    time.sleep(0.03)\n"                                 \
	"    let()\n"                                            \
	"async def main():\n"                                    \
	"    thread = threading.Thread(target=later)\n"          \
	"    thread.start()\n"                                   \
	"    wait()\n"                                           \
	"    thread.join()\n"                                    \
	"go()\n"                                                 \
	"asyncio.run(main())\n"                                  \
	"say(" name ")\n"                                        \
	"sys.stdin.readline()\n"

/* Runs such a script: the object of its sleep in that call, and the line it said. */
static struct ev_object run_object(const char *script, int syscall, char *said, size_t bytes)
{
	struct watch *w = watch_open(&probes_default_config);
	struct ev_object object;
	const struct ev_sleep *sleep;
	struct child child;

	watch_run(w, &child, pythons[0], script);
	snprintf(said, bytes, "%.*s", (int)bytes - 1, child_line(&child));
	assert_int_equal(watch_end(w, &child), 0);
	sleep = watch_sleep(w, child.target_id, syscall);
	assert_in_range(sleep->total_ns, 10 * NSEC_PER_MSEC, 10 * NSEC_PER_SEC);
	assert_int_equal(sleep->fd, (int)sleep->args[0]);
	object = sleep->object;
	watch_close(w);
	return object;
}

/* ---- sockets ---- */

#define PAIR(family, address)                                    \
	"server = socket.socket(socket." family ")\n"            \
	"server.bind(" address ")\n"                             \
	"server.listen()\n"                                      \
	"client = socket.socket(socket." family ")\n"            \
	"client.connect(server.getsockname())\n"                 \
	"peer, _ = server.accept()\n"                            \
	"def wait(): client.recv(1)\n"                           \
	"def let(): peer.send(b'x')\n"

static void a_socket_of_ipv4_has_its_peer(void **state)
{
	static const uint8_t address[4] = { 127, 0, 0, 2 };
	struct ev_object object;
	char said[256];

	(void)state;
	object = run_object(BLOCK(PAIR("AF_INET", "('127.0.0.2', 0)"), "server.getsockname()[1]"),
			    SYS_recvfrom, said, sizeof(said));
	assert_int_equal(object.kind, OBJECT_SOCKET);
	assert_int_equal(object.family, AF_INET);
	assert_int_equal(object.protocol, IPPROTO_TCP);
	assert_int_equal(object.port, atoi(said));
	assert_memory_equal(object.addr, address, sizeof(address));
	assert_int_equal(object.flags, 0);
	assert_true(object.inode > 0);
}

static void a_socket_of_ipv6_has_its_peer(void **state)
{
	struct ev_object object;
	char said[256];

	(void)state;
	if (access("/proc/net/if_inet6", R_OK)) {
		print_message("SKIP: this host has no IPv6\n");
		skip();
	}
	object = run_object(BLOCK(PAIR("AF_INET6", "('::1', 0)"), "server.getsockname()[1]"),
			    SYS_recvfrom, said, sizeof(said));
	assert_int_equal(object.kind, OBJECT_SOCKET);
	assert_int_equal(object.family, AF_INET6);
	assert_int_equal(object.protocol, IPPROTO_TCP);
	assert_int_equal(object.port, atoi(said));
	assert_memory_equal(object.addr, &in6addr_loopback, sizeof(in6addr_loopback));
}

static void a_unix_socket_has_the_path_of_its_peer(void **state)
{
	struct ev_object object;
	char said[256];

	(void)state;
	object = run_object(BLOCK("import tempfile\n"
				  "place = tempfile.mkdtemp() + '/the.socket'\n"
				  PAIR("AF_UNIX", "place")
				  "os.unlink(place); os.rmdir(os.path.dirname(place))\n", "place"),
			    SYS_recvfrom, said, sizeof(said));
	assert_int_equal(object.kind, OBJECT_SOCKET);
	assert_int_equal(object.family, AF_UNIX);
	assert_string_equal(object.name, said);
	assert_in_range(object.name_len, strlen(said), strlen(said) + 1);
}

static void an_abstract_address_is_a_name_too(void **state)
{
	static const char name[] = "\0loophound\0\1 test";
	struct ev_object object;
	char said[256];

	(void)state;
	object = run_object(BLOCK(PAIR("AF_UNIX", "b'\\0loophound\\0\\1 test'"), "1"), SYS_recvfrom, said,
			    sizeof(said));
	assert_int_equal(object.kind, OBJECT_SOCKET);
	assert_int_equal(object.family, AF_UNIX);
	assert_int_equal(object.name_len, sizeof(name) - 1);
	assert_memory_equal(object.name, name, sizeof(name) - 1);
	/* One that the kernel chose: five hexadecimal digits. */
	object = run_object(BLOCK(PAIR("AF_UNIX", "''"), "server.getsockname()[1:].decode()"),
			    SYS_recvfrom, said, sizeof(said));
	assert_int_equal(object.name_len, 6);
	assert_memory_equal(object.name + 1, said, 5);
	/* Neither end has a name. */
	object = run_object(BLOCK("client, peer = socket.socketpair()\n"
				  "def wait(): client.recv(1)\n"
				  "def let(): peer.send(b'x')\n", "1"), SYS_recvfrom, said, sizeof(said));
	assert_int_equal(object.family, AF_UNIX);
	assert_int_equal(object.name_len, 0);
}

static void an_accept_has_the_address_it_listens_on(void **state)
{
	static const uint8_t address[4] = { 127, 0, 0, 3 };
	struct ev_object object;
	char said[256];

	(void)state;
	object = run_object(BLOCK("server = socket.socket()\n"
				  "server.bind(('127.0.0.3', 0))\n"
				  "server.listen()\n"
				  "client = socket.socket()\n"
				  "def wait(): server.accept()\n"
				  "def let(): client.connect(server.getsockname())\n",
				  "server.getsockname()[1]"),
			    SYS_accept4, said, sizeof(said));
	assert_int_equal(object.kind, OBJECT_SOCKET);
	assert_int_equal(object.flags, OBJECT_LISTENING);
	assert_int_equal(object.port, atoi(said));
	assert_memory_equal(object.addr, address, sizeof(address));
}

/* ---- pipes and files ---- */

static void a_pipe_is_a_pipe(void **state)
{
	struct ev_object object;
	char said[256];

	(void)state;
	object = run_object(BLOCK("r, w = os.pipe()\n"
				  "def wait(): os.read(r, 1)\n"
				  "def let(): os.write(w, b'x')\n", "os.fstat(r).st_ino"),
			    SYS_read, said, sizeof(said));
	assert_int_equal(object.kind, OBJECT_PIPE);
	assert_int_equal(object.inode, strtoull(said, NULL, 10));
	assert_int_equal(object.name_len, 0);
}

static void check_select(int fd, const char *call)
{
	char script[2048], said[256];
	const struct ev_sleep *sleep;
	struct child child;
	struct watch *w = watch_open(&probes_default_config);

	snprintf(script, sizeof(script),
		 "import resource\n"
		 "resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))\n"
		 "r, w = os.pipe()\n"
		 "fd = %d\n"
		 "for other in (fd, 900, 1000): os.dup2(r, other)\n"
		 BLOCK("def wait(): select.select(%s)\n"
		       "def let(): os.write(w, b'x')\n", "os.fstat(r).st_ino"),
		 fd, call);
	watch_run(w, &child, pythons[0], script);
	snprintf(said, sizeof(said), "%.200s", child_line(&child));
	assert_int_equal(watch_end(w, &child), 0);
	sleep = watch_sleep(w, child.target_id, -1);
	assert_true(sleep->syscall == SYS_select || sleep->syscall == SYS_pselect6);
	assert_int_equal(sleep->fd, fd);
	assert_int_equal(sleep->object.kind, OBJECT_PIPE);
	assert_int_equal(sleep->object.inode, strtoull(said, NULL, 10));
	watch_close(w);
}

static void select_has_its_lowest_descriptor(void **state)
{
	static const int fds[] = { 20, 63, 64, 200, 1023 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		check_select(fds[i], "[fd], [], []");
	check_select(700, "[900, 700, 1000], [], []");
}

/* The components, innermost first, as a path. */
static void path_of(const struct ev_object *object, char *path, size_t bytes)
{
	char whole[2 * EV_PATH_LEN] = "", longer[2 * EV_PATH_LEN];

	for (unsigned at = 0; at < object->name_len; at += (unsigned)strlen(&object->name[at]) + 1) {
		snprintf(longer, sizeof(longer), "/%s%.255s", &object->name[at], whole);
		strcpy(whole, longer);
	}
	snprintf(path, bytes, "%s", whole);
}

/* Two descriptions of one file at `place` fight for its lock. */
#define FLOCK(setup)                                                  \
	BLOCK("import atexit, ctypes, tempfile\n"                     \
	      "def mount(at):\n"                                      \
	      "    os.makedirs(at)\n"                                 \
	      "    if libc.mount(b'none', at.encode(), b'tmpfs', 0, None):\n" \
	      "        raise OSError(ctypes.get_errno())\n"           \
	      "libc = ctypes.CDLL(None, use_errno=True)\n"            \
	      setup                                                   \
	      "mine, other = open(place, 'w'), open(place, 'w')\n"    \
	      "place = os.path.realpath(place)\n"                     \
	      "fcntl.flock(other, fcntl.LOCK_EX)\n"                   \
	      "atexit.register(os.unlink, place)\n"                   \
	      "def wait(): fcntl.flock(mine, fcntl.LOCK_EX)\n"        \
	      "def let(): fcntl.flock(other, fcntl.LOCK_UN)\n", "place")

/* A mount namespace that ends with the process, so nothing is left. */
#define PRIVATE_MOUNTS                                                \
	"if libc.unshare(0x20000) or libc.mount(b'none', b'/', None, 0x44000, None):\n" \
	"    raise OSError(ctypes.get_errno())\n"

static void check_path(const char *script, int flags)
{
	struct ev_object object;
	char said[1024], path[1024];

	object = run_object(script, SYS_flock, said, sizeof(said));
	assert_int_equal(object.kind, OBJECT_FILE);
	path_of(&object, path, sizeof(path));
	if (!flags)
		assert_string_equal(path, said);
	assert_int_equal(object.flags, flags);
	assert_true(object.name_len > 0);
	/* What is cut off is the outer part. */
	assert_true(strlen(path) <= strlen(said));
	assert_string_equal(said + strlen(said) - strlen(path), path);
}

static void a_file_has_its_path(void **state)
{
	(void)state;
	check_path(FLOCK("place = tempfile.mkstemp(suffix='.lock')[1]\n"), 0);
}

static void a_path_crosses_mounts(void **state)
{
	(void)state;
	check_path(FLOCK("place = tempfile.mkstemp(dir='/dev/shm')[1]\n"), 0);
	check_path(FLOCK(PRIVATE_MOUNTS
			 "mount('/dev/shm/loophound_test_%d' % os.getpid())\n"
			 "mount('/dev/shm/loophound_test_%d/a/b' % os.getpid())\n"
			 "place = '/dev/shm/loophound_test_%d/a/b/c/lock' % os.getpid()\n"
			 "os.makedirs(os.path.dirname(place))\n"
			 "outer = '/dev/shm/loophound_test_%d' % os.getpid()\n"
			 "atexit.register(lambda: (libc.umount2((outer + '/a/b').encode(), 2),\n"
			 "                         libc.umount2(outer.encode(), 2), os.rmdir(outer)))\n"), 0);
}

#define DEEP(component, depth)                                        \
	PRIVATE_MOUNTS                                                \
	"libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)\n"           \
	"place = '/tmp' + ('/' + " component ") * " depth " + '/lock'\n" \
	"os.makedirs(os.path.dirname(place))\n"

static void a_path_that_is_too_long_is_flagged(void **state)
{
	(void)state;
	check_path(FLOCK(DEEP("'d'", "10")), 0);
	check_path(FLOCK(DEEP("'d'", "30")), OBJECT_NAME_CUT);
	check_path(FLOCK(DEEP("'d' * 50", "8")), OBJECT_NAME_CUT);
}

static void a_component_that_is_too_long_is_flagged(void **state)
{
	struct ev_object object;
	char said[1024], path[1024];

	(void)state;
	check_path(FLOCK(DEEP("'d' * 63", "1")), 0);
	object = run_object(FLOCK(DEEP("'d' * 64", "1")), SYS_flock, said, sizeof(said));
	path_of(&object, path, sizeof(path));
	if (strcmp(path, said) != 0)
		assert_int_equal(object.flags, OBJECT_NAME_CUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_of_ipv4_has_its_peer),
		cmocka_unit_test(a_socket_of_ipv6_has_its_peer),
		cmocka_unit_test(a_unix_socket_has_the_path_of_its_peer),
		cmocka_unit_test(an_abstract_address_is_a_name_too),
		cmocka_unit_test(select_has_its_lowest_descriptor),
		cmocka_unit_test(an_accept_has_the_address_it_listens_on),
		cmocka_unit_test(a_pipe_is_a_pipe),
		cmocka_unit_test(a_file_has_its_path),
		cmocka_unit_test(a_path_crosses_mounts),
		cmocka_unit_test(a_path_that_is_too_long_is_flagged),
		cmocka_unit_test(a_component_that_is_too_long_is_flagged),
	};

	require_host();
	return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
