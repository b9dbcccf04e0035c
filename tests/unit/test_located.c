/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* located.c: where a process is, in words and as JSON; and how the model comes to know it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "located.h"
#include "model.h"
#include "records.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct ev_target target_in(const char *container, uint8_t kind, const char *unit)
{
	struct ev_target target = { .head.size = sizeof(target),
				    .pid = 4711,
				    .ns_pid = 4711,
				    .container_kind = kind,
				    .manager_uid = EV_NO_UID,
				    .uid = 33 };

	snprintf(target.container, sizeof(target.container), "%s", container);
	snprintf(target.unit, sizeof(target.unit), "%s", unit);
	return target;
}

static const char *words(struct ev_target target, unsigned int columns)
{
	static char out[LOCATED_TEXT_LEN];

	located_text(&target, columns, out);
	return out;
}

static const char *json(struct ev_target target)
{
	static char line[1024];
	FILE *out = fmemopen(line, sizeof(line), "w");
	struct json json = { .out = out };

	json_object(&json, NULL);
	located_json(&json, &target);
	json_object_end(&json);
	fclose(out);
	return line;
}

static void a_place_is_said_in_a_few_words(void **state)
{
	struct ev_target target = target_in(ID, CONTAINER_DOCKER, "docker-" ID ".scope");

	(void)state;
	assert_string_equal(words(target, 40), "docker 0123456789ab");
	target.ns_pid = 1;
	assert_string_equal(words(target, 40), "pid 1 in docker 0123456789ab");
	target.ns_pid = 0; /* not known */
	assert_string_equal(words(target, 40), "docker 0123456789ab");
	assert_string_equal(words(target, 12), "docker 0123…");
	assert_string_equal(words(target_in(ID, CONTAINER_UNKNOWN, ""), 40),
			    "container 0123456789ab");
	assert_string_equal(words(target_in("a-long-name-of-a-container", CONTAINER_LXC, ""), 40),
			    "lxc a-long-name-of-a-container");
	target = target_in("", CONTAINER_UNKNOWN, "shop.service");
	assert_string_equal(words(target, 40), "shop.service");
	target.ns_pid = 7;
	assert_string_equal(words(target, 60), "pid 7 in a namespace, shop.service");
	target.unit[0] = '\0';
	assert_string_equal(words(target, 60), "pid 7 in a namespace");
	assert_string_equal(words(target_in("", CONTAINER_UNKNOWN, ""), 40), "");
	assert_string_equal(words(target_in("", CONTAINER_UNKNOWN, "a\033[2Jb.service"), 40),
			    "a�[2Jb.service");
}

static void a_place_is_said_as_json(void **state)
{
	struct ev_target target = target_in(ID, CONTAINER_CRIO, "crio-" ID ".scope");

	(void)state;
	strcpy(target.pod, "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901");
	assert_string_equal(json(target),
			    "{\"container_runtime\":\"cri-o\",\"pod\":\"1b2c3d4e-5f60-7182-93a4-"
			    "b5c6d7e8f901\",\"unit\":\"crio-" ID ".scope\",\"user_unit\":null,"
			    "\"uid\":33}");
	target = target_in("", CONTAINER_UNKNOWN, "app-a\\x2db.service");
	target.manager_uid = 1000;
	target.uid = EV_NO_UID;
	assert_string_equal(
		json(target),
		"{\"container_runtime\":null,\"pod\":null,\"unit\":\"user@1000.service\","
		"\"user_unit\":\"app-a\\\\x2db.service\",\"uid\":null}");
	/* A recording of before says nothing, and nothing is made up. */
	target.head.size = EV_TARGET_BYTES_BEFORE_PLACE;
	assert_string_equal(json(target), "{}");
	assert_string_equal(words(target, 40), "");
}

static void an_older_record_says_less(void **state)
{
	struct model *model;
	struct ev_target ev = { HEAD(TARGET, 1, EV_NO_LOOP), .pid = 7, .comm = "python3",
				.unit = "a.service" };

	(void)state;
	assert_int_equal(model_new(&model, &model_default_bounds), 0);
	add(model, &ev);
	assert_string_equal(model_target(model, 0)->info.unit, "a.service");
	ev.head.size = EV_TARGET_BYTES_BEFORE_PLACE;
	assert_int_equal(model_add(model, &ev.head), 0);
	assert_string_equal(model_target(model, 0)->info.comm, "python3");
	assert_string_equal(model_target(model, 0)->info.unit, "");
	model_free(model);
}

/* The kernel half says only the host's number of a child; its own comes with its loop. */
static void add_loop_of(struct model *model, uint32_t loop, uint32_t tid, uint32_t ns_tid)
{
	struct ev_loop ev = { HEAD(LOOP, 2, loop), .pid = 1002, .tid = tid, .ns_tid = ns_tid };

	add(model, &ev);
}

static void a_child_in_a_container_has_its_own_pid(void **state)
{
	struct ev_target ev = { HEAD(TARGET, 1, EV_NO_LOOP), .pid = 1001, .ns_pid = 1 };
	struct model *model;

	(void)state;
	assert_int_equal(model_new(&model, &model_default_bounds), 0);
	add(model, &ev);
	add_fork(model, 1, 2);
	assert_int_equal(model_target(model, 1)->info.ns_pid, 0);
	add_loop_of(model, 4, 1003, 9); /* of another thread */
	assert_int_equal(model_target(model, 1)->info.ns_pid, 0);
	add_loop_of(model, 5, 1002, 8);
	assert_int_equal(model_target(model, 1)->info.ns_pid, 8);
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_said_in_a_few_words),
		cmocka_unit_test(a_place_is_said_as_json),
		cmocka_unit_test(an_older_record_says_less),
		cmocka_unit_test(a_child_in_a_container_has_its_own_pid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
