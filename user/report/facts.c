/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Numbers of the model in, words and ratios out. */
#include "facts.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "util.h"

const char *const facts_stat_names[STAT_MAX] = {
#define X(upper, lower) [STAT_##upper] = #lower,
	STAT_LIST(X)
#undef X
};

const char *facts_loop_kind(uint32_t kind)
{
	static const char *const words[LOOP_KIND_MAX] = {
		[LOOP_KIND_ASYNCIO] = "asyncio", [LOOP_KIND_UVLOOP] = "uvloop",
		[LOOP_KIND_TRIO] = "trio",	 [LOOP_KIND_TWISTED] = "twisted",
		[LOOP_KIND_GEVENT] = "gevent",	 [LOOP_KIND_ASYNCIO_POLL] = "asyncio-poll",
	};

	return kind < LOOP_KIND_MAX && words[kind] ? words[kind] : "unknown";
}

const char *facts_loop_unsupported(uint32_t kind)
{
	if (kind != LOOP_KIND_ASYNCIO_POLL)
		return NULL;
	return "its asyncio loop waits by poll() or select(), and only epoll is supported: its stalls are "
	       "not reported";
}

const char *facts_target_status(uint8_t status)
{
	static const char *const words[TARGET_STATUS_MAX] = {
		[TARGET_OK] = "ok",
		[TARGET_NOT_PYTHON] = "not-python",
		[TARGET_NOT_READY] = "not-ready",
		[TARGET_UNSUPPORTED] = "unsupported",
		[TARGET_GONE] = "gone",
		[TARGET_KERNEL_THREAD] = "kernel-thread",
		[TARGET_DENIED] = "denied",
		[TARGET_BROKEN] = "broken",
		[TARGET_STUCK] = "stuck",
		[TARGET_PENDING] = "pending",
	};

	return status < ARRAY_SIZE(words) && words[status] ? words[status] : "unknown";
}

const char *facts_task_state(enum task_state state)
{
	static const char *const words[TASK_STATE_MAX] = {
		[TASK_STATE_RUNNING] = "running",
		[TASK_STATE_READY] = "ready",
		[TASK_STATE_WAITING] = "waiting",
	};

	return words[state];
}

const char *facts_tasks_status(enum tasks_status status)
{
	static const char *const words[TASKS_STATUS_MAX] = {
		[TASKS_OK] = "ok",
		[TASKS_CUT] = "cut",
		[TASKS_ABSENT] = "absent",
		[TASKS_UNREADABLE] = "unreadable",
		[TASKS_STUCK] = "stuck",
	};

	return words[status];
}

static const struct {
	const char *word, *reason;
} stack_words[STACK_STATUS_MAX] = {
	[STACK_NO_THREAD_STATE] = { "no-thread-state", "the thread has no Python state" },
	[STACK_BAD_THREAD_STATE] = { "bad-thread-state",
				     "the thread's Python state could not be read" },
	[STACK_BAD_FRAME] = { "bad-frame", "a frame could not be read" },
	[STACK_BAD_CODE] = { "bad-code", "a code object could not be read" },
};

const char *facts_status_of_stack(const struct stack *stack)
{
	if (!stack)
		return "missing";
	if (stack->status != STACK_OK)
		return stack->status < STACK_STATUS_MAX ? stack_words[stack->status].word
							: "unknown";
	return stack->is_truncated ? "truncated" : stack->nr ? NULL : "empty";
}

const char *facts_stack_status(const struct finding *finding)
{
	return finding->rule == RULE_HOST_STARVED ? NULL : facts_status_of_stack(finding->stack);
}

const char *facts_stack_reason(const struct finding *finding)
{
	const struct stack *stack = finding->stack;

	if (finding->rule == RULE_HOST_STARVED)
		return NULL;
	if (!stack && finding->rule == RULE_CPU_BOUND)
		return "no sample of it was taken or kept";
	if (!stack)
		return "it was not taken, or its record was lost";
	if (stack->status != STACK_OK)
		return stack->status < STACK_STATUS_MAX
			       ? stack_words[stack->status].reason
			       : "for a reason that this build does not know";
	if (stack->is_truncated)
		return "it is deeper than what is read of one";
	return stack->nr ? NULL : "no Python frame was running";
}

bool facts_is_incomplete(const struct finding *finding)
{
	if (!finding->stack)
		return finding->rule != RULE_HOST_STARVED; /* which needs none */
	for (uint32_t i = 0; i < finding->stack->nr; i++)
		if (finding->stack->frames[i].naming != FRAME_NAMED)
			return true;
	return false;
}

