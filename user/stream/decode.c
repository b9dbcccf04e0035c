/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Checks raw bytes against the contract of events.h, so that every later stage may trust a record's
 * lengths, enums, strings and sums.  Never reads past the size it is given; changes nothing.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>

#define HAS_NUL(array) (memchr((array), '\0', sizeof(array)) != NULL)

/* Name and smallest size of every type, by number. */
static const struct {
	const char *name;
	uint32_t size;
} types[] = {
#define X(nr, upper, lower) [nr] = { #lower, sizeof(struct ev_##lower) },
	EVENT_LIST(X)
#undef X
};

static bool is_known(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].size;
}

const char *decode_name(uint32_t type)
{
	return is_known(type) ? types[type].name : NULL;
}

bool decode_size_fits(uint32_t type, uint32_t size)
{
	if (!is_known(type))
		return false;
	if (type == EV_STACK)
		return size >= types[type].size &&
		       (size - types[type].size) % sizeof(struct ev_frame) == 0 &&
		       (size - types[type].size) / sizeof(struct ev_frame) <= EV_MAX_FRAMES;
	if (type == EV_TARGET && size == EV_TARGET_BYTES_BEFORE_PLACE)
		return true;
	/* Counters are only ever added. */
	if (type == EV_LOSS)
		return size >= sizeof(struct ev_head) && size <= types[type].size &&
		       (size - sizeof(struct ev_head)) % sizeof(uint64_t) == 0;
	if (type == EV_CODE)
		return size >= types[type].size && size <= EV_RECORD_MAX;
	if (type == EV_FORK && size == EV_FORK_BYTES_BEFORE_START)
		return true;
	return size == types[type].size;
}

static bool loop_is_sane(const struct ev_loop *ev)
{
	return ev->kind < LOOP_KIND_MAX && HAS_NUL(ev->comm);
}

static bool stack_is_sane(const struct ev_stack *ev)
{
	return ev->nr_frames <= EV_MAX_FRAMES && ev->status < STACK_STATUS_MAX &&
	       ev->awaiting_at + ev->nr_awaiting <= ev->nr_frames &&
	       ev->head.size == sizeof(*ev) + ev->nr_frames * sizeof(ev->frames[0]);
}

static bool sleep_is_sane(const struct ev_sleep *ev)
{
	if (ev->off_class == OFF_GIL && ev->holder_queued_ns > ev->asleep_ns)
		return false;
	return ev->last_ns >= ev->first_ns && ev->asleep_ns <= ev->total_ns &&
	       ev->max_ns <= ev->total_ns && ev->object.kind < OBJECT_KIND_MAX &&
	       ev->object.name_len <= sizeof(ev->object.name) && HAS_NUL(ev->object.name) &&
	       ev->off_class < OFF_CLASS_MAX;
}

static bool latent_is_sane(const struct ev_latent *ev)
{
	return ev->last_ns >= ev->first_ns && ev->audit < AUDIT_MAX && ev->object.kind < OBJECT_KIND_MAX &&
	       ev->object.name_len <= sizeof(ev->object.name) && HAS_NUL(ev->object.name);
}

/* The parts must add up to the whole, to the nanosecond: reports show them as shares of it. */
static bool parts_are_sane(const struct ev_iteration *ev)
{
	uint64_t sum, within;

	if (ev->end_ns < ev->start_ns || ev->off_ns[OFF_HOLDER_QUEUED] > ev->off_ns[OFF_GIL])
		return false;
	if (__builtin_add_overflow(ev->on_cpu_ns, ev->run_queue_ns, &sum))
		return false;
	for (unsigned i = OFF_RUNNABLE + 1; i < OFF_CLASS_MAX; i++)
		if (__builtin_add_overflow(sum, ev->off_ns[i], &sum))
			return false;
	if (__builtin_add_overflow(ev->gc_on_cpu_ns, ev->import_on_cpu_ns, &within) ||
	    within > ev->on_cpu_ns || ev->import_asleep_ns > ev->off_ns[OFF_SYSCALL])
		return false;
	return sum == ev->end_ns - ev->start_ns;
}

static bool iteration_is_sane(const struct ev_iteration *ev)
{
	return ev->end <= ITERATION_EXIT && parts_are_sane(ev);
}

static bool ongoing_is_sane(const struct ev_ongoing *ev)
{
	return (ev->so_far.end == ITERATION_UNDER_WAY || ev->so_far.end == ITERATION_UNSEEN) &&
	       parts_are_sane(&ev->so_far) && (!ev->sleep.count || sleep_is_sane(&ev->sleep));
}

static bool import_is_sane(const struct ev_import *ev)
{
	uint64_t sum;

	if (ev->module_kind ? (ev->module_kind != 1 && ev->module_kind != 2 && ev->module_kind != 4) ||
				      ev->module_bytes > sizeof(ev->module) ||
				      ev->module_bytes % ev->module_kind
			    : !HAS_NUL(ev->module))
		return false;
	return !__builtin_add_overflow(ev->on_cpu_ns, ev->asleep_ns, &sum) &&
	       sum <= ev->total_ns;
}

