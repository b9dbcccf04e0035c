/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Identifies every interpreter of this host and reads a code object out of it: each tells its own
 * names and line table over a pipe, and what is read from outside must be the same.
 */
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

#include "chroots.h"
#include "identify.h"
#include "procmem.h"
#include "pycode.h"
#include "pyhash.h"
#include "util.h"

#define LINE_BYTES 65536

static const char script[] =
	"import sys, ctypes, asyncio, _asyncio, _frozen_importlib\n"
	"class Outer:\n"
	"    def m\u00e9thode_\u4e16\u754c(self, a):\n"
	"        b = a + 1\n"
	"        return [x for x in range(b)]\n"
	"def read(address, kind):\n"
	"    return kind.from_address(address).value\n"
	"code = Outer.m\u00e9thode_\u4e16\u754c.__code__\n"
	"table = code.co_lnotab if sys.version_info < (3, 10) else code.co_linetable\n"
	"once = asyncio.base_events.BaseEventLoop._run_once.__code__\n"
	"fields = [id(code), id(code.co_filename), id(code.co_name), sys.hexversion,\n"
	"          code.co_firstlineno, code.co_flags,\n"
	"          id(_asyncio._current_tasks) if hasattr(_asyncio, '_current_tasks') else 0,\n"
	"          id(_frozen_importlib._find_and_load.__code__), once.co_varnames.index('ntodo')]\n"
	"names = [code.co_filename, code.co_name, getattr(code, 'co_qualname', '')]\n"
	"print(' '.join(map(str, fields)), *[n.encode().hex() or '-' for n in names], "
	"table.hex(),\n"
	"      flush=True)\n"
	"sys.stdin.read()\n";

/* A running interpreter; it ends when its standard input does. */
struct python {
	pid_t pid;
	int input, output;
	FILE *lines;
};

static void python_start(struct python *python, const char *path)
{
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	python->pid = fork();
	assert_true(python->pid >= 0);
	if (python->pid == 0) {
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
	python->input = in[1];
	python->lines = fdopen(out[0], "r");
	assert_non_null(python->lines);
}

static void python_end(struct python *python)
{
	close(python->input);
	fclose(python->lines);
	kill(python->pid, SIGKILL);
	waitpid(python->pid, NULL, 0);
}

static size_t unhex(const char *hex, char *out)
{
	size_t n = 0;
	unsigned byte;

	while (strcmp(hex, "-") != 0 && sscanf(hex, "%2x", &byte) == 1) {
		out[n++] = (char)byte;
		hex += 2;
	}
	return n;
}

static void assert_bytes(const char *got, size_t bytes, const char *hex)
{
	char want[LINE_BYTES];

	assert_int_equal(bytes, unhex(hex, want));
	assert_memory_equal(got, want, bytes);
}

static uint64_t pointer_at(struct mem *mem, uint64_t addr)
{
	uint64_t value = 0;

	assert_int_equal(procmem_read_u64(mem, addr, &value), 0);
	return value;
}

static void check_code(struct python *python, const struct ev_target *target, char *line)
{
	cleanup_free struct ev_code *code = malloc(EV_RECORD_MAX);
	const struct py_layout *layout = &target->layout;
	unsigned long long id, filename, name, version, current_tasks, find_and_load;
	int firstlineno, ntodo, consumed;
	unsigned flags;
	uint32_t fingerprint;
	char *hex[4], *data;
	struct mem mem;

	assert_int_equal(sscanf(line, "%llu %llu %llu %llu %d %u %llu %llu %d %n", &id, &filename,
				&name, &version, &firstlineno, &flags, &current_tasks,
				&find_and_load, &ntodo, &consumed),
			 9);
	line += consumed;
	for (int i = 0; i < 4; i++)
		hex[i] = strsep(&line, " \n");
	assert_int_equal(target->version, version);
	assert_int_equal(layout->version, version);
	assert_int_equal(layout->current_tasks_addr, current_tasks);
	assert_int_equal(layout->find_and_load_addr, find_and_load);
	assert_int_equal(layout->run_once_ntodo, ntodo);

	procmem_of_process(&mem, python->pid, PYCODE_BUDGET_BYTES);
	fingerprint = py_code_fingerprint(firstlineno, filename, name,
					  pointer_at(&mem, id + layout->code_linetable));
	pycode_read(&mem, layout, id, fingerprint, code);
	assert_int_equal(code->status, CODE_OK);
	assert_int_equal(code->flags, 0);
	assert_int_equal(code->firstlineno, firstlineno);
	assert_int_equal(code->co_flags, flags);
	data = code->data;
	assert_bytes(data, code->filename_bytes, hex[0]);
	assert_bytes(data += code->filename_bytes, code->name_bytes, hex[1]);
	assert_bytes(data += code->name_bytes, code->qualname_bytes, hex[2]);
	assert_bytes(data += code->qualname_bytes, code->table_bytes, hex[3]);
	if (layout->minor >= 11)
		assert_memory_equal(code->data + code->filename_bytes + code->name_bytes, "Outer.m",
				    7);

	pycode_read(&mem, layout, id, fingerprint + 1, code);
	assert_int_equal(code->status, CODE_GONE);
	pycode_read(&mem, layout, 0x1000, fingerprint, code);
	assert_int_equal(code->status, CODE_UNREADABLE);
}

static void check_interpreter(const char *path)
{
	struct python python;
	struct ev_target target;
	char line[LINE_BYTES];

	python_start(&python, path);
	assert_non_null(fgets(line, sizeof(line), python.lines));
	identify_process(python.pid, &target);
	print_message("%s: status %d version %08x flags %u slot %#x gil %#llx %s\n", path,
		      target.status, target.version, target.flags, target.layout.tstate_slot,
		      (unsigned long long)target.layout.gil_addr, target.reason);
	assert_int_equal(target.status, TARGET_OK);
	assert_string_equal(target.reason, "");
	assert_true(strstr(target.exe, "python") != NULL);
	assert_int_not_equal(target.start_ticks, 0);
	assert_int_equal(target.ns_pid, python.pid);
	check_code(&python, &target, line);
	python_end(&python);
}

/* How many interpreters there are by this pattern. */
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

static void every_interpreter_is_read_right(void **state)
{
	static const char *const minors[] = { "9", "10", "11", "12", "13", "14", "15" };
	const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	unsigned nr = 0;
	char pattern[512];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(minors); i++) {
		snprintf(pattern, sizeof(pattern), "/usr/bin/python3.%s", minors[i]);
		nr += check_pattern(pattern);
		if (root)
			snprintf(pattern, sizeof(pattern), "%s/versions/3.%s.*/bin/python3", root,
				 minors[i]);
		else
			snprintf(pattern, sizeof(pattern), "%s/.pyenv/versions/3.%s.*/bin/python3",
				 home ? home : "", minors[i]);
		nr += check_pattern(pattern);
		chroots_pattern(pattern, sizeof(pattern), minors[i]);
		nr += check_pattern(pattern);
	}
	if (nr == 0)
		skip();
}

