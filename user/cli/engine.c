/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The turn of a watch: waits for one thing, handles all that happened, ends when it is time. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "engine_state.h"
#include "log.h"

/*
 * How far ticks are apart; the second: when nothing came, and no iteration is past a limit.  One that begins right
 * after such a tick is told after 200 ms, with the next one, as it would be with the second of the others.
 */
#define TICK_NS	     (100 * NSEC_PER_MSEC)
#define CALM_TICK_NS (2 * TICK_NS)
/* A service shows counters of loops when it is asked, see engine_refresh(); in between they are a rate's beginning. */
#define COUNT_NS	 NSEC_PER_SEC
#define COUNT_SERVICE_NS (5 * NSEC_PER_SEC)
#define HINTS_SECONDS 10 /* hints that were set for processes that are gone are looked for so often */
#define RECONCILE_SECONDS 5 /* targets are compared with the kernel half's so often, and each second after a loss */
#define LATENT_QUIET_NS (2 * NSEC_PER_SEC) /* a stack not seen for this long may not be seen again */
/* After a wake-up: what a thread makes within the gap asks for none, as the end of a stall behind a new stack. */
#define LOOK_AGAIN_NS (WAKEUP_GAP_NS + WAKEUP_GAP_NS / 10)
/* At the end: how long answers are waited for; a service is to end within a second, whatever its reader hangs at. */
#define DRAIN_NS	 (1000 * NSEC_PER_MSEC)
#define DRAIN_SERVICE_NS (250 * NSEC_PER_MSEC)

/* Who is killed has lost no more than the last second. */
static void save(struct engine *engine)
{
	int err = engine->recording ? recording_flush(engine->recording) : 0;

	if (err && !engine->err)
		engine->err = err;
}

/* A record that the ring had no room for. */
static void on_lost(void *ctx, const struct ev_head *ev)
{
	struct engine *engine = ctx;

	engine_feed(engine, ev);
	if (ev->type == EV_EXIT)
		targets_on_exit(engine->targets, (const struct ev_exit *)ev);
	else
		targets_on_exec(engine->targets, (const struct ev_exec *)ev, ev->ts_ns);
}

/* Half of the time after they were doubted. */
static void tidy_hints(struct engine *engine)
{
	unsigned second = engine->seconds % HINTS_SECONDS;

	if (second == 0)
		probes_doubt_hints(engine->probes);
	else if (second == HINTS_SECONDS / 2)
		probes_clear_hints(engine->probes);
}

/* Once a second. A record that was lost is missed the second time that it is looked for, so once more than that. */
static bool is_time_to_reconcile(struct engine *engine)
{
	if (engine->ring_full != engine->ring_full_before) {
		engine->ring_full_before = engine->ring_full;
		engine->reconciles_left = 3;
	}
	if (!engine->reconciles_left)
		return engine->seconds % RECONCILE_SECONDS == 0;
	engine->reconciles_left--;
	return true;
}

static void feed_counters_older_than(struct engine *engine, uint64_t age_ns, uint64_t now_ns)
{
	if (now_ns - engine->counted_ns >= age_ns)
		engine_feed_counters(engine, now_ns);
}

void engine_refresh(struct engine *engine, uint64_t now_ns)
{
	engine_feed_ring(engine);
	feed_counters_older_than(engine, COUNT_NS, now_ns);
}

/* Ticks are not exact: what is due in a second is done with the tick next to it. */
static void on_second(struct engine *engine, uint64_t now_ns)
{
	engine->second_ns = now_ns + NSEC_PER_SEC - TICK_NS / 2;
	engine->seconds++;
	engine_feed_latent(engine, EV_NO_LOOP, now_ns - LATENT_QUIET_NS);
	feed_counters_older_than(engine, (engine->opts->service ? COUNT_SERVICE_NS : COUNT_NS) - TICK_NS, now_ns);
	engine_round_of_connections(engine, now_ns);
	engine_feed_connections(engine, now_ns);
	if (is_time_to_reconcile(engine))
		targets_reconcile(engine->targets, now_ns, on_lost, engine);
	tidy_hints(engine);
}

void engine_set_pace(struct engine *engine, bool is_calm)
{
	uint64_t tick_ns = is_calm ? CALM_TICK_NS : TICK_NS;

	if (engine->tick_ns != tick_ns)
		engine_set_timer(engine->tick_fd, tick_ns, tick_ns);
	engine->tick_ns = tick_ns;
}

