/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* System call, descriptor and stack to a cause. */
#include "made_iteration.h"

#include "cause.h"
#include "object.h"

static struct stack app_stack(void)
{
	struct stack stack = { 0 };

	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	push_loop(&stack);
	return stack;
}

static enum cause cause_of(struct ev_sleep ev)
{
	struct stack stack = app_stack();

	return cause_of_sleep(&ev, &stack);
}

static enum cause cause_on(int syscall, uint8_t kind, uint32_t rdev)
{
	return cause_of((struct ev_sleep){ .syscall = syscall,
					   .fd = 5,
					   .args = { 5 },
					   .object = { .kind = kind, .rdev = rdev, .name = "x", .name_len = 2 } });
}

static void sleeps_are_found_in_every_version(void **state)
{
	(void)state;
	assert_int_equal(cause_on(SYS_clock_nanosleep, 0, 0), CAUSE_SLEEP);
	assert_int_equal(cause_on(SYS_nanosleep, 0, 0), CAUSE_SLEEP);
	/* time.sleep() of 3.10 and older */
	assert_int_equal(cause_of((struct ev_sleep){ .syscall = SYS_pselect6, .fd = -1 }),
			 CAUSE_SLEEP);
	assert_int_equal(cause_of((struct ev_sleep){ .syscall = SYS_select, .fd = -1 }),
			 CAUSE_SLEEP);
	assert_int_equal(
		cause_of((struct ev_sleep){ .syscall = SYS_poll, .fd = -1, .args = { 77 } }),
		CAUSE_SLEEP);
	/* a select of descriptors that are not known */
	assert_int_equal(
		cause_of((struct ev_sleep){ .syscall = SYS_pselect6, .fd = -1, .args = { 9 } }),
		CAUSE_OTHER);
}

static void a_descriptor_tells_what_a_poll_waits_for(void **state)
{
	static const int calls[] = { SYS_poll,	SYS_ppoll,	SYS_read,
				     SYS_write, SYS_epoll_wait, SYS_pselect6 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		assert_int_equal(cause_on(calls[i], OBJECT_SOCKET, 0), CAUSE_NETWORK);
		assert_int_equal(cause_on(calls[i], OBJECT_PIPE, 0), CAUSE_PIPE);
		assert_int_equal(cause_on(calls[i], OBJECT_FILE, 0), CAUSE_FILE);
		assert_int_equal(cause_on(calls[i], OBJECT_DIR, 0), CAUSE_FILE);
		assert_int_equal(cause_on(calls[i], OBJECT_BLOCK, 0), CAUSE_FILE);
		assert_int_equal(cause_on(calls[i], OBJECT_ANON, 0), CAUSE_OTHER);
	}
}

static void what_is_being_closed_has_no_descriptor_any_more(void **state)
{
	struct ev_sleep ev = { .syscall = SYS_close, .fd = 5, .args = { 5 } };
	struct stack stack = { 0 };

	(void)state;
	assert_int_equal(cause_of(ev), CAUSE_FILE);
	assert_int_equal(cause_of_sleep(&ev, NULL), CAUSE_FILE);
	push(&stack, frame_at("/usr/lib/python3.11/socket.py", 497, "socket._real_close"));
	push(&stack, coroutine_at("/srv/shop/app.py", 42, "handler"));
	push_loop(&stack);
	assert_int_equal(cause_of_sleep(&ev, &stack), CAUSE_NETWORK);
	/* should it be known after all */
	assert_int_equal(cause_on(SYS_close, OBJECT_SOCKET, 0), CAUSE_NETWORK);
	assert_int_equal(cause_on(SYS_close, OBJECT_PIPE, 0), CAUSE_PIPE);
}

static void terminals_are_told_from_other_devices(void **state)
{
	(void)state;
	assert_int_equal(cause_on(SYS_read, OBJECT_CHAR, 136u << 20 | 3), CAUSE_TERMINAL);
	assert_int_equal(cause_on(SYS_read, OBJECT_CHAR, 143u << 20), CAUSE_TERMINAL);
	assert_int_equal(cause_on(SYS_read, OBJECT_CHAR, 4u << 20 | 64), CAUSE_TERMINAL);
	assert_int_equal(cause_on(SYS_read, OBJECT_CHAR, 5u << 20), CAUSE_TERMINAL);
	assert_int_equal(cause_on(SYS_read, OBJECT_CHAR, 1u << 20 | 8), CAUSE_OTHER);
	assert_int_equal(cause_on(SYS_read, OBJECT_CHAR, 144u << 20), CAUSE_OTHER);
}

