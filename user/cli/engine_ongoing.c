/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Speaks while a stall lasts: with each tick, looks at how old the iteration of each loop is, and puts what
 * is known of an old one into the stream.  Whether it breaks a rule is decided where all else is.
 *
 * The kernel half writes what is read here, and does not wait: what changes meanwhile is read again.  And it
 * may have missed a switch (docs/KERNELS.md), so nothing is said of a thread that its own account denies.
 */
#include <string.h>

#include "account.h"
#include "engine_state.h"
#include "stream.h"

#define PATIENCE_NS (100 * NSEC_PER_MSEC) /* past a limit; with a tick as long, that is limit + 200 ms */
#define REPEAT_NS   NSEC_PER_SEC
#define MAX_LOOKS   4 /* at a thread that comes and goes all the time */

/* A copy of what the kernel half says of a loop that is in an iteration since since_ns; false: it moved on. */
static bool copy_live(const struct engine *engine, uint32_t loop_id, uint64_t since_ns,
		      struct loop_live *live)
{
	const volatile struct loop_counters *counters =
		probes_loop_counters(engine->probes, loop_id);
	const volatile struct loop_live *source = probes_loop_live(engine->probes, loop_id);
	uint64_t sequence = source->sequence;

	__sync_synchronize();
	memcpy(live, (const void *)source, sizeof(*live));
	__sync_synchronize();
	if (sequence % 2 || sequence != source->sequence)
		return false;
	if (live->start_ns != since_ns)
		memset(live, 0, sizeof(*live)); /* of an iteration before: in this one it never left the CPU */
	return !counters->in_wait && counters->since_ns == since_ns;
}

/*
 * Is it so, by the account that was read before?  Who has been on a CPU since it is said to have left it is
 * not off it, and who is asleep is not on it: its switch was missed.
 */
static bool is_confirmed(const struct loop_live *live, const struct account *account)
{
	if (live->out_ns)
		return account->exec_ns <= live->out_exec_ns;
	return account->is_runnable;
}

/* As copy_live(), confirmed; false also if it is not so: the kernel half finds that out by itself, soon. */
static bool read_live(const struct engine *engine, uint32_t loop_id, uint64_t since_ns,
		      struct loop_live *live)
{
	struct account account;

	for (unsigned i = 0; i < MAX_LOOKS; i++) {
		bool is_told = !account_read(engine->loop_tid[loop_id], &account);

		if (copy_live(engine, loop_id, since_ns, live) &&
		    (!is_told || is_confirmed(live, &account)))
			return true;
	}
	return false;
}

/* The time off the CPU that is not booked yet: the last one, or the one under way. */
static void book_rest(struct ev_iteration *ev, const struct loop_live *live, uint64_t off_total_ns)
{
	uint64_t booked = live->run_queue_ns, rest;

	for (unsigned i = OFF_RUNNABLE + 1; i < OFF_CLASS_MAX; i++) {
		ev->off_ns[i] = live->off_ns[i];
		booked += live->off_ns[i];
	}
	ev->off_ns[OFF_HOLDER_QUEUED] = live->off_ns[OFF_HOLDER_QUEUED];
	ev->run_queue_ns = live->run_queue_ns;
	rest = off_total_ns > booked ? off_total_ns - booked : 0;
	if (live->out_class == OFF_RUNNABLE || live->out_class >= OFF_CLASS_MAX)
		ev->run_queue_ns += rest;
	else
		ev->off_ns[live->out_class] += rest;
	if (live->out_class == OFF_GIL)
		ev->off_ns[OFF_HOLDER_QUEUED] += min(rest, (uint64_t)live->gil_queued_ns);
}

/* The sleep that is under way for out_ns, with what was booked of it before. */
static void add_sleep(struct ev_sleep *sleep, const struct ev_sleep *booked, uint64_t out_ns, uint64_t now_ns)
{
	*sleep = *booked;
	sleep->count++;
	sleep->total_ns += out_ns;
	sleep->asleep_ns += out_ns;
	sleep->max_ns = max(sleep->max_ns, out_ns);
	sleep->last_ns = now_ns;
}

/*
 * CPython waits for the GIL in pieces and is on the CPU for a moment between two of them.  What is left there of the
 * piece before, as it began, says where the thread waits; its own length is in none of its numbers.
 */
static bool is_between_pieces(const struct loop_live *live, uint64_t since_ns)
{
	return live->sleep.off_class == OFF_GIL && live->sleep.first_ns >= since_ns;
}

static bool fill(struct ev_ongoing *ev, const struct loop_live *live, uint64_t since_ns,
		 uint64_t now_ns, enum iteration_end end)
{
	uint64_t out_ns = live->out_ns && live->out_ns < now_ns ? now_ns - live->out_ns : 0;
	uint64_t off_total_ns = live->off_total_ns + out_ns, known = 0;
	struct ev_iteration *so_far = &ev->so_far;

	so_far->start_ns = since_ns;
	so_far->end_ns = now_ns;
	so_far->end = (uint8_t)end;
	so_far->wake_delay_ns = live->wake_delay_ns;
	book_rest(so_far, live, off_total_ns);
	known = so_far->run_queue_ns;
	for (unsigned i = OFF_RUNNABLE + 1; i < OFF_CLASS_MAX; i++)
		known += so_far->off_ns[i];
	if (known > now_ns - since_ns)
		return false; /* torn */
	so_far->on_cpu_ns = now_ns - since_ns - known;
	/* As it was when the thread last left or got the CPU. */
	so_far->gc_on_cpu_ns = min((uint64_t)live->gc_on_cpu_ns, (uint64_t)so_far->on_cpu_ns);
	so_far->import_on_cpu_ns =
		min((uint64_t)live->import_on_cpu_ns, so_far->on_cpu_ns - so_far->gc_on_cpu_ns);
	so_far->import_asleep_ns =
		min((uint64_t)live->import_asleep_ns, (uint64_t)so_far->off_ns[OFF_SYSCALL]);
	if (live->has_sleep && out_ns)
		add_sleep(&ev->sleep, &live->sleep, out_ns, now_ns);
	else if (is_between_pieces(live, since_ns))
		add_sleep(&ev->sleep, &live->sleep, 0, now_ns);
	return true;
}

