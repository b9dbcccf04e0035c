/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of rules, their configuration, and one iteration's way through all of them. */
#include "rules.h"

#include <errno.h>
#include <string.h>

#include "advice.h"
#include "object.h"
#include "rule.h"
#include "util.h"

/* clang-format off */
const struct rule rules[RULE_MAX] = {
	[RULE_BLOCKING_CALL] = {
		.id = "blocking-call",
		.guideline =
			"Never block in async code: no requests, time.sleep(), synchronous "
			"sockets, DNS look-ups, files, subprocesses or locks.",
		.default_limit_ns = 10 * NSEC_PER_MSEC,
		.limit =
			"time asleep in one iteration of the loop, summed for one line and one "
			"cause",
		.evidence =
			"The loop's thread goes to sleep in a system call that is not its loop's "
			"own wait; the stack is taken at that moment.",
		.advice =
			"await an asynchronous equivalent, or asyncio.to_thread() around the call",
		.lint =
			"ASYNC210,ASYNC211,ASYNC212,ASYNC220,ASYNC221,ASYNC222,ASYNC230,ASYNC231,"
			"ASYNC232,ASYNC240,ASYNC250,ASYNC251",
	},
	[RULE_CPU_BOUND] = {
		.id = "cpu-bound",
		.guideline = "CPU work goes to a process pool, not on the event loop.",
		.default_limit_ns = 50 * NSEC_PER_MSEC,
		.limit = "time that one callback or task step keeps the thread on a CPU",
		.evidence =
			"The iteration's time on CPU, shared out by samples of its stack; the "
			"site is the line that most samples hit.",
		.advice =
			"await loop.run_in_executor() with a ProcessPoolExecutor, or split the "
			"work and await between the parts",
	},
	[RULE_GIL_WAIT] = {
		.id = "gil-wait",
		.guideline =
			"CPU-bound work goes to a process pool; threads are for synchronous "
			"libraries that wait for I/O.",
		.default_limit_ns = 20 * NSEC_PER_MSEC,
		.limit = "time in one iteration that the loop waits for the GIL",
		.evidence =
			"The loop's thread sleeps on a futex word of the GIL; the thread that "
			"holds it, and where that is, are read at that moment.  A free-threaded "
			"build has no GIL to wait for.",
		.advice =
			"move the work of the thread that holds the GIL to a process pool, or to "
			"code that releases it",
	},
	[RULE_GC_PAUSE] = {
		.id = "gc-pause",
		.guideline = "Keep the garbage collector off the loop's critical path.",
		.default_limit_ns = 20 * NSEC_PER_MSEC,
		.limit = "time in one iteration that the collector runs, for one line",
		.evidence =
			"The interpreter's gc__start and gc__done probes; without them, its "
			"`collecting` flag at each sample (an estimate).",
		.advice =
			"gc.freeze() after start-up, raise gc.set_threshold(), make fewer cycles, "
			"or collect when the loop is idle",
	},
	[RULE_IMPORT_ON_LOOP] = {
		.id = "import-on-loop",
		.guideline = "Import at start-up: an import reads files and runs code.",
		.default_limit_ns = 20 * NSEC_PER_MSEC,
		.limit = "time that one import takes while the loop runs",
		.evidence =
			"The interpreter's import probes; without them, importlib's frames in the "
			"stacks of sleeps and samples (an estimate).",
		.advice = "import the module at the top of its user, or before the loop starts",
	},
	[RULE_LOOP_OVERLOAD] = {
		.id = "loop-overload",
		.guideline = "A loop has room for so many callbacks: shed load or add workers.",
		.default_limit_ns = 250 * NSEC_PER_MSEC,
		.limit = "time on CPU in one iteration, without callbacks that are cpu-bound by themselves",
		.evidence =
			"How many callbacks were ready when the iteration began, and samples of "
			"which of them took how long.",
		.advice =
			"do less in each callback, accept fewer connections at once, or run more "
			"worker processes",
	},
	[RULE_HOST_STARVED] = {
		.id = "host-starved",
		.guideline =
			"Give the loop a CPU, memory and peace: this is the host's doing, not "
			"the code's.",
		.default_limit_ns = 50 * NSEC_PER_MSEC,
		.limit =
			"time in one iteration waiting for a CPU, for a page to be read, or "
			"stopped",
		.evidence =
			"The scheduler's own account of the thread: runnable but not running, "
			"asleep in a page fault, stopped, traced or frozen.",
		.advice =
			"look at the host: CPU limits and neighbours (run-queue), memory "
			"pressure and swap (page-fault), signals, debuggers and paused containers "
			"(stopped)",
	},
	[RULE_UNBOUNDED_CONCURRENCY] = {
		.id = "unbounded-concurrency",
		.guideline = "Bound every fan-out with a Semaphore.",
		.default_limit_ns = 100,
		.unit = RULE_UNIT_CONNECTIONS,
		.limit =
			"connections to one destination at the same time; or half as many begun in "
			"one iteration of the loop, unless by a pool, which has its own bound",
		.evidence =
			"The kernel half counts every socket from its connect to its close; the "
			"stack is sampled as it connects.",
		.advice =
			"put `async with semaphore:` (asyncio.Semaphore(10)) around each request of "
			"the fan-out, or give the client a pool with a limit",
	},
	[RULE_CONNECTION_CHURN] = {
		.id = "connection-churn",
		.guideline = "Share one session: a new connection for each request is waste.",
		.default_limit_ns = 10,
		.unit = RULE_UNIT_CONNECTIONS_PER_SECOND,
		.limit =
			"connections to one destination that last less than a second each, over "
			"five seconds",
		.evidence =
			"When each was established and closed, and how much went over it; the stack "
			"is sampled as it connects.",
		.advice =
			"make one ClientSession (httpx.AsyncClient, connection pool) when the program "
			"starts, and use it for all requests, with `async with`",
	},
	[RULE_CONNECTION_LEAK] = {
		.id = "connection-leak",
		.guideline = "`async with` for whatever has a lifecycle.",
		.default_limit_ns = 10,
		.unit = RULE_UNIT_CONNECTIONS,
		.limit =
			"connections to one destination that are left open: in CLOSE_WAIT for five "
			"seconds; opened within a minute and none closed; closed only by the "
			"collector or the end of the process",
		.evidence =
			"The state of each socket, and who closes it; the stack is sampled as it "
			"connects.",
		.advice =
			"close the connection on every path: `async with` for the session and the "
			"response, or writer.close() and await writer.wait_closed() in a finally",
	},
};
/* clang-format on */

