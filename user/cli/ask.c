/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "reader.h"
#include "util.h"

#define BATCH 64 /* asked at once: well below what the reader's queue takes */

struct asking {
	struct ev_target *answers;
	size_t nr, nr_answered;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void on_answer(void *ctx, const struct ev_head *ev)
{
	struct asking *asking = ctx;

	if (ev->type != EV_TARGET || !ev->target_id || ev->target_id > asking->nr)
		return;
	asking->answers[ev->target_id - 1] = *(const struct ev_target *)ev;
	asking->nr_answered++;
}

static void freep_reader(struct reader **reader)
{
	reader_free(*reader);
}

static void on_probes(void *ctx, const struct ev_head *ev)
{
	struct ev_probes *answer = ctx;

	if (ev->type == EV_PROBES)
		*answer = *(const struct ev_probes *)ev;
}

int ask_probes(const struct ev_target *target, struct ev_probes *answer)
{
	cleanup(freep_reader) struct reader *reader = NULL;
	struct pollfd pollfd = { .events = POLLIN };
	int err = reader_start(&reader, on_probes, answer);

	answer->head.type = 0;
	if (!err)
		err = reader_ask_probes(reader, target, now());
	while (!err && !answer->head.type) {
		pollfd.fd = reader_fd(reader);
		if (poll(&pollfd, 1, 100) < 0 && errno != EINTR)
			err = -errno;
		if (!err)
			err = reader_expire(reader, now());
	}
	return err;
}

int ask_targets(const pid_t *pids, size_t nr, struct ev_target *answers)
{
	struct asking asking = { answers, nr, 0 };
	cleanup(freep_reader) struct reader *reader = NULL;
	struct pollfd pollfd = { .events = POLLIN };
	size_t asked = 0;
	int err = reader_start(&reader, on_answer, &asking);

	while (!err && asking.nr_answered < nr) {
		for (; asked < nr && asked - asking.nr_answered < BATCH && !err; asked++)
			err = reader_ask_target(reader, (uint32_t)asked + 1, pids[asked], now());
		pollfd.fd = reader_fd(reader);
		if (!err && poll(&pollfd, 1, 100) < 0 && errno != EINTR)
			err = -errno;
		if (!err)
			err = reader_dispatch(reader, now());
		if (!err)
			err = reader_expire(reader, now());
	}
	return err;
}