static uint64_t lowest_limit_ns(const struct rules_config *config)
{
	uint64_t limit_ns = UINT64_MAX / 2;

	for (unsigned i = 0; i < RULE_MAX; i++)
		if (config->is_enabled[i])
			limit_ns = min(limit_ns, config->limit_ns[i]);
	return limit_ns;
}

/* The name of the task that sleeps is sent with the end of its sleep: now it is here already. */
static void feed_task(struct engine *engine, const struct ev_ongoing *ev, struct loop_live *live)
{
	struct ev_task *task = &live->task;
	const struct ev_head *head;

	if (ev->sleep.count && ev->sleep.task_id && ev->sleep.task_id == task->task_id &&
	    !decode(task, sizeof(*task), &head))
		engine_feed(engine, head);
}

/* What a rule's limit is compared with can be no more than this: sites and steps share it. */
static uint64_t at_stake_ns(enum rule_id rule, const struct ev_iteration *ev)
{
	switch (rule) {
	case RULE_BLOCKING_CALL: return ev->off_ns[OFF_SYSCALL];
	case RULE_CPU_BOUND: return ev->on_cpu_ns;
	case RULE_GIL_WAIT: return ev->off_ns[OFF_GIL] - ev->off_ns[OFF_HOLDER_QUEUED];
	case RULE_HOST_STARVED:
		return ev->run_queue_ns + ev->wake_delay_ns + ev->off_ns[OFF_HOLDER_QUEUED] +
		       ev->off_ns[OFF_FAULT] + ev->off_ns[OFF_STOPPED];
	default: return ev->end_ns - ev->start_ns;
	}
}

static uint32_t broken_rules(const struct rules_config *config, const struct ev_iteration *ev)
{
	uint32_t broken = 0;

	for (unsigned i = 0; i < RULE_MAX; i++)
		if (config->is_enabled[i] && at_stake_ns(i, ev) >= config->limit_ns[i])
			broken |= 1u << i;
	return broken;
}

/* A stall is told once a second, and at once when it comes to break another rule. */
static bool is_due(const struct told *told, uint64_t since_ns, uint64_t now_ns, uint32_t broken)
{
	if (told->ns < since_ns) /* not of this iteration */
		return broken;
	return (broken & ~told->rules) || now_ns - told->ns >= REPEAT_NS;
}

/* When its iteration began, if that is long ago; 0: it is not. Most of all looks end here: it has to be cheap. */
static uint64_t old_since_ns(struct engine *engine, uint32_t loop_id, uint64_t now_ns)
{
	const volatile struct loop_counters *counters =
		probes_loop_counters(engine->probes, loop_id);
	uint64_t since_ns = counters->since_ns, limit_ns;

	if (counters->in_wait || !since_ns)
		return 0;
	limit_ns = lowest_limit_ns(engine_rules_of(engine, engine->loop_target[loop_id]));
	engine->is_any_long |= now_ns >= since_ns + limit_ns;
	return now_ns >= since_ns + limit_ns + PATIENCE_NS ? since_ns : 0;
}

static void look_at(struct engine *engine, uint32_t loop_id, uint64_t since_ns, uint64_t now_ns,
		    enum iteration_end end)
{
	struct ev_ongoing ev = {
		.head = { EV_ONGOING, sizeof(ev), now_ns, engine->loop_target[loop_id], loop_id },
	};
	const struct rules_config *config = engine_rules_of(engine, ev.head.target_id);
	struct told *told = &engine->told[loop_id];
	struct loop_live live;
	uint32_t broken;

	if (!read_live(engine, loop_id, since_ns, &live) || !fill(&ev, &live, since_ns, now_ns, end))
		return;
	broken = broken_rules(config, &ev.so_far);
	if (end == ITERATION_UNDER_WAY && !is_due(told, since_ns, now_ns, broken))
		return;
	*told = (struct told){ .ns = now_ns, .rules = broken };
	feed_task(engine, &ev, &live);
	engine_feed_host(engine, &ev.head, &ev.so_far, now_ns);
	engine_feed(engine, &ev.head);
}

void engine_feed_ongoing(struct engine *engine, uint64_t now_ns, enum iteration_end end)
{
	engine->is_any_long = false;
	for (uint32_t id = 0; id < probes_default_config.max_loops; id++) {
		uint64_t since_ns = engine->is_loop_alive[id] ? old_since_ns(engine, id, now_ns) : 0;

		if (since_ns)
			look_at(engine, id, since_ns, now_ns, end);
	}
}
