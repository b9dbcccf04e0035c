/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names of threads, read out of every interpreter of this host; and out of memory that makes no sense. */
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "answer.h"
#include "chroots.h"
#include "identify.h"
#include "layout.h"
#include "reader_fake.h"
#include "threads.h"
#include "util.h"

#define LINE_BYTES 4096

/* Prints "ident tid name" of each thread. */
static const char script[] =
	"import sys, threading\n"
	"class Busy(threading.Thread):\n"
	"    def __init__(self, name):\n"
	"        super().__init__(name=name, daemon=True)\n"
	"        self.a = self.b = self.c = 1\n"
	"    def run(self):\n"
	"        while True:\n"
	"            sum(range(100))\n"
	"end = threading.Event()\n"
	"def wait(depth=50):\n"
	"    return wait(depth - 1) if depth else end.wait()\n"
	"def start(thread):\n"
	"    thread.daemon = True\n"
	"    thread.start()\n"
	"    return thread\n"
	"all = [start(threading.Thread(target=wait, name='plain')),\n"
	"       start(threading.Thread(target=wait, name='thr\u00e9ad-\u4e16\u754c')),\n"
	"       start(threading.Thread(target=wait, name='n' * 100)),\n"
	"       start(Busy('busy')), threading.main_thread()]\n"
	"shown = start(threading.Thread(target=wait, name='shown'))\n"
	"shown.__dict__['x'] = 1\n" /* its attributes are a dict from now on */
	"all.append(shown)\n"
	"renamed = start(threading.Thread(target=wait))\n"
	"renamed.name = 'renamed'\n"
	"all.append(renamed)\n"
	"for t in all:\n"
	"    print(t.ident, t.native_id, t.name)\n"
	"print('end', flush=True)\n"
	"sys.stdin.read()\n";

static void check_thread(pid_t pid, const struct ev_target *target, char *line)
{
	unsigned long long ident;
	struct ev_thread thread;
	char *name, *end;
	struct mem mem;
	uint32_t tid;
	bool is_named;
	size_t len;

	ident = strtoull(line, &end, 10);
	tid = (uint32_t)strtoul(end, &name, 10);
	name++;
	len = min(strlen(name) - 1, sizeof(thread.name) - 1); /* without its line's end */
	procmem_of_process(&mem, pid, THREADS_BUDGET_BYTES);
	threads_read(&mem, pid, &target->layout, ident, tid, &thread);
	assert_int_equal(thread.ident, ident);
	assert_int_equal(thread.tid, tid);
	assert_int_equal(strlen(thread.name), len);
	assert_memory_equal(thread.name, name, len);
	/* From 3.14 on the kernel has a Thread's name too: the one it was started with. */
	is_named = strstr(thread.comm, "python") != NULL;
	if (target->layout.minor >= 14)
		is_named |= !strncmp(name, "renamed", 7) ||
			    !strncmp(thread.comm, name, min(len, sizeof(thread.comm) - 1));
	assert_true(is_named);
}

static void check_interpreter(const char *path)
{
	struct ev_target target;
	char line[LINE_BYTES];
	int in[2], out[2];
	FILE *lines;
	pid_t pid;

	print_message("%s\n", path);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		path = chroots_enter(path);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl(path, path, "-X", "utf8", "-c", script, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	lines = fdopen(out[0], "r");
	assert_non_null(fgets(line, sizeof(line), lines));
	identify_process(pid, &target);
	assert_int_equal(target.status, TARGET_OK);
	for (; strcmp(line, "end\n") != 0; assert_non_null(fgets(line, sizeof(line), lines)))
		check_thread(pid, &target, line);
	close(in[1]);
	fclose(lines);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static unsigned check_pattern(const char *pattern)
{
	glob_t found;
	unsigned nr = 0;

	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++, nr++)
			check_interpreter(found.gl_pathv[i]);
		globfree(&found);
	}
	return nr;
}

