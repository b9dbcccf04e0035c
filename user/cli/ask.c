/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "reader.h"
#include "util.h"

#define BATCH 64 /* asked at once: well below what the reader's queue takes */
/*
 * How long an answer is waited for.  It halves with each process that gives none: somebody can start many,
 * and who asks for a list shall not wait for each of them.
 */
#define FIRST_DEADLINE_NS (1000 * NSEC_PER_MSEC)
#define LAST_DEADLINE_NS  (100 * NSEC_PER_MSEC)
#define POLL_MS		  20

struct asking {
	size_t nr_answered;
	void (*keep)(struct asking *asking, const struct ev_head *ev);
	int (*ask)(struct asking *asking, struct reader *reader, size_t index, uint64_t now_ns);
	size_t nr;
	const pid_t *pids;
	const struct ev_target *targets; /* as far as pids are not asked for */
	void *answers;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void freep_reader(struct reader **reader)
{
	reader_free(*reader);
}

static void on_answer(void *ctx, const struct ev_head *ev)
{
	struct asking *asking = ctx;

	if (!ev->target_id || ev->target_id > asking->nr)
		return;
	asking->keep(asking, ev);
	asking->nr_answered++;
}

/* Asks all and waits for all answers; one that cannot be asked counts as answered with what is there. */
static int ask_all(struct asking *asking)
{
	cleanup(freep_reader) struct reader *reader = NULL;
	struct pollfd pollfd = { .events = POLLIN };
	int err = reader_start(&reader, on_answer, asking);
	struct reader_stats stats;
	uint64_t deadline_ns;
	size_t asked = 0;

	while (!err && asking->nr_answered < asking->nr) {
		for (; asked < asking->nr && asked - asking->nr_answered < BATCH && !err; asked++)
			err = asking->ask(asking, reader, asked, now());
		pollfd.fd = reader_fd(reader);
		if (!err && asking->nr_answered < asked && poll(&pollfd, 1, POLL_MS) < 0 && errno != EINTR)
			err = -errno;
		if (!err)
			err = reader_dispatch(reader, now());
		reader_get_stats(reader, &stats);
		deadline_ns = FIRST_DEADLINE_NS >> min(stats.restarts, 8ULL);
		reader_set_deadline(reader, max(deadline_ns, LAST_DEADLINE_NS));
		if (!err)
			err = reader_expire(reader, now());
	}
	return err;
}

static int ask_target(struct asking *asking, struct reader *reader, size_t index, uint64_t now_ns)
{
	return reader_ask_target(reader, (uint32_t)index + 1, asking->pids[index], now_ns);
}

static void keep_target(struct asking *asking, const struct ev_head *ev)
{
	if (ev->type == EV_TARGET)
		((struct ev_target *)asking->answers)[ev->target_id - 1] = *(const struct ev_target *)ev;
}

int ask_targets(const pid_t *pids, size_t nr, struct ev_target *answers)
{
	struct asking asking = { .nr = nr, .pids = pids, .answers = answers, .ask = ask_target,
				 .keep = keep_target };

	return ask_all(&asking);
}

static struct ev_target numbered(const struct asking *asking, size_t index)
{
	struct ev_target target = asking->targets[index];

	target.head.target_id = (uint32_t)index + 1;
	return target;
}

static int ask_loop(struct asking *asking, struct reader *reader, size_t index, uint64_t now_ns)
{
	struct ev_target target = numbered(asking, index);

	if (target.status == TARGET_OK)
		return reader_ask_loops(reader, &target, now_ns);
	asking->nr_answered++;
	return 0;
}

static void keep_loops(struct asking *asking, const struct ev_head *ev)
{
	if (ev->type == EV_LOOPS)
		((struct ev_loops *)asking->answers)[ev->target_id - 1] = *(const struct ev_loops *)ev;
}

int ask_loops(const struct ev_target *targets, size_t nr, struct ev_loops *answers)
{
	struct asking asking = { .nr = nr, .targets = targets, .answers = answers, .ask = ask_loop,
				 .keep = keep_loops };

	memset(answers, 0, nr * sizeof(*answers));
	return ask_all(&asking);
}

static int ask_probe(struct asking *asking, struct reader *reader, size_t index, uint64_t now_ns)
{
	struct ev_target target = numbered(asking, index);

	return reader_ask_probes(reader, &target, now_ns);
}

static void keep_probes(struct asking *asking, const struct ev_head *ev)
{
	if (ev->type == EV_PROBES)
		*(struct ev_probes *)asking->answers = *(const struct ev_probes *)ev;
}

int ask_probes(const struct ev_target *target, struct ev_probes *answer)
{
	struct asking asking = { .nr = 1, .targets = target, .answers = answer, .ask = ask_probe,
				 .keep = keep_probes };
	int err = ask_all(&asking);

	answer->head.target_id = target->head.target_id;
	return err;
}