static void calls_without_a_descriptor_speak_for_themselves(void **state)
{
	(void)state;
	assert_int_equal(cause_on(SYS_futex, 0, 0), CAUSE_LOCK);
	assert_int_equal(cause_on(SYS_wait4, 0, 0), CAUSE_SUBPROCESS);
	assert_int_equal(cause_on(SYS_waitid, 0, 0), CAUSE_SUBPROCESS);
	assert_int_equal(cause_on(SYS_vfork, 0, 0), CAUSE_SUBPROCESS);
	assert_int_equal(cause_on(SYS_clone3, 0, 0), CAUSE_SUBPROCESS);
	assert_int_equal(cause_on(SYS_connect, 0, 0), CAUSE_NETWORK);
	assert_int_equal(cause_on(SYS_recvfrom, 0, 0), CAUSE_NETWORK);
	assert_int_equal(cause_on(SYS_openat, 0, 0), CAUSE_FILE);
	assert_int_equal(cause_on(SYS_newfstatat, 0, 0), CAUSE_FILE);
	assert_int_equal(cause_on(SYS_fdatasync, 0, 0), CAUSE_FILE);
	assert_int_equal(cause_on(SYS_fsync, OBJECT_FILE, 0), CAUSE_FILE);
	assert_int_equal(cause_on(SYS_flock, OBJECT_FILE, 0), CAUSE_FILE);
	assert_int_equal(cause_on(SYS_pause, 0, 0), CAUSE_OTHER);
	assert_int_equal(cause_on(SYS_rt_sigtimedwait, 0, 0), CAUSE_OTHER);
	assert_int_equal(cause_on(-1, 0, 0), CAUSE_OTHER);
	assert_int_equal(cause_on(1 << 30, OBJECT_FILE, 0), CAUSE_OTHER);
	assert_int_equal(cause_on(SYS_poll, 200, 0), CAUSE_OTHER);
}

/* Whatever takes a path, or changes what a file is, goes to its disk. */
static void calls_on_files_are_files(void **state)
{
	static const int calls[] = {
		SYS_stat, SYS_lstat, SYS_fstat, SYS_statx, SYS_statfs, SYS_access, SYS_faccessat2, SYS_open,
		SYS_openat2, SYS_creat, SYS_mkdir, SYS_mkdirat, SYS_rmdir, SYS_mknod, SYS_mknodat, SYS_rename,
		SYS_renameat2, SYS_link, SYS_symlinkat, SYS_readlink, SYS_unlinkat, SYS_chmod, SYS_fchmod,
		SYS_fchmodat, SYS_chown, SYS_fchown, SYS_lchown, SYS_fchownat, SYS_utime, SYS_utimes,
		SYS_futimesat, SYS_utimensat, SYS_getdents64, SYS_chdir, SYS_fchdir, SYS_chroot, SYS_getxattr,
		SYS_lgetxattr, SYS_fgetxattr, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_listxattr,
		SYS_llistxattr, SYS_flistxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
		SYS_truncate,
	};
	static const char *const newer[] = { "fchmodat2", "setxattrat", "getxattrat", "listxattrat",
					     "removexattrat" };
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		assert_int_equal(cause_on(calls[i], 0, 0), CAUSE_FILE);
	for (int nr = SYS_faccessat2; nr < 500; nr++)
		for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
			if (syscall_name(nr) && !strcmp(syscall_name(nr), newer[i])) {
				assert_int_equal(cause_on(nr, 0, 0), CAUSE_FILE);
				found++;
			}
	assert_int_equal(found, ARRAY_SIZE(newer));
}

static void names_are_looked_up_at_port_53_or_in_getaddrinfo(void **state)
{
	struct ev_sleep ev = { .syscall = SYS_poll };
	struct stack stack = { 0 };

	(void)state;
	set_peer(&ev, "\x7f\0\0\x35", 53);
	assert_int_equal(cause_of(ev), CAUSE_DNS);
	ev.syscall = SYS_recvfrom;
	assert_int_equal(cause_of(ev), CAUSE_DNS);
	set_peer(&ev, "\x7f\0\0\x35", 5353);
	assert_int_equal(cause_of(ev), CAUSE_NETWORK);

	/* nss-resolve asks over a unix socket */
	ev = (struct ev_sleep){ .syscall = SYS_ppoll, .object = { .family = AF_UNIX } };
	set_name(&ev.object, OBJECT_SOCKET, "/run/systemd/resolve/io.systemd.Resolve", 39);
	assert_int_equal(cause_of(ev), CAUSE_DNS);
	set_name(&ev.object, OBJECT_SOCKET, "/run/postgresql/.s.PGSQL.5432", 29);
	assert_int_equal(cause_of(ev), CAUSE_NETWORK);

	/* /etc/hosts and the lock of nss, inside the look-up */
	push(&stack, frame_at(STDLIB "socket.py", 962, "getaddrinfo"));
	push(&stack, frame_at(STDLIB "socket.py", 829, "create_connection"));
	push(&stack, frame_at("/srv/shop/app.py", 7, "connect"));
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_openat }, &stack),
			 CAUSE_DNS);
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_futex }, &stack),
			 CAUSE_DNS);
	/* the connect itself is in create_connection */
	stack = (struct stack){ 0 };
	push(&stack, frame_at(STDLIB "socket.py", 851, "create_connection"));
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_connect }, &stack),
			 CAUSE_NETWORK);
}

