/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Opens and closes what a watch needs: outputs, kernel half, reader, clock and signals. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <time.h>

#include "clock.h"
#include "engine_state.h"
#include "find.h"
#include "log.h"
#include "terminal.h"

/* A service has no summary; its metrics are of what lives, and folded breaches have copies of their own. */
#define KEEP_ENDED_NS (10 * NSEC_PER_SEC)

uint64_t engine_now_ns(void)
{
	return clock_host_ns();
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

void engine_set_timer(int fd, uint64_t first_ns, uint64_t period_ns)
{
	struct itimerspec spec = {
		.it_value = { (time_t)(first_ns / NSEC_PER_SEC), (long)(first_ns % NSEC_PER_SEC) },
		.it_interval = { (time_t)(period_ns / NSEC_PER_SEC), (long)(period_ns % NSEC_PER_SEC) },
	};

	timerfd_settime(fd, 0, &spec, NULL);
}

int engine_add_fd(struct engine *engine, int fd, enum engine_fd what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static volatile sig_atomic_t caught_signal, is_from_terminal, wants_reload;

static void on_ending_signal(int nr, siginfo_t *info, void *context)
{
	(void)context;
	caught_signal = nr;
	is_from_terminal = info->si_code == SI_KERNEL; /* and not from kill() */
}

static void on_hangup(int nr)
{
	(void)nr;
	wants_reload = 1;
}

bool engine_take_reload(void)
{
	bool is_wanted = wants_reload;

	wants_reload = 0;
	return is_wanted;
}

bool engine_was_typed(void)
{
	return is_from_terminal;
}

int engine_caught_signal(void)
{
	return caught_signal;
}

/*
 * A handler and not the signalfd: it has to end a write to a pipe that nobody reads, which is where
 * the daemon may be when it is asked to end.  What is ignored, as under nohup, stays so.
 */
static void catch_signal(int nr)
{
	struct sigaction action = { .sa_sigaction = on_ending_signal, .sa_flags = SA_SIGINFO }, old;

	if (!sigaction(nr, NULL, &old) && old.sa_handler != SIG_IGN)
		sigaction(nr, &action, NULL);
}

static int open_fds(struct engine *engine)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
	sigset_t signals;
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		catch_signal(ending[i]);
	if (engine->opts->service)
		signal(SIGHUP, on_hangup);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader of ours that goes away is an error of write() */
	engine->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	engine->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	engine->retry_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (engine->signal_fd < 0 || engine->epoll_fd < 0 || engine->tick_fd < 0 || engine->retry_fd < 0)
		return -errno;
	engine_set_pace(engine, false);
	err = engine_add_fd(engine, probes_ring_fd(engine->probes), FD_RING);
	if (!err)
		err = engine_add_fd(engine, reader_fd(engine->reader), FD_READER);
	if (!err)
		err = engine_add_fd(engine, engine->signal_fd, FD_SIGNAL);
	if (!err)
		err = engine_add_fd(engine, engine->tick_fd, FD_TICK);
	if (!err && engine->opts->service)
		err = engine_add_fd(engine, engine->opts->service->fd, FD_SERVICE);
	return err ? err : engine_add_fd(engine, engine->retry_fd, FD_RETRY);
}

static void fill_session(struct engine *engine, struct session *session)
{
	const struct opts *opts = engine->opts;
	struct utsname host;

	memset(session, 0, sizeof(*session));
	engine->start_ns = engine_now_ns();
	engine->second_ns = engine->start_ns + NSEC_PER_SEC;
	session->start_ns = engine->start_ns;
	session->wall_minus_mono_ns = wall_ns() - engine_now_ns();
	snprintf(session->version, sizeof(session->version), "%s", LOOPHOUND_VERSION);
	if (!uname(&host)) {
		snprintf(session->host, sizeof(session->host), "%.63s", host.nodename);
		snprintf(session->kernel, sizeof(session->kernel), "%.63s", host.release);
	}
	if (opts->nr_pids == 1)
		snprintf(session->command, sizeof(session->command), "%s -p %d", opts->command,
			 opts->pids[0]);
	else if (opts->name_glob)
		snprintf(session->command, sizeof(session->command), "%s --name %.120s", opts->command,
			 opts->name_glob);
	else if (opts->cgroup)
		snprintf(session->command, sizeof(session->command), "%s --cgroup %.120s", opts->command,
			 opts->cgroup);
	else if (opts->is_all)
		snprintf(session->command, sizeof(session->command), "%s --all", opts->command);
	else
		snprintf(session->command, sizeof(session->command), "%s", opts->command);
}

static int open_probes(struct engine *engine)
{
	static const char where[] =
		"/proc is not that of the PID namespace that this runs in: the processes that it lists have other "
		"numbers; mount it anew (unshare --mount-proc does)";
	struct probes_config config = probes_default_config;
	const struct rules_config *limits = &engine->opts->rules;
	char why[256];
	int err;

	if (!find_has_own_proc())
		return log_err(EXIT_HOST, "%s", where);
	engine_fill_limits(engine, &config);
	config.boundary = !strcmp(engine->opts->boundary, "raw")	? BOUNDARY_RAW :
			  !strcmp(engine->opts->boundary, "tracepoint") ? BOUNDARY_TRACEPOINT :
									  BOUNDARY_AUTO;
	config.pid_namespace = find_pid_namespace();
	config.finds_new = opts_is_search(engine->opts);
	config.finds_moved = engine->opts->cgroup || engine->opts->service;
	config.is_without_uprobes = engine->opts->is_without_uprobes;
	config.is_latent = engine->opts->is_latent && limits->is_enabled[RULE_BLOCKING_CALL];
	err = probes_open(&engine->probes, &config, why, sizeof(why));
	if (!err)
		return EXIT_OK;
	log_write(LOG_ERR, "%s; `loophound doctor` tells more", why);
	return err == -EPERM || err == -ENOTSUP ? EXIT_HOST : EXIT_FAILED;
}

static int open_report(struct engine *engine, const struct session *session)
{
	const struct opts *opts = engine->opts;
	struct report_opts report = { .out = engine->out, .session = *session, .rules = &opts->rules,
				      .is_verbose = opts->is_verbose };

	terminal_describe(engine->out, &report);
	if (opts->service) {
		report.metrics = opts->service->metrics;
		report.sink = opts->service->sink;
		report.policies = opts->service->policies;
		report.keep_ended_ns = KEEP_ENDED_NS;
	}
	return pipeline_new(&engine->pipeline, opts->reporter ? opts->reporter : reporter_find(opts->format),
			    &report);
}

static int open_out(struct engine *engine)
{
	const char *path = engine->opts->output;

	engine->out = path && strcmp(path, "-") ? fopen(path, "we") : stdout;
	if (!engine->out) {
		log_write(LOG_ERR, "-o %s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

const char *engine_output_name(const struct engine *engine)
{
	return engine->opts->output ? engine->opts->output : "standard output";
}

static int open_stream(struct engine *engine)
{
	const char *record_to = engine->opts->record_to;
	struct session session;
	int err;

	err = reader_start(&engine->reader, engine_feed_answer, engine);
	if (err) {
		log_write(LOG_ERR, "cannot start the reader process: %s", strerror(-err));
		return EXIT_FAILED;
	}
	err = targets_new(&engine->targets, engine->probes, engine->reader, engine_on_let_go, engine);
	if (!err && opts_is_search(engine->opts)) {
		engine->search = (struct find_filter){ engine->opts->name_glob, engine->opts->cgroup };
		targets_search(engine->targets, &engine->search);
	}
	if (!err && engine->opts->service)
		engine_use_selection(engine);
	if (!err)
		err = host_new(&engine->host);
	if (!err)
		err = open_fds(engine);
	if (err) {
		log_write(LOG_ERR, "cannot set up the watch: %s", strerror(-err));
		return EXIT_FAILED;
	}
	fill_session(engine, &session);
	if (record_to) {
		err = recording_create(&engine->recording, record_to, &session);
		if (err) {
			log_write(LOG_ERR, "recording %s: %s", record_to, strerror(-err));
			return EXIT_FAILED;
		}
	}
	err = open_report(engine, &session);
	if (err)
		log_write(LOG_ERR, "%s: %s", engine_output_name(engine), strerror(-err));
	return err ? EXIT_FAILED : EXIT_OK;
}

int engine_open(struct engine **out, const struct opts *opts)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	uint32_t max_loops = probes_default_config.max_loops;
	int code;

	if (!engine)
		return EXIT_FAILED;
	log_never_wait();
	engine->opts = opts;
	engine->look_again_ns = UINT64_MAX;
	engine->epoll_fd = engine->signal_fd = engine->tick_fd = engine->retry_fd = -1;
	engine->is_loop_alive = calloc(max_loops, sizeof(*engine->is_loop_alive));
	engine->loop_target = calloc(max_loops, sizeof(*engine->loop_target));
	engine->loop_tid = calloc(max_loops, sizeof(*engine->loop_tid));
	engine->told = calloc(max_loops, sizeof(*engine->told));
	engine->connections = engine_connections_new();
	code = engine->is_loop_alive && engine->loop_target && engine->loop_tid && engine->told &&
			       engine->connections ?
		       open_out(engine) :
		       EXIT_FAILED;
	if (!code)
		code = open_probes(engine);
	if (!code)
		code = open_stream(engine);
	if (code) {
		engine_free(engine);
		return code;
	}
	*out = engine;
	return EXIT_OK;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	pipeline_free(engine->pipeline);
	recording_close(engine->recording);
	targets_free(engine->targets);
	host_free(engine->host);
	reader_free(engine->reader);
	probes_close(engine->probes);
	closep(&engine->retry_fd);
	closep(&engine->tick_fd);
	closep(&engine->signal_fd);
	closep(&engine->epoll_fd);
	if (engine->out && engine->out != stdout)
		fclose(engine->out);
	engine_connections_free(engine->connections);
	free(engine->told);
	free(engine->loop_tid);
	free(engine->loop_target);
	free(engine->is_loop_alive);
	free(engine);
}

