/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The one stream of a watch: records of the ring, answers of the reader and counters enter it here, and
 * what they ask for is done: names are asked for, targets followed, slots of loops given back.
 */
#include <errno.h>

#include "engine_state.h"

#define RECORDS_AT_ONCE 8192

void engine_feed(struct engine *engine, const struct ev_head *ev)
{
	int err = 0;

	/* The watch ends with this turn. Whoever caught a write that blocks must not begin the next one. */
	if (engine->err)
		return;
	if (engine->recording)
		err = recording_append(engine->recording, ev);
	if (!err && engine->pipeline)
		err = pipeline_add(engine->pipeline, ev, ev->size);
	if (err && err != -EBADMSG && !engine->err)
		engine->err = err;
}

void engine_flush(struct engine *engine)
{
	int err = pipeline_flush(engine->pipeline);

	if (err && !engine->err)
		engine->err = err;
}

static void ask_threads(struct engine *engine, uint64_t now_ns)
{
	struct model *model = pipeline_model(engine->pipeline);
	struct model_thread_want want;

	while (model_next_thread(model, &want)) {
		const struct ev_target *target =
			targets_find(engine->targets, want.target->head.target_id);

		/* Of one that is gone, or refused: it stays without a name. */
		if (target)
			reader_ask_thread(engine->reader, target, want.ident, want.tid, now_ns);
	}
}

static void ask_names(struct engine *engine, uint64_t now_ns)
{
	struct model *model = pipeline_model(engine->pipeline);
	const struct ev_target *target;
	struct model_want want;
	int err;

	while (model_next_want(model, &want)) {
		target = targets_find(engine->targets, want.target->head.target_id);
		if (!target)
			target = want.target; /* gone: the reader says so, and it is counted */
		err = reader_ask_code(engine->reader, target, want.code_addr, want.fingerprint, now_ns);
		if (err == -ENOBUFS)
			model_unwant(model, &want); /* nothing more until a tick or an answer */
	}
	ask_threads(engine, now_ns);
}

void engine_feed_head(struct engine *engine, enum ev_type type, uint64_t now_ns)
{
	struct ev_head head = { .type = type, .size = sizeof(head), .ts_ns = now_ns,
				.loop_id = EV_NO_LOOP };

	engine_feed(engine, &head);
	if (type == EV_TICK)
		ask_names(engine, now_ns);
}

static void on_loop_record(struct engine *engine, const struct ev_head *ev)
{
	if (ev->loop_id >= probes_default_config.max_loops)
		return;
	if (ev->type == EV_LOOP) {
		engine->is_loop_alive[ev->loop_id] = true;
		engine->loop_target[ev->loop_id] = ev->target_id;
		engine->loop_tid[ev->loop_id] = (pid_t)((const struct ev_loop *)ev)->tid;
	} else if (ev->type == EV_LOOP_EXIT) {
		engine->is_loop_alive[ev->loop_id] = false;
	}
}

static void feed_loop_stats(struct engine *engine, uint32_t loop_id, uint64_t now_ns)
{
	const struct loop_counters *counters = probes_loop_counters(engine->probes, loop_id);
	struct ev_loop_stats ev = {
		.head = { EV_LOOP_STATS, sizeof(ev), now_ns, engine->loop_target[loop_id], loop_id },
	};

	ev.counters = *counters;
	engine_feed(engine, &ev.head);
}

static void on_latent(void *ctx, const struct ev_head *ev)
{
	engine_feed(ctx, ev);
}

void engine_feed_latent(struct engine *engine, uint32_t loop_id, uint64_t since_ns)
{
	probes_take_latent(engine->probes, loop_id, since_ns, on_latent, engine);
}

