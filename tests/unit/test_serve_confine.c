/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Each call is tried by a child that has confined itself as the main process, or the web process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/personality.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "confined.h"
#include "sandbox.h"
#include "service_sandbox.h"
#include "util.h"
#include "web_library.h"
#include "web_sandbox.h"

static char target[16], buffer[16];

static int write_memory(void)
{
	struct iovec local = { buffer, sizeof(buffer) }, remote = { target, sizeof(target) };

	return said(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
}

static int trace(void)
{
	return said(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int mount_something(void)
{
	return said(mount("none", "/nowhere", "tmpfs", 0, NULL));
}

static int start_process(void)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int what_is_in_no_list(void)
{
	return said(personality(0xffffffff));
}

static int open_to_write(void)
{
	return said(open("/dev/null", O_WRONLY));
}

static int run_memory(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : 0;
}

static void the_main_process_changes_nobody(void **state)
{
	(void)state;
	assert_int_equal(try_confined(service_confine, start_process), 0);
	assert_int_equal(try_confined(service_confine, open_to_write), 0);
	if (SANDBOX_IS_SANITIZED)
		skip();
	assert_int_equal(try_confined(service_confine, write_memory), -SIGSYS);
	assert_int_equal(try_confined(service_confine, trace), -SIGSYS);
	assert_int_equal(try_confined(service_confine, mount_something), -SIGSYS);
	assert_int_equal(try_confined(service_confine, what_is_in_no_list), EPERM);
}

static void the_web_process_has_its_sockets(void **state)
{
	(void)state;
	if (SANDBOX_IS_SANITIZED)
		skip();
	assert_int_equal(try_confined(web_confine, open_to_write), EACCES);
	assert_int_equal(try_confined(web_confine, start_process), -SIGSYS);
	assert_int_equal(try_confined(web_confine, write_memory), -SIGSYS);
	assert_int_equal(try_confined(web_confine, run_memory), -SIGSYS);
}

static int load_library(void **state)
{
	char why[256];

	(void)state;
	return web_library_load(why, sizeof(why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_main_process_changes_nobody),
		cmocka_unit_test(the_web_process_has_its_sockets),
	};

	return cmocka_run_group_tests(tests, load_library, NULL);
}
