/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the verifier says of a program that it refuses: all of it, to who asked twice to be told more. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "log.h"
#include "../unit/stderr_of.h"
#include "watched.h"

static char got[65536];

/* R0 is not set at the exit. */
static const struct bpf_insn refused[] = {
	{ .code = BPF_JMP | BPF_EXIT },
};

static libbpf_print_fn_t printer;

static void say(enum libbpf_print_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printer(level, fmt, ap);
	va_end(ap);
}

/* Standard error, when libbpf says that the kernel refused a program for these reasons. */
static const char *said_of(enum log_level level, const char *reasons)
{
	struct stderr_of of;

	log_set_level(level);
	stderr_begin(&of);
	say(LIBBPF_WARN, "prog '%s': -- BEGIN PROG LOAD LOG --\n%s-- END PROG LOAD LOG --\n", "refused", reasons);
	log_set_level(LOG_WARN);
	return stderr_end(&of, got, sizeof(got));
}

static void all_that_the_verifier_says(void **state)
{
	static char reasons[16384];
	char *rest = reasons;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = reasons, .log_size = sizeof(reasons), .log_level = 1);

	(void)state;
	assert_true(bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "refused", "GPL", refused, 1, &opts) < 0);
	assert_ptr_not_equal(strchr(reasons, '\n'), strrchr(reasons, '\n'));

	probes_quiet_libbpf();
	printer = libbpf_set_print(NULL);
	probes_quiet_libbpf();
	assert_string_equal(said_of(LOG_WARN, reasons), "");
	said_of(LOG_DEBUG, reasons);
	for (const char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		assert_non_null(strstr(got, line));
	assert_non_null(strstr(got, "debug: processed ")); /* the last; a line of its own */
	assert_non_null(strstr(got, "END PROG LOAD LOG"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_the_verifier_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