/* Nothing came since the last tick, nothing is on its way, and no loop can be past a limit before the next one. */
static bool is_calm(struct engine *engine)
{
	bool has_come = engine->consumed != engine->consumed_before;

	engine->consumed_before = engine->consumed;
	return !has_come && !engine->is_any_long && !reader_pending(engine->reader) && !host_is_throttled(engine->host);
}

static void on_tick(struct engine *engine)
{
	uint64_t expirations, now_ns = engine_now_ns();
	bool is_second = now_ns >= engine->second_ns;

	if (read(engine->tick_fd, &expirations, sizeof(expirations)) < 0)
		return;
	engine_feed_ring(engine);
	reader_expire(engine->reader, now_ns);
	if (is_second)
		on_second(engine, now_ns);
	host_look(engine->host, now_ns);
	engine_feed_ongoing(engine, now_ns, ITERATION_UNDER_WAY);
	engine_feed_head(engine, EV_TICK, now_ns);
	if (engine->opts->service)
		engine->opts->service->on_tick(engine->opts->service->ctx, now_ns);
	if (is_second)
		save(engine);
	engine_set_pace(engine, is_calm(engine));
}

static void arm_retry(struct engine *engine)
{
	uint64_t now_ns = engine_now_ns();
	uint64_t next_ns = min(targets_tick(engine->targets, now_ns), engine->look_again_ns);

	if (next_ns != UINT64_MAX)
		engine_set_timer(engine->retry_fd, next_ns > now_ns ? next_ns - now_ns : 1, 0);
}

int engine_watch_pid(struct engine *engine, pid_t pid, enum targets_why why)
{
	int err = targets_add(engine->targets, pid, why, engine_now_ns());

	if (!err)
		engine_look_at_connections(engine, pid);
	return err;
}

unsigned engine_targets(const struct engine *engine)
{
	return targets_alive(engine->targets);
}

