/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the kernel half knows that an interpreter ends, over fake memory of every layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf_host.h"
#include "pyending.h"

#include <cmocka.h>

#define RUNTIME_BYTES 1024
#define FINALIZING    608 /* 3.13 */

static void an_interpreter_ends_once_a_thread_takes_it_apart(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct py_layout *l = &fake_python(minor)->layout;
		u64 at = l->minor <= 10 ? 16 : l->minor <= 12 ? 24 : FINALIZING;

		l->runtime_addr = fake_alloc(RUNTIME_BYTES);
		assert_false(pyending_is_ending(l));
		if (l->minor >= 13)
			fake_put64(l->runtime_addr + 32, FINALIZING);
		assert_false(pyending_is_ending(l));
		fake_put64(l->runtime_addr + at, fake_scratch.tstate_addr);
		assert_true(pyending_is_ending(l));
		l->valid = 0;
		assert_false(pyending_is_ending(l));
	}
}

static void what_cannot_be_read_does_not_end(void **state)
{
	(void)state;
	for FAKE_MINORS(minor) {
		struct py_layout *l = &fake_python(minor)->layout;

		l->runtime_addr = fake_alloc(RUNTIME_BYTES);
		if (l->minor >= 13)
			fake_put64(l->runtime_addr + 32, ~0ULL);
		assert_false(pyending_is_ending(l));
		l->runtime_addr = 0;
		assert_false(pyending_is_ending(l));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interpreter_ends_once_a_thread_takes_it_apart),
		cmocka_unit_test(what_cannot_be_read_does_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