static void waits_inside_subprocess_are_for_the_process(void **state)
{
	static const int calls[] = { SYS_poll,	SYS_read,  SYS_pselect6,
				     SYS_wait4, SYS_vfork, SYS_clock_nanosleep };
	struct stack stack = { 0 }, fork_stack = { 0 };
	unsigned int i;

	(void)state;
	push(&stack, frame_at(STDLIB "selectors.py", 416, "_PollLikeSelector.select"));
	push(&stack, frame_at(STDLIB "subprocess.py", 2100, "Popen._communicate"));
	push(&stack, frame_at(STDLIB "subprocess.py", 1200, "Popen.communicate"));
	push(&stack, frame_at("/srv/shop/app.py", 3, "convert"));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		struct ev_sleep ev = { .syscall = calls[i],
				       .fd = 4,
				       .object = { .kind = OBJECT_PIPE } };

		assert_int_equal(cause_of_sleep(&ev, &stack), CAUSE_SUBPROCESS);
	}
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_futex }, &stack),
			 CAUSE_LOCK);

	push(&fork_stack, frame_at(STDLIB "multiprocessing/popen_fork.py", 27, "Popen.poll"));
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_wait4 }, &fork_stack),
			 CAUSE_SUBPROCESS);

	/* a file of the application that has the same name, and a subprocess outside of the call */
	stack = (struct stack){ 0 };
	push(&stack, frame_at("/srv/shop/subprocess.py", 3, "communicate"));
	push(&stack, frame_at(STDLIB "subprocess.py", 1200, "Popen.communicate"));
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_read,
							    .object = { .kind = OBJECT_PIPE } },
					&stack),
			 CAUSE_PIPE);
	assert_int_equal(cause_of_sleep(&(struct ev_sleep){ .syscall = SYS_poll,
							    .fd = 3,
							    .object = { .kind = OBJECT_ANON,
									.name = "[pidfd]",
									.name_len = 7 } },
					NULL),
			 CAUSE_SUBPROCESS);
	/* since Linux 6.9 */
	assert_int_equal(cause_of((struct ev_sleep){ .syscall = SYS_poll, .fd = 3, .object = { .kind = OBJECT_FILE } }),
			 CAUSE_SUBPROCESS);
}

static void the_standard_library_is_where_asyncio_is(void **state)
{
	struct ev_sleep ev = { .syscall = SYS_read, .object = { .kind = OBJECT_PIPE } };
	struct stack stack = { 0 };

	(void)state;
	push(&stack, frame_at("/opt/lib/python3.11/myapp/srv.py", 3, "read_all"));
	push(&stack, frame_at(STDLIB "subprocess.py", 1200, "Popen.communicate"));
	assert_int_equal(cause_of_sleep(&ev, &stack), CAUSE_SUBPROCESS);
	push_loop(&stack);
	assert_int_equal(cause_of_sleep(&ev, &stack), CAUSE_PIPE);
}

static void the_time_asleep_is_shared_out_by_cause(void **state)
{
	static struct made made;
	struct stack stack = app_stack();
	uint64_t by_cause[CAUSE_MAX], sum = 0;
	int cause;

	(void)state;
	made_init(&made);
	made_sleep(&made, &stack, SYS_clock_nanosleep, 5 * MSEC);
	made_sleep(&made, &stack, SYS_futex, 7 * MSEC);
	made_sleep(&made, NULL, SYS_futex, 1 * MSEC);
	rules_asleep_by_cause(&made.iteration, by_cause);
	for (cause = 0; cause < CAUSE_MAX; cause++)
		sum += by_cause[cause];
	assert_int_equal(by_cause[CAUSE_SLEEP], 5 * MSEC);
	assert_int_equal(by_cause[CAUSE_LOCK], 8 * MSEC);
	assert_int_equal(sum, made.iteration.ev.off_ns[OFF_SYSCALL]);
}

