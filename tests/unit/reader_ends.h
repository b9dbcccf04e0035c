/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The daemon's end of the reader, with readers that answer, keep silent, die and lie.  The program
 * that includes this is its own reader: the client starts /proc/self/exe, and MODE says how it
 * behaves.
 */
#ifndef READER_ENDS_H
#define READER_ENDS_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "identify.h"
#include "protocol.h"
#include "pycode.h"
#include "queue.h"
#include "reader.h"
#include "tasks.h"
#include "child.h"

#define MODE	 "LOOPHOUND_TEST_READER"
#define BAD_PID	 666 /* what a misbehaving reader chokes on */
#define GOOD_PID 1000
#define WAIT_MS	 20000

/* ---- the reader ---- */

static void answer_plainly(int fd, const struct protocol_request *request)
{
	struct {
		struct protocol_answer answer;
		union {
			struct ev_target target;
			struct ev_code code;
			struct ev_tasks tasks;
		} record;
	} packet = { .answer.seq = request->seq };
	size_t bytes = sizeof(packet.answer);

	if (request->kind == PROTOCOL_TARGET) {
		packet.record.target = (struct ev_target){
			.head = { .type = EV_TARGET, .size = sizeof(struct ev_target) },
			.pid = (uint32_t)request->pid,
			.status = TARGET_NOT_PYTHON,
		};
		bytes += sizeof(struct ev_target);
	} else if (request->kind == PROTOCOL_TASKS) {
		tasks_begin(TASKS_OK, (uint32_t)request->pid, &packet.record.tasks);
		bytes += sizeof(struct ev_tasks);
	} else {
		pycode_fail(&packet.record.code, &request->layout, request->code_addr,
			    request->fingerprint, CODE_OK);
		bytes += sizeof(struct ev_code);
	}
	send(fd, &packet, bytes, MSG_NOSIGNAL);
}

static int run_bad_reader(const char *mode, int fd)
{
	struct protocol_request request;
	bool is_stuck = false;

	if (strcmp(mode, "die at once") == 0)
		return 1;
	while (recv(fd, &request, sizeof(request), 0) > 0) {
		if (is_stuck)
			continue;
		if (request.pid != BAD_PID)
			answer_plainly(fd, &request);
		else if (strcmp(mode, "die") == 0)
			return 1;
		else if (mode[0] == '/' && unlink(mode) == 0)
			return 1; /* the first of them only: the file is gone now */
		else if (mode[0] == '/')
			answer_plainly(fd, &request);
		else if (strcmp(mode, "lie") == 0)
			send(fd, "nonsense, and no record", 24, MSG_NOSIGNAL);
		else
			is_stuck = true;
	}
	return 0;
}

/* ---- the daemon ---- */

/* The only child of this process. */
static pid_t reader_pid(void)
{
	char path[64];
	int pid = 0;
	FILE *children;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	children = fopen(path, "r");
	if (!children)
		return 0; /* a kernel without it */
	assert_int_equal(fscanf(children, "%d", &pid), 1);
	fclose(children);
	return pid;
}

struct answers {
	unsigned nr, nr_stuck, nr_ok;
	uint32_t last_target_id;
	struct reader *reader; /* to ask from within the callback */
	unsigned ask_again;
	struct ev_target target;
	union {
		struct ev_code code;
		uint8_t room[EV_RECORD_MAX];
	} last;
};

static struct answers answers;

static void on_answer(void *ctx, const struct ev_head *record)
{
	struct answers *to = ctx;
	uint8_t status = record->type == EV_TARGET ? ((const struct ev_target *)record)->status
						   : ((const struct ev_code *)record)->status;

	to->nr++;
	to->last_target_id = record->target_id;
	if (record->type == EV_TASKS) {
		to->nr_stuck += ((const struct ev_tasks *)record)->status == TASKS_STUCK;
	} else if (record->type == EV_TARGET) {
		to->target = *(const struct ev_target *)record;
		to->nr_stuck += status == TARGET_STUCK;
	} else {
		memcpy(&to->last, record, record->size);
		to->nr_stuck += status == CODE_STUCK;
		to->nr_ok += status == CODE_OK;
	}
	if (to->ask_again) {
		to->ask_again--;
		assert_int_equal(reader_ask_target(to->reader, 7, GOOD_PID, 0), 0);
	}
}

static struct reader *start(const char *mode)
{
	struct reader *reader = NULL;

	memset(&answers, 0, sizeof(answers));
	setenv(MODE, mode, 1);
	assert_int_equal(reader_start(&reader, on_answer, &answers), 0);
	answers.reader = reader;
	return reader;
}

/* Until so many answers are there; time stands still meanwhile. */
static void wait_answers(struct reader *reader, unsigned nr, uint64_t now_ns)
{
	while (answers.nr < nr) {
		struct pollfd ready = { .fd = reader_fd(reader), .events = POLLIN };

		assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
		assert_int_equal(reader_dispatch(reader, now_ns), 0);
	}
}

static struct ev_target known_target(uint32_t target_id, uint32_t pid)
{
	return (struct ev_target){
		.head = { .target_id = target_id },
		.pid = pid,
		.status = TARGET_OK,
		.layout = { .minor = 11, .valid = 1 },
	};
}

static inline bool is_reader(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[1], CHILD_READER) == 0;
}

static inline int run_reader(char **argv)
{
	const char *mode = getenv(MODE);

	return mode && strcmp(mode, "true") != 0 ? run_bad_reader(mode, atoi(argv[2]))
						 : reader_main(atoi(argv[2]));
}

#endif
