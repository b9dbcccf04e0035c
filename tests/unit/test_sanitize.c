/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names that a target chose, on their way to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sanitize.h"
#include "utf8.h"

#define BAD "\xef\xbf\xbd"

static void check(const char *text, unsigned int columns, enum sanitize_cut cut,
		  const char *expected)
{
	char out[256];
	unsigned int used = sanitize(out, sizeof(out), text, columns, cut);

	assert_string_equal(out, expected);
	assert_true(used <= columns);
	assert_int_equal(used, sanitize_columns(out));
}

static void plain_text_stays(void **state)
{
	(void)state;
	check("", 10, CUT_END, "");
	check("handler", 10, CUT_END, "handler");
	check("Gr\xc3\xb6\xc3\x9f"
	      "e",
	      10, CUT_END,
	      "Gr\xc3\xb6\xc3\x9f"
	      "e");
	check("\xe4\xb8\xad\xe6\x96\x87", 4, CUT_END, "\xe4\xb8\xad\xe6\x96\x87");
}

static void controls_and_bad_bytes_are_replaced(void **state)
{
	(void)state;
	check("a\033[31mb", 20, CUT_END, "a" BAD "[31mb");
	check("a\nb\tc\x7f", 20, CUT_END, "a" BAD "b" BAD "c" BAD);
	check("\xc2\x9b"
	      "31m",
	      20, CUT_END, BAD "31m"); /* CSI in one character */
	check("a\xe2\x80\xae"
	      "b",
	      20, CUT_END, "a" BAD "b"); /* right-to-left override */
	check("a\xe2\x81\xa6"
	      "b",
	      20, CUT_END, "a" BAD "b"); /* isolate */
	check("a\xe2\x80\x8b"
	      "b",
	      20, CUT_END, "a" BAD "b"); /* zero width space */
	check("\xff\xfe", 20, CUT_END, BAD BAD);
	check("\xc0\xaf", 20, CUT_END, BAD BAD);     /* overlong */
	check("\xed\xa0\x80", 20, CUT_END, BAD);     /* surrogate */
	check("\xf4\x90\x80\x80", 20, CUT_END, BAD); /* past the last one */
	check("\xe2\x80", 20, CUT_END, BAD);	     /* cut in the middle */
	check("x\xe2", 20, CUT_END, "x" BAD);
}

static void long_text_is_cut_to_columns(void **state)
{
	(void)state;
	check("abcdefgh", 5, CUT_END, "abcd\xe2\x80\xa6");
	check("abcdefgh", 1, CUT_END, "\xe2\x80\xa6");
	check("abcdefgh", 0, CUT_END, "");
	check("\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97", 4, CUT_END, "\xe4\xb8\xad\xe2\x80\xa6");
	check("/srv/shop/app.py", 12, CUT_START, "\xe2\x80\xa6/app.py");
	check("/srv/shop/app.py", 13, CUT_START, "\xe2\x80\xa6/shop/app.py");
	check("averylongname.py", 8, CUT_START,
	      "\xe2\x80\xa6"
	      "name.py");
}

static void a_small_buffer_is_never_overrun(void **state)
{
	char text[2000], out[64];
	size_t size;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size = 0; size < sizeof(out); size++) {
		memset(out, 0x55, sizeof(out));
		sanitize(out, size, text, 1000, CUT_END);
		assert_int_equal(out[size], 0x55);
		sanitize(out, size, "\xff\xff\xff\xff\xff\xff\xff\xff", 1000, CUT_START);
		assert_int_equal(out[size], 0x55);
		if (size)
			assert_true(strlen(out) < size);
	}
}

static void marks_do_not_pile_up(void **state)
{
	char text[200] = "e", out[400];
	int i;

	(void)state;
	for (i = 0; i < 50; i++)
		strcat(text, "\xcc\x81");
	assert_int_equal(sanitize(out, sizeof(out), text, 10, CUT_END), 1);
	assert_int_equal(strlen(out), 1 + 4 * 2);
}

static void every_code_point_survives_the_way_back(void **state)
{
	uint32_t codepoint, read;
	char bytes[5];

	(void)state;
	for (codepoint = 1; codepoint < 0x110000; codepoint++) {
		size_t len;

		if (codepoint >= 0xd800 && codepoint <= 0xdfff)
			continue;
		len = utf8_put(codepoint, bytes);
		bytes[len] = '\0';
		if (codepoint_next(bytes, &read) != len || read != codepoint)
			fail_msg("U+%04x", codepoint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(controls_and_bad_bytes_are_replaced),
		cmocka_unit_test(long_text_is_cut_to_columns),
		cmocka_unit_test(a_small_buffer_is_never_overrun),
		cmocka_unit_test(marks_do_not_pile_up),
		cmocka_unit_test(every_code_point_survives_the_way_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
