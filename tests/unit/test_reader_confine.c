/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Each call is tried by a child that has confined itself as the reader process does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "confine.h"
#include "confined.h"
#include "sandbox.h"
#include "util.h"

static char target[16] = "before", buffer[16];

static struct iovec local = { buffer, sizeof(buffer) }, remote = { target, sizeof(target) };

static int read_memory(void)
{
	return said(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

static int write_memory(void)
{
	return said(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
}

static int open_to_read(void)
{
	return said(open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
}

static int open_to_write(void)
{
	return said(open("/dev/null", O_WRONLY));
}

static int make_file(void)
{
	return said(open("/tmp/loophound-confined", O_RDONLY | O_CREAT, 0600));
}

/* The way round: flags that the filter cannot see. The descriptor is of no use. */
static int write_by_openat2(void)
{
	struct open_how how = { .flags = O_RDWR };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/proc/self/mem", &how, sizeof(how));

	return fd < 0 ? 0 : said(write(fd, target, sizeof(target)));
}

static int pwrite_by_openat2(void)
{
	struct open_how how = { .flags = O_RDWR };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how));

	return fd < 0 ? 0 : said(pwrite(fd, target, sizeof(target), 0));
}

static int take_place_of_stderr(void)
{
	return said(close(STDERR_FILENO));
}

static int share_memory(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : 0;
}

static int run_memory(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : 0;
}

static int make_memory_run(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return said(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int trace(void)
{
	return said(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int start_program(void)
{
	return said(execl("/bin/true", "true", NULL));
}

static int start_process(void)
{
	return said(fork());
}

static int speak(void)
{
	return said(socket(AF_INET, SOCK_STREAM, 0));
}

static int signal_another(void)
{
	return said(kill(getppid(), 0));
}

static void reading_goes_on(void **state)
{
	(void)state;
	assert_int_equal(try_confined(reader_confine, read_memory), 0);
	assert_int_equal(try_confined(reader_confine, open_to_read), 0);
}

static void writing_fails(void **state)
{
	(void)state;
	if (SANDBOX_IS_SANITIZED)
		skip();
	assert_int_equal(try_confined(reader_confine, open_to_write), EPERM);
	assert_int_equal(try_confined(reader_confine, make_file), EPERM);
	assert_int_equal(try_confined(reader_confine, write_by_openat2), EPERM);
	assert_int_equal(try_confined(reader_confine, pwrite_by_openat2), EPERM);
	assert_int_equal(try_confined(reader_confine, take_place_of_stderr), EPERM);
	assert_int_equal(try_confined(reader_confine, share_memory), EPERM);
	assert_int_equal(try_confined(reader_confine, run_memory), EPERM);
	assert_int_equal(try_confined(reader_confine, make_memory_run), EPERM);
}

static void what_only_an_intruder_asks_for_ends_it(void **state)
{
	int (*const calls[])(void) = { write_memory,  trace, start_program,
				       start_process, speak, signal_another };

	(void)state;
	if (SANDBOX_IS_SANITIZED)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		assert_int_equal(try_confined(reader_confine, calls[i]), -SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_goes_on),
		cmocka_unit_test(writing_fails),
		cmocka_unit_test(what_only_an_intruder_asks_for_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