static void names_of_calls(void **state)
{
	(void)state;
	assert_string_equal(syscall_name(SYS_clock_nanosleep), "clock_nanosleep");
	assert_string_equal(syscall_name(SYS_read), "read");
	assert_null(syscall_name(-1));
	assert_null(syscall_name(100000));
}

static void check_object(const struct ev_object *object, const char *expected)
{
	char text[FINDING_OBJECT_LEN];

	object_format(object, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void objects_in_words(void **state)
{
	struct ev_object ipv4 = {
		.kind = OBJECT_SOCKET, .family = AF_INET, .port = 5432, .addr = { 127, 0, 0, 1 }
	};
	struct ev_object ipv6 = {
		.kind = OBJECT_SOCKET, .family = AF_INET6, .port = 53, .addr = { [15] = 1 }
	};
	struct ev_object mapped = { .kind = OBJECT_SOCKET,
				    .family = AF_INET6,
				    .port = 80,
				    .addr = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9 } };
	struct ev_object pipe = { .kind = OBJECT_PIPE, .inode = 123 };
	struct ev_object unconnected = { .kind = OBJECT_SOCKET, .family = AF_INET, .inode = 9 };
	struct ev_object tty = { .kind = OBJECT_CHAR, .rdev = 136u << 20 | 3 };
	struct ev_object unix_peer = { .family = AF_UNIX }, file = { 0 }, none = { 0 };

	(void)state;
	check_object(&ipv4, "127.0.0.1:5432");
	check_object(&ipv6, "[::1]:53");
	check_object(&mapped, "10.0.0.9:80");
	check_object(&pipe, "pipe:[123]");
	check_object(&unconnected, "socket:[9]");
	check_object(&tty, "char:[136:3]");
	check_object(&none, "");
	set_name(&file, OBJECT_FILE, "app.db\0srv", 11);
	check_object(&file, "/srv/app.db");
	set_name(&file, OBJECT_FILE, "app.db\0srv\0/", 13);
	check_object(&file, "/srv/app.db");
	file.flags = OBJECT_NAME_CUT;
	check_object(&file, ".../srv/app.db");
	set_name(&unix_peer, OBJECT_SOCKET, "/run/x.sock", 11);
	check_object(&unix_peer, "/run/x.sock");
	set_name(&unix_peer, OBJECT_SOCKET, "\0abstract", 9);
	check_object(&unix_peer, "@abstract");
	set_name(&unix_peer, OBJECT_SOCKET, "\0a\0b\0", 5);
	check_object(&unix_peer, "@a@b@");
	set_name(&unix_peer, OBJECT_SOCKET, "\0", 1);
	check_object(&unix_peer, "unix:[0]");
	unix_peer.name_len = 0;
	check_object(&unix_peer, "unix:[0]");
}

static void hostile_objects_stay_within(void **state)
{
	struct ev_object object = { .kind = OBJECT_FILE, .name_len = 65535 };
	char text[FINDING_OBJECT_LEN];

	(void)state;
	memset(object.name, 'x', sizeof(object.name));
	object_format(&object, text, sizeof(text));
	assert_int_equal(strlen(text), EV_PATH_LEN + 1);
	memset(object.name, 0, sizeof(object.name));
	object_format(&object, text, sizeof(text));
	assert_string_equal(text, "/");
	for (object.kind = 0; object.kind < 20; object.kind++)
		object_format(&object, text, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps_are_found_in_every_version),
		cmocka_unit_test(a_descriptor_tells_what_a_poll_waits_for),
		cmocka_unit_test(what_is_being_closed_has_no_descriptor_any_more),
		cmocka_unit_test(terminals_are_told_from_other_devices),
		cmocka_unit_test(calls_without_a_descriptor_speak_for_themselves),
		cmocka_unit_test(calls_on_files_are_files),
		cmocka_unit_test(names_are_looked_up_at_port_53_or_in_getaddrinfo),
		cmocka_unit_test(waits_inside_subprocess_are_for_the_process),
		cmocka_unit_test(the_standard_library_is_where_asyncio_is),
		cmocka_unit_test(the_time_asleep_is_shared_out_by_cause),
		cmocka_unit_test(names_of_calls),
		cmocka_unit_test(objects_in_words),
		cmocka_unit_test(hostile_objects_stay_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
