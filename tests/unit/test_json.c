/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* JSON text as it is emitted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"

static char *text;
static size_t size;
static struct json json;

static int setup(void **state)
{
	(void)state;
	json = (struct json){ .out = open_memstream(&text, &size) };
	return !json.out;
}

static void check(const char *expected)
{
	fclose(json.out);
	assert_string_equal(text, expected);
	free(text);
}

static void members_are_separated(void **state)
{
	(void)state;
	json_object(&json, NULL);
	json_u64(&json, "a", UINT64_MAX);
	json_i64(&json, "b", INT64_MIN);
	json_bool(&json, "c", true);
	json_null(&json, "d");
	json_array(&json, "e");
	json_array_end(&json);
	json_array(&json, "f");
	json_string(&json, NULL, "x");
	json_object(&json, NULL);
	json_object_end(&json);
	json_u64(&json, NULL, 0);
	json_array_end(&json);
	json_ratio(&json, "g", 0.34567);
	json_ratio(&json, "h", NAN);
	json_string(&json, "i", NULL);
	json_object_end(&json);
	json_line_end(&json);
	json_object(&json, NULL);
	json_object_end(&json);
	json_line_end(&json);
	check("{\"a\":18446744073709551615,\"b\":-9223372036854775808,\"c\":true,\"d\":null,\"e\":["
	      "],"
	      "\"f\":[\"x\",{},0],\"g\":0.3457,\"h\":null,\"i\":null}\n{}\n");
}

static void strings_are_quoted_and_safe(void **state)
{
	(void)state;
	json_array(&json, NULL);
	json_string(&json, NULL, "\"\\/");
	json_string(&json, NULL, "\033[0m\n\x7f");
	json_string(&json, NULL, "\xc2\x9b\xe2\x80\xae");
	json_string(&json, NULL, "\xf3\xa0\x80\x81");
	json_string(&json, NULL, "\xff\xe2\x80");
	json_string(&json, NULL,
		    "Gr\xc3\xb6\xc3\x9f"
		    "e \xf0\x9f\x90\x95");
	json_array_end(&json);
	check("[\"\\\"\\\\/\",\"\\u001b[0m\\u000a\\u007f\",\"\\u009b\\u202e\",\"\\udb40\\udc01\","
	      "\"\xef\xbf\xbd\xef\xbf\xbd\",\"Gr\xc3\xb6\xc3\x9f"
	      "e \xf0\x9f\x90\x95\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(members_are_separated, setup),
		cmocka_unit_test_setup(strings_are_quoted_and_safe, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