static void old_interpreters_are_said_to_be_unsupported(void **state)
{
	const char *root = getenv("PYENV_ROOT");
	struct python python;
	struct ev_target target;
	char line[LINE_BYTES], pattern[512];
	glob_t found;

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/versions/3.[6-8].*/bin/python3", root ? root : "");
	if (glob(pattern, 0, NULL, &found) != 0)
		skip();
	for (size_t i = 0; i < found.gl_pathc; i++) {
		python_start(&python, found.gl_pathv[i]);
		assert_non_null(fgets(line, sizeof(line), python.lines));
		identify_process(python.pid, &target);
		print_message("%s: %08x %s\n", found.gl_pathv[i], target.version, target.reason);
		assert_int_equal(target.status, TARGET_UNSUPPORTED);
		assert_int_equal(target.version >> 24, 3);
		assert_int_equal(target.layout.valid, 0);
		assert_non_null(strstr(target.reason, "older"));
		python_end(&python);
	}
	globfree(&found);
}

/* Looked at from its exec on: half-mapped files are not taken for broken ones. */
static void a_starting_interpreter_becomes_ready(void **state)
{
	struct ev_target target;
	struct python python;

	(void)state;
	if (access("/usr/bin/python3.11", X_OK) != 0)
		skip();
	for (int i = 0; i < 10; i++) {
		python_start(&python, "/usr/bin/python3.11");
		do {
			identify_process(python.pid, &target);
			/* Before the exec it is a copy of this program. */
			if (target.status != TARGET_OK && target.status != TARGET_NOT_READY &&
			    target.status != TARGET_NOT_PYTHON)
				fail_msg("status %u: %s", target.status, target.reason);
		} while (target.status != TARGET_OK);
		python_end(&python);
	}
}

static void what_is_no_python_is_said_so(void **state)
{
	struct ev_target target;
	pid_t child;

	(void)state;
	identify_process(getpid(), &target);
	assert_int_equal(target.status, TARGET_NOT_PYTHON);
	assert_int_equal(target.layout.valid, 0);
	identify_process(2, &target); /* kthreadd, if this is the host's namespace */
	assert_in_range(target.status, TARGET_NOT_PYTHON, TARGET_DENIED);

	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	identify_process(child, &target);
	assert_int_equal(target.status, TARGET_GONE);
	identify_process(-1, &target);
	assert_int_equal(target.status, TARGET_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interpreter_is_read_right),
		cmocka_unit_test(old_interpreters_are_said_to_be_unsupported),
		cmocka_unit_test(a_starting_interpreter_becomes_ready),
		cmocka_unit_test(what_is_no_python_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