const char *const cause_names[CAUSE_MAX] = {
	[CAUSE_SLEEP] = "sleep",
	[CAUSE_NETWORK] = "network",
	[CAUSE_DNS] = "dns",
	[CAUSE_FILE] = "file",
	[CAUSE_SUBPROCESS] = "subprocess",
	[CAUSE_LOCK] = "lock",
	[CAUSE_PIPE] = "pipe",
	[CAUSE_TERMINAL] = "terminal",
	[CAUSE_OTHER] = "other",
	[CAUSE_PYTHON] = "python",
	[CAUSE_NATIVE] = "native",
	[CAUSE_RUN_QUEUE] = "run-queue",
	[CAUSE_THROTTLED] = "throttled",
	[CAUSE_PAGE_FAULT] = "page-fault",
	[CAUSE_STOPPED] = "stopped",
	[CAUSE_GIL] = "gil",
	[CAUSE_AUTOMATIC] = "automatic",
	[CAUSE_EXPLICIT] = "explicit",
	[CAUSE_OTHER_THREAD] = "other-thread",
	[CAUSE_IMPORT] = "import",
	[CAUSE_CALLBACKS] = "callbacks",
	[CAUSE_CONCURRENT] = "concurrent",
	[CAUSE_ITERATION] = "iteration",
	[CAUSE_SHORT_LIVED] = "short-lived",
	[CAUSE_CLOSE_WAIT] = "close-wait",
	[CAUSE_GROWTH] = "growth",
	[CAUSE_AT_EXIT] = "at-exit",
	[CAUSE_COLLECTOR] = "collector",
};

