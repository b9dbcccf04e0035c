/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Is each line whole, wherever in the buffer it comes to lie, with the labels of the thing that it is about? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exposition.h"

#define NR_THINGS 3000 /* of lines of all lengths, many buffers full */

static char name[NR_THINGS][400];

static void put_things(struct exposition *e)
{
	exposition_family(e, "things", EXPOSITION_GAUGE, "So many.");
	for (unsigned i = 0; i < NR_THINGS; i++) {
		snprintf(name[i], sizeof(name[i]), "%0*u", (int)(4 + i % 390), i);
		for (unsigned j = 0; j < 3; j++) {
			if (!exposition_sample_of(e, NULL, name[i])) {
				assert_int_equal(j, 0);
				exposition_label(e, "name", name[i]);
				exposition_keep(e, name[i]);
			}
			exposition_label_u64(e, "number", j);
			exposition_u64(e, i);
		}
	}
	exposition_end(e);
}

static void lines_of_a_thing_begin_with_its_labels(void **state)
{
	char *text = NULL, *line, *rest, wanted[512];
	size_t bytes;
	struct exposition e = { .out = open_memstream(&text, &bytes) };

	(void)state;
	put_things(&e);
	fclose(e.out);
	assert_string_equal(strtok_r(text, "\n", &rest), "# HELP loophound_things So many.");
	assert_string_equal(strtok_r(NULL, "\n", &rest), "# TYPE loophound_things gauge");
	for (unsigned i = 0; i < NR_THINGS; i++)
		for (unsigned j = 0; j < 3; j++) {
			snprintf(wanted, sizeof(wanted), "loophound_things{name=\"%.399s\",number=\"%u\"} %u",
				 name[i], j, i);
			line = strtok_r(NULL, "\n", &rest);
			assert_non_null(line);
			assert_string_equal(line, wanted);
		}
	assert_null(strtok_r(NULL, "\n", &rest));
	free(text);
}

/* A label of the configuration may be. */
static void what_is_longer_than_the_buffer_is_whole(void **state)
{
	static char value[100000];
	char *text = NULL, *found;
	size_t bytes;
	struct exposition e = { .out = open_memstream(&text, &bytes) };

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	exposition_family(&e, "thing", EXPOSITION_GAUGE, "One.");
	exposition_sample(&e, NULL);
	exposition_label(&e, "a", value);
	exposition_label(&e, "b", "\"\\\n");
	exposition_u64(&e, 1);
	exposition_end(&e);
	fclose(e.out);
	found = strstr(text, "{a=\"");
	assert_non_null(found);
	found += strlen("{a=\"");
	assert_memory_equal(found, value, sizeof(value) - 1);
	assert_string_equal(found + sizeof(value) - 1, "\",b=\"\\\"\\\\\xef\xbf\xbd\"} 1\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_a_thing_begin_with_its_labels),
		cmocka_unit_test(what_is_longer_than_the_buffer_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