bool facts_is_estimated(const struct finding *finding)
{
	return finding->is_estimated || finding->iteration->ev.flags & (ITERATION_GC_ESTIMATED |
									ITERATION_IMPORT_ESTIMATED);
}

const char *facts_frame_reason(enum frame_naming naming)
{
	switch (naming) {
	case FRAME_PENDING: return "the answer did not come in time";
	case FRAME_GONE: return "the code object was freed before it could be read";
	case FRAME_UNREADABLE: return "the code object could not be read";
	case FRAME_REFUSED: return "too many names are held already";
	default: return "";
	}
}

bool facts_has_gil(uint8_t flags)
{
	return !(flags & TARGET_FREE_THREADED) || flags & TARGET_GIL;
}

const char *facts_threading(uint8_t flags)
{
	if (!(flags & TARGET_FREE_THREADED))
		return "";
	return flags & TARGET_GIL ? ", free-threaded: its GIL is on" : ", free-threaded: no GIL";
}

void facts_python(uint32_t version, char out[FACTS_VERSION_LEN])
{
	unsigned int level = version >> 4 & 0xf;
	int len;

	out[0] = '\0';
	if (!version)
		return;
	len = snprintf(out, FACTS_VERSION_LEN, "%u.%u.%u", version >> 24, version >> 16 & 0xff,
		       version >> 8 & 0xff);
	if (level >= 0xa && level <= 0xc)
		snprintf(out + len, FACTS_VERSION_LEN - len, "%s%u",
			 level == 0xa	? "a"
			 : level == 0xb ? "b"
					: "rc",
			 version & 0xf);
}

void facts_time(const struct session *session, uint64_t ts_ns, char out[FACTS_TIME_LEN])
{
	uint64_t wall_ns = ts_ns + session->wall_minus_mono_ns;
	time_t sec = (time_t)(wall_ns / NSEC_PER_SEC);
	struct tm tm;

	if (!gmtime_r(&sec, &tm))
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	snprintf(out, FACTS_TIME_LEN, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ",
		 (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		 tm.tm_sec, (unsigned int)(wall_ns % NSEC_PER_SEC / NSEC_PER_USEC));
}

uint64_t facts_iteration_ns(const struct ev_iteration *ev)
{
	uint64_t sum = ev->on_cpu_ns + ev->run_queue_ns;
	int off;

	for (off = OFF_RUNNABLE + 1; off < OFF_CLASS_MAX; off++)
		sum += ev->off_ns[off];
	return sum;
}

/* Busy and idle time up to a moment, with what is under way. */
static void usage_at(const struct loop_counters *counters, uint64_t ts_ns, double *busy,
		     double *idle)
{
	double running =
		counters->since_ns && ts_ns > counters->since_ns ? ts_ns - counters->since_ns : 0;

	*busy = counters->busy_ns + (counters->in_wait ? 0 : running);
	*idle = counters->idle_ns + (counters->in_wait ? running : 0);
}

static double ratio_of(double busy, double idle)
{
	return busy >= 0 && idle >= 0 && busy + idle > 0 ? busy / (busy + idle) : NAN;
}

double facts_interval_utilization(const struct loop *loop)
{
	double busy, idle, busy_before = 0, idle_before = 0;

	usage_at(&loop->counters, loop->counters_ns, &busy, &idle);
	if (loop->previous_ns)
		usage_at(&loop->previous, loop->previous_ns, &busy_before, &idle_before);
	return ratio_of(busy - busy_before, idle - idle_before);
}

void facts_loop(const struct loop *loop, struct loop_facts *out)
{
	const struct loop_counters *now = &loop->counters, *before = &loop->previous;
	double busy, idle;
	uint64_t hist[HIST_BUCKETS], all[HIST_BUCKETS];
	int i;

	usage_at(now, loop->counters_ns, &busy, &idle);
	for (i = 0; i < HIST_BUCKETS; i++) {
		all[i] = now->hist[i];
		hist[i] = now->hist[i] - min(before->hist[i], now->hist[i]);
	}
	*out = (struct loop_facts){
		.utilization = ratio_of(busy, idle),
		.interval_utilization = facts_interval_utilization(loop),
		.interval_iterations = now->iterations - min(before->iterations, now->iterations),
		/* Interpolated within a bucket: never past what was really seen. */
		.p50_ns = min(hist_quantile_ns(all, 0.5), (uint64_t)now->max_ns),
		.p99_ns = min(hist_quantile_ns(all, 0.99), (uint64_t)now->max_ns),
		.interval_p50_ns = min(hist_quantile_ns(hist, 0.5), (uint64_t)now->max_ns),
		.interval_p99_ns = min(hist_quantile_ns(hist, 0.99), (uint64_t)now->max_ns),
	};
}