static int on_ring_record(void *ctx, void *record, size_t size)
{
	struct engine *engine = ctx;
	const struct ev_head *ev;
	uint64_t now_ns = engine_now_ns();

	engine->consumed++;
	if (decode(record, size, &ev)) {
		pipeline_add(engine->pipeline, record, size); /* counts it */
		return 0;
	}
	if (targets_is_let_go(engine->targets, ev->target_id)) {
		if (ev->type == EV_LOOP_EXIT)
			probes_release_loop(engine->probes, ev->loop_id);
		return ++engine->nr_at_once < RECORDS_AT_ONCE ? 0 : -EAGAIN;
	}
	/* The counters of a loop that ends are still in its slot: they enter the stream before its end. */
	if (ev->type == EV_LOOP_EXIT && ev->loop_id < probes_default_config.max_loops) {
		engine_feed_latent(engine, ev->loop_id, UINT64_MAX);
		feed_loop_stats(engine, ev->loop_id, ev->ts_ns);
	}
	on_loop_record(engine, ev);
	engine_note_loop(engine, ev, now_ns);
	if (ev->type == EV_ITERATION)
		engine_feed_host(engine, ev, (const struct ev_iteration *)ev, now_ns);
	engine_feed(engine, ev);
	switch (ev->type) {
	case EV_FORK: targets_on_fork(engine->targets, (const struct ev_fork *)ev, now_ns); break;
	case EV_EXEC: targets_on_exec(engine->targets, (const struct ev_exec *)ev, now_ns); break;
	case EV_SPAWN: targets_on_spawn(engine->targets, (const struct ev_spawn *)ev, now_ns); break;
	case EV_LOOP: targets_on_loop(engine->targets, (const struct ev_loop *)ev, now_ns); break;
	case EV_STACK:
	case EV_SLEEP: ask_names(engine, now_ns); break;
	case EV_EXIT: targets_on_exit(engine->targets, (const struct ev_exit *)ev); break;
	case EV_LOOP_EXIT: probes_release_loop(engine->probes, ev->loop_id); break;
	default: break;
	}
	/* In between there are signals, names and the clock to look after. */
	return ++engine->nr_at_once < RECORDS_AT_ONCE ? 0 : -EAGAIN;
}

void engine_feed_answer(void *ctx, const struct ev_head *ev)
{
	const struct ev_target *held_back = NULL;
	struct engine *engine = ctx;
	uint64_t now_ns = engine_now_ns();

	if (ev->type != EV_TARGET ||
	    targets_on_answer(engine->targets, (const struct ev_target *)ev, now_ns))
		engine_feed(engine, ev);
	if (ev->type == EV_TASKS)
		targets_on_tasks(engine->targets, (const struct ev_tasks *)ev);
	if (ev->type == EV_PROBES)
		held_back = targets_on_probes(engine->targets, (const struct ev_probes *)ev);
	if (held_back)
		engine_feed(engine, &held_back->head);
	ask_names(engine, now_ns);
}

void engine_feed_counters(struct engine *engine, uint64_t now_ns)
{
	struct ev_loss loss = { .head = { EV_LOSS, sizeof(loss), now_ns, 0, EV_NO_LOOP } };
	uint64_t stats[STAT_MAX] = { 0 };
	struct reader_stats reader;

	engine->counted_ns = now_ns;
	for (uint32_t id = 0; id < probes_default_config.max_loops; id++)
		if (engine->is_loop_alive[id])
			feed_loop_stats(engine, id, now_ns);
	probes_stats(engine->probes, stats);
	for (unsigned i = 0; i < STAT_MAX; i++)
		loss.stats[i] = stats[i];
	engine->ring_full = stats[STAT_RING_FULL];
	reader_get_stats(engine->reader, &reader);
	loss.stats[STAT_RECORDS_CONSUMED] = engine->consumed;
	loss.stats[STAT_NAMES_ASKED] = reader.asked;
	loss.stats[STAT_NAMES_FAILED] = reader.failed;
	/* What the reader had no room for is asked for again. */
	loss.stats[STAT_NAMES_REFUSED] =
		reader.refused - model_nr_unwanted(pipeline_model(engine->pipeline));
	loss.stats[STAT_READER_RESTARTS] = reader.restarts;
	loss.stats[STAT_RECORDS_INVALID] = pipeline_invalid(engine->pipeline);
	engine_feed(engine, &loss.head);
}

bool engine_feed_ring(struct engine *engine)
{
	engine->nr_at_once = 0;
	if (probes_consume(engine->probes, on_ring_record, engine) != -EAGAIN)
		return false;
	engine_set_timer(engine->retry_fd, 1, 0);
	return true;
}