/* Those with few findings first: blocking-call takes the room that is left. */
static const struct {
	enum rule_id rule;
	rule_eval *eval;
} evals[] = {
	{ RULE_HOST_STARVED, rule_host_starved },
	{ RULE_GC_PAUSE, rule_gc_pause },
	{ RULE_IMPORT_ON_LOOP, rule_import_on_loop },
	{ RULE_CPU_BOUND, rule_cpu_bound },
	{ RULE_GIL_WAIT, rule_gil_wait },
	{ RULE_LOOP_OVERLOAD, rule_loop_overload },
	{ RULE_BLOCKING_CALL, rule_blocking_call },
};

static const struct {
	enum rule_id rule;
	rule_eval_connection *eval;
} connection_evals[] = {
	{ RULE_UNBOUNDED_CONCURRENCY, rule_unbounded_concurrency },
	{ RULE_CONNECTION_CHURN, rule_connection_churn },
	{ RULE_CONNECTION_LEAK, rule_connection_leak },
};

void rules_config_init(struct rules_config *config)
{
	int rule;

	memset(config, 0, sizeof(*config));
	for (rule = 0; rule < RULE_MAX; rule++) {
		config->limit_ns[rule] = rules[rule].default_limit_ns;
		config->is_enabled[rule] = true;
	}
}

int rules_find(const char *id, enum rule_id *out)
{
	int rule;

	for (rule = 0; rule < RULE_MAX; rule++) {
		if (!strcmp(rules[rule].id, id)) {
			*out = rule;
			return 0;
		}
	}
	return -ENOENT;
}

void rules_describe(struct finding *finding)
{
	finding->object[0] = '\0';
	if (finding->connection.is_set)
		rules_format_peer(&finding->connection.peer, finding->object, sizeof(finding->object));
	if (finding->sleep)
		object_format(&finding->sleep->ev.object, finding->object, sizeof(finding->object));
	if (finding->sleep && finding->is_latent)
		latent_describe(finding->sleep, finding->object, sizeof(finding->object));
	advice_fill(finding);
}

static void sort_findings(struct finding *findings, unsigned int nr)
{
	unsigned int i, k;

	for (i = 1; i < nr; i++) {
		struct finding finding;

		if (findings[i - 1].duration_ns >= findings[i].duration_ns)
			continue;
		finding = findings[i];
		for (k = i; k && findings[k - 1].duration_ns < finding.duration_ns; k--)
			findings[k] = findings[k - 1];
		findings[k] = finding;
	}
}

unsigned rules_eval(const struct rules_config *config, const struct iteration *iteration,
		    struct finding *findings, unsigned cap)
{
	unsigned int nr = 0, i;

	for (i = 0; i < ARRAY_SIZE(evals); i++) {
		if (config->is_enabled[evals[i].rule])
			nr += evals[i].eval(config, iteration, findings + nr, cap - nr);
	}
	sort_findings(findings, nr);
	return rule_latent(config, iteration, findings, nr, cap);
}

unsigned rules_eval_connection(const struct rules_config *config, struct connection *connection,
			       struct finding *findings, unsigned cap)
{
	unsigned int nr = 0, i;

	for (i = 0; i < ARRAY_SIZE(connection_evals); i++) {
		if (config->is_enabled[connection_evals[i].rule])
			nr += connection_evals[i].eval(config, connection, findings + nr, cap - nr);
	}
	return nr;
}

bool rules_is_about_connections(enum rule_id rule)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(connection_evals); i++) {
		if (connection_evals[i].rule == rule)
			return true;
	}
	return false;
}

const char *rules_unit_name(enum rule_unit unit)
{
	switch (unit) {
	case RULE_UNIT_CONNECTIONS:
		return "connections";
	case RULE_UNIT_CONNECTIONS_PER_SECOND:
		return "connections/s";
	default:
		return "ns";
	}
}