static void every_interpreter_names_its_threads(void **state)
{
	static const char *const minors[] = { "9", "10", "11", "12", "13", "14", "15" };
	const char *root = getenv("PYENV_ROOT");
	char pattern[512];
	unsigned nr = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(minors); i++) {
		snprintf(pattern, sizeof(pattern), "/usr/bin/python3.%s", minors[i]);
		nr += check_pattern(pattern);
		snprintf(pattern, sizeof(pattern), "%s/versions/3.%s.*/bin/python3",
			 root ? root : "/nowhere", minors[i]);
		nr += check_pattern(pattern);
		chroots_pattern(pattern, sizeof(pattern), minors[i]);
		nr += check_pattern(pattern);
	}
	if (nr == 0)
		skip();
}

/* Every word leads to every other: all walks must end. */
static void memory_without_sense_ends_every_walk(void **state)
{
	static struct fake fake;
	char name[64];

	(void)state;
	for (unsigned minor = LAYOUT_MINOR_FIRST; minor <= LAYOUT_MINOR_LAST; minor++) {
		struct py_layout layout = layout_find(minor)->py;

		layout.runtime_addr = FAKE_BASE;
		layout.version = 3u << 24 | minor << 16 | 0xf0;
		for (unsigned round = 0; round < 200; round++) {
			fake_reset(&fake);
			srand(minor * 1000 + round);
			for (uint64_t at = 0; at < 65536; at += 8)
				fake_put_u64(&fake, FAKE_BASE + at,
					     round % 2 && rand() % 4 ? 1 :
						     FAKE_BASE + (uint64_t)(rand() % 8192) * 8);
			memset(name, 'x', sizeof(name));
			threads_python_name(&fake.mem, &layout, FAKE_BASE, name, sizeof(name));
			assert_non_null(memchr(name, '\0', sizeof(name)));
		}
	}
}

static void nobody_has_no_name(void **state)
{
	struct py_layout layout = layout_find(11)->py;
	struct ev_thread thread;
	struct mem mem;

	(void)state;
	procmem_of_process(&mem, getpid(), THREADS_BUDGET_BYTES);
	threads_read(&mem, getpid(), &layout, 1, 0, &thread);
	assert_int_equal(thread.head.size, sizeof(thread));
	assert_string_equal(thread.name, "");
	assert_string_equal(thread.comm, "");
	threads_read(&mem, -1, &layout, 1, 1, &thread);
	assert_string_equal(thread.comm, "");
}

static void an_answer_must_be_to_the_question(void **state)
{
	struct protocol_request request = { .kind = PROTOCOL_THREAD, .ident = 7, .tid = 70 };
	struct ev_thread thread;
	union answer_stuck stuck;

	(void)state;
	threads_begin(7, 70, &thread);
	assert_true(answer_is_valid(&request, &thread.head, sizeof(thread)));
	assert_false(answer_is_ok(&thread.head));
	strcpy(thread.name, "seven");
	assert_true(answer_is_ok(&thread.head));
	assert_false(answer_is_valid(&request, &thread.head, sizeof(thread) - 1));
	thread.ident = 8;
	assert_false(answer_is_valid(&request, &thread.head, sizeof(thread)));
	thread.ident = 7;
	thread.tid = 71;
	assert_false(answer_is_valid(&request, &thread.head, sizeof(thread)));
	thread.tid = 70;
	memset(thread.name, 'x', sizeof(thread.name));
	assert_false(answer_is_valid(&request, &thread.head, sizeof(thread)));
	threads_begin(7, 70, &thread);
	memset(thread.comm, 'x', sizeof(thread.comm));
	assert_false(answer_is_valid(&request, &thread.head, sizeof(thread)));
	answer_make_stuck(&request, &stuck);
	assert_true(answer_is_valid(&request, &stuck.head, sizeof(stuck.thread)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interpreter_names_its_threads),
		cmocka_unit_test(memory_without_sense_ends_every_walk),
		cmocka_unit_test(nobody_has_no_name),
		cmocka_unit_test(an_answer_must_be_to_the_question),
	};

	return cmocka_run_group_tests_name("reader_threads", tests, NULL, NULL);
}