static bool task_is_sane(const struct ev_task *ev)
{
	if (!ev->name_bytes)
		return true;
	return (ev->kind == 1 || ev->kind == 2 || ev->kind == 4) &&
	       ev->name_bytes <= sizeof(ev->name) && ev->name_bytes % ev->kind == 0;
}

static bool thread_is_sane(const struct ev_thread *ev)
{
	return HAS_NUL(ev->comm) && HAS_NUL(ev->name);
}

static bool host_is_sane(const struct ev_host *ev)
{
	return ev->since_ns <= ev->head.ts_ns && HAS_NUL(ev->cgroup);
}

static bool probes_are_sane(const struct ev_probes *ev)
{
	return ev->nr_sites <= PROBE_MAX_SITES;
}

static bool spawn_is_sane(const struct ev_spawn *ev)
{
	return HAS_NUL(ev->comm) && ev->args_bytes <= sizeof(ev->args);
}

static bool target_is_sane(const struct ev_target *ev)
{
	return ev->status < TARGET_STATUS_MAX && HAS_NUL(ev->comm) && HAS_NUL(ev->exe) &&
	       HAS_NUL(ev->container) && HAS_NUL(ev->reason) &&
	       (ev->head.size == EV_TARGET_BYTES_BEFORE_PLACE ||
		(ev->container_kind < CONTAINER_KIND_MAX && HAS_NUL(ev->unit) && HAS_NUL(ev->pod)));
}

static bool loops_are_sane(const struct ev_loops *ev)
{
	bool is_sane = ev->nr <= EV_MAX_LOOPS;

	for (unsigned i = 0; is_sane && i < ev->nr; i++)
		is_sane = ev->loops[i].kind < LOOP_KIND_MAX;
	return is_sane;
}

static bool tasks_are_sane(const struct ev_tasks *ev)
{
	return ev->status < TASKS_STATUS_MAX &&
	       ev->nr_loops <= (ev->status <= TASKS_CUT ? EV_MAX_LOOPS : 0u);
}

static bool code_is_sane(const struct ev_code *ev)
{
	uint64_t bytes = (uint64_t)ev->filename_bytes + ev->name_bytes + ev->qualname_bytes +
			 ev->table_bytes;

	return ev->status < CODE_STATUS_MAX && ev->filename_bytes <= EV_NAME_MAX &&
	       ev->name_bytes <= EV_NAME_MAX && ev->qualname_bytes <= EV_NAME_MAX &&
	       ev->table_bytes <= EV_TABLE_MAX && bytes <= ev->head.size - sizeof(*ev);
}

static bool connection_is_sane(const struct ev_connection *ev)
{
	const struct connection_peer *peer = &ev->peer;

	return peer->kind < CONNECTION_KIND_MAX && peer->name_len <= sizeof(peer->name) && ev->is_over <= 1 &&
	       HAS_NUL(ev->service);
}

static bool is_sane(const struct ev_head *ev)
{
	switch (ev->type) {
	case EV_LOOP: return loop_is_sane((const struct ev_loop *)ev);
	case EV_STACK: return stack_is_sane((const struct ev_stack *)ev);
	case EV_SLEEP: return sleep_is_sane((const struct ev_sleep *)ev);
	case EV_LATENT: return latent_is_sane((const struct ev_latent *)ev);
	case EV_ITERATION: return iteration_is_sane((const struct ev_iteration *)ev);
	case EV_ONGOING: return ongoing_is_sane((const struct ev_ongoing *)ev);
	case EV_IMPORT: return import_is_sane((const struct ev_import *)ev);
	case EV_TASK: return task_is_sane((const struct ev_task *)ev);
	case EV_THREAD: return thread_is_sane((const struct ev_thread *)ev);
	case EV_HOST: return host_is_sane((const struct ev_host *)ev);
	case EV_SPAWN: return spawn_is_sane((const struct ev_spawn *)ev);
	case EV_PROBES: return probes_are_sane((const struct ev_probes *)ev);
	case EV_TARGET: return target_is_sane((const struct ev_target *)ev);
	case EV_TASKS: return tasks_are_sane((const struct ev_tasks *)ev);
	case EV_LOOPS: return loops_are_sane((const struct ev_loops *)ev);
	case EV_CONNECTION: return connection_is_sane((const struct ev_connection *)ev);
	case EV_CODE: return code_is_sane((const struct ev_code *)ev);
	case EV_LOOP_STATS: return ((const struct ev_loop_stats *)ev)->counters.in_wait <= 2;
	default: return true;
	}
}

int decode(const void *rec, size_t size, const struct ev_head **ev)
{
	const struct ev_head *head = rec;

	if (size < sizeof(*head) || size > EV_RECORD_MAX || head->size != size)
		return -EBADMSG;
	if (!decode_size_fits(head->type, head->size) || !is_sane(head))
		return -EBADMSG;
	*ev = head;
	return 0;
}