/* A child ended. True: the one that the watch is about. */
static bool on_child(struct engine *engine, pid_t child, int *child_status)
{
	struct signalfd_siginfo info;

	while (read(engine->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (child && !engine->has_child_ended && waitpid(child, child_status, WNOHANG) == child)
			engine->has_child_ended = true;
	return engine->has_child_ended;
}

void engine_count_tasks(struct engine *engine, uint64_t every_ns, uint64_t now_ns)
{
	targets_count_tasks(engine->targets, every_ns, now_ns);
}

uint64_t engine_now(void)
{
	return engine_now_ns();
}

const struct model *engine_model(const struct engine *engine)
{
	return pipeline_model(engine->pipeline);
}

const struct probes *engine_probes(const struct engine *engine)
{
	return engine->probes;
}

const struct reader *engine_reader(const struct engine *engine)
{
	return engine->reader;
}

bool engine_child_ended(const struct engine *engine)
{
	return engine->has_child_ended;
}

/* Waits for one thing and handles all that happened. True: the watch is to end. */
static bool turn(struct engine *engine, pid_t child, int *child_status)
{
	struct epoll_event events[8];
	bool is_over = false;
	int nr = epoll_wait(engine->epoll_fd, events, ARRAY_SIZE(events), -1);

	for (int i = 0; i < nr; i++) {
		switch (events[i].data.u32) {
		case FD_RING:
			engine_feed_ring(engine);
			engine_set_pace(engine, false); /* what comes behind may wake nobody */
			engine->look_again_ns = engine_now_ns() + LOOK_AGAIN_NS;
			break;
		case FD_READER:
			reader_dispatch(engine->reader, engine_now_ns());
			break;
		case FD_SIGNAL:
			is_over |= on_child(engine, child, child_status);
			break;
		case FD_TICK:
			on_tick(engine);
			break;
		case FD_RETRY: {
			uint64_t expirations;

			if (engine->look_again_ns <= engine_now_ns())
				engine->look_again_ns = UINT64_MAX;
			if (read(engine->retry_fd, &expirations, sizeof(expirations)) > 0)
				engine_feed_ring(engine);
		} break;
		case FD_SERVICE:
			engine->opts->service->on_fd(engine->opts->service->ctx, engine_now_ns());
			break;
		}
	}
	if (engine_take_reload())
		engine->opts->service->on_reload(engine->opts->service->ctx);
	arm_retry(engine);
	engine_flush(engine);
	return is_over || engine->err || engine_caught_signal();
}

/* Waits for the reader alone: nothing that happens from now on is looked at. */
static void wait_for_names(struct engine *engine, uint64_t end_ns)
{
	struct pollfd answers = { .fd = reader_fd(engine->reader), .events = POLLIN };
	uint64_t now_ns;

	while (reader_pending_names(engine->reader) && (now_ns = engine_now_ns()) < end_ns && !engine->err) {
		poll(&answers, 1, (int)((end_ns - now_ns) / NSEC_PER_MSEC) + 1);
		reader_expire(engine->reader, engine_now_ns());
	}
}

/*
 * A service says what happened until now; what else it asked for, it wanted for what comes.  Probes within targets
 * end meanwhile, which takes as long, and not all at a time: what the others say from then on is half of the truth,
 * so the ring is not looked at again.
 */
static void drain_service(struct engine *engine, uint64_t end_ns)
{
	engine_feed_ongoing(engine, engine_now_ns(), ITERATION_UNSEEN);
	probes_detach(engine->probes, PROBES_OF_ALL);
	wait_for_names(engine, end_ns);
}

static void drain_watch(struct engine *engine, uint64_t end_ns)
{
	int no_status;

	while (reader_pending(engine->reader) && engine_now_ns() < end_ns && !engine->err)
		turn(engine, 0, &no_status);
	engine_feed_ongoing(engine, engine_now_ns(), ITERATION_UNSEEN);
}

/* Takes what is left in the ring and waits, a short time, for the names that were asked for. */
static void drain(struct engine *engine)
{
	bool is_service = engine->opts->service;
	uint64_t end_ns = engine_now_ns() + (is_service ? DRAIN_SERVICE_NS : DRAIN_NS);

	while (engine_feed_ring(engine) && engine_now_ns() < end_ns)
		;
	if (is_service)
		drain_service(engine, end_ns);
	else
		drain_watch(engine, end_ns);
	engine_feed_latent(engine, EV_NO_LOOP, UINT64_MAX);
	engine_feed_counters(engine, engine_now_ns());
	if (!targets_alive(engine->targets))
		engine_wait_closed(engine);
	engine_feed_connections(engine, engine_now_ns());
	engine_feed_head(engine, EV_END, engine_now_ns());
}

static int finish(struct engine *engine)
{
	const char *record_to = engine->opts->record_to;
	int err = engine->err, record_err;

	if (!err) {
		drain(engine);
		err = engine->err;
	}
	if (!err)
		err = pipeline_finish(engine->pipeline);
	if (!err && (fflush(engine->out) || ferror(engine->out)))
		err = errno ? -errno : -EIO;
	record_err = recording_close(take(engine->recording));
	if (record_err) {
		log_write(LOG_ERR, "recording %s: %s; it is cut there", record_to, strerror(-record_err));
		return EXIT_FAILED;
	}
	if (err == -EPIPE)
		return EXIT_FAILED; /* whoever read our output had enough: nobody to tell */
	if (err == -EINTR)
		return log_err(EXIT_FAILED, "%s: nobody reads it; ended without a summary",
			       engine_output_name(engine));
	if (err) {
		log_write(LOG_ERR, "%s: %s", engine_output_name(engine), strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static bool is_over(struct engine *engine, pid_t child)
{
	if (engine->end_ns && engine_now_ns() >= engine->end_ns)
		return true;
	if (targets_failed(engine->targets))
		return true;
	return !child && !engine->opts->service && !opts_is_search(engine->opts) &&
	       !targets_alive(engine->targets);
}

static int report_failed(const struct ev_target *failed)
{
	log_write(LOG_ERR, "process %u: %s", failed->pid,
		  failed->reason[0] ? failed->reason : "cannot be watched");
	return failed->status == TARGET_DENIED ? EXIT_HOST : EXIT_FAILED;
}

static bool has_breach(const struct engine *engine)
{
	for (unsigned i = 0; i < RULE_MAX; i++)
		if (engine->opts->fails_on[i] && pipeline_breaches(engine->pipeline, i))
			return true;
	return engine->opts->fails_on_latent && pipeline_latent(engine->pipeline);
}

int engine_run(struct engine *engine, pid_t child, int *child_status)
{
	double duration_s = engine->opts->duration_s;
	const struct ev_target *failed;
	int code;

	if (duration_s > 0) {
		engine->end_ns = engine->start_ns + (uint64_t)(duration_s * 1e9);
		/* Only if a write that blocks keeps us from seeing the time. */
		setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_sec = (time_t)duration_s + 2 }, NULL);
	}
	while (!is_over(engine, child))
		if (turn(engine, child, child_status))
			break;
	failed = targets_failed(engine->targets);
	if (failed)
		return report_failed(failed);
	code = finish(engine);
	if (code)
		return code;
	if (has_breach(engine))
		return EXIT_BREACH;
	return engine_caught_signal() && engine_caught_signal() != SIGALRM ? EXIT_INTERRUPTED : EXIT_OK;
}
