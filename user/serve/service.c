/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Opens, joins and shows the parts of the service. */
#include "service_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"
#include "facts.h"
#include "journal.h"
#include "labels.h"
#include "log.h"
#include "sanitize.h"
#include "util.h"
#include "web_config.h"

#define PASSED_FD    3 /* systemd's first */
#define WEB_START_MS 5000
/* How often numbers of tasks are read while they are wanted: after a minute they count for nothing. */
#define WANTED_MIN_NS (5 * NSEC_PER_SEC)
#define WANTED_MAX_NS (30 * NSEC_PER_SEC)

/* The clock on the wall may be set while the service runs: each line has what it says then. */
static uint64_t wall_minus_mono_ns(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec * NSEC_PER_SEC + (uint64_t)wall.tv_nsec - clock_host_ns();
}

/* ---- what the web process asks for ---- */

static void note_wanted(struct service *service)
{
	if (service->wanted_ns)
		service->wanted_gap_ns = service->now_ns - service->wanted_ns;
	service->wanted_ns = service->now_ns;
}

static void write_metrics(struct service *service, enum exposition_format format, FILE *out)
{
	struct exposition e = { .out = out, .format = format };
	uint64_t start_ns = clock_host_ns();

	note_wanted(service);
	if (service->model) {
		metrics_write(service->metrics, service->model, &e);
		metrics_write_labels(service->metrics, service->policies, &e);
	}
	service_write_self(service, &e);
	exposition_end(&e);
	service->last_scrape_ns = clock_host_ns() - start_ns;
}

static void write_loops(struct service *service, FILE *out)
{
	struct report_opts opts = { .out = out,
				    .session = service->session,
				    .policies = service->policies };
	const struct loop *loop;
	bool is_first = true;

	note_wanted(service);
	opts.session.wall_minus_mono_ns = wall_minus_mono_ns();
	putc('[', out);
	for (uint32_t i = 0; service->model && (loop = model_loop(service->model, i)); i++) {
		if (loop->ended || !loop->counters_ns)
			continue;
		fputs(is_first ? "\n" : ",", out);
		report_jsonl.loop(&opts, loop, loop->counters_ns);
		is_first = false;
	}
	fputs("]\n", out);
}

static void write_landing(const struct service *service, FILE *out)
{
	struct metrics_size size;

	metrics_get_size(service->metrics, &size);
	fprintf(out, "version  %s\nhost     %s, kernel %s\nworkers  %u\nloops    %u\n",
		LOOPHOUND_VERSION, service->session.host, service->session.kernel, size.workers,
		size.loops);
}

static int write_ready(const struct service *service, FILE *out)
{
	const char *why = service_not_ready(service);

	if (!why) {
		fputs("ready\n", out);
		return 200;
	}
	fprintf(out, "not ready: %s\n", why);
	return 503;
}

static int on_question(void *ctx, enum web_what what, FILE *out)
{
	struct service *service = ctx;

	switch (what) {
	case WEB_METRICS: write_metrics(service, EXPOSITION_TEXT, out); break;
	case WEB_METRICS_OPENMETRICS: write_metrics(service, EXPOSITION_OPENMETRICS, out); break;
	case WEB_BREACHES: sink_history(service->sink, out); break;
	case WEB_LOOPS: write_loops(service, out); break;
	case WEB_HEALTHY: fputs("healthy\n", out); break;
	case WEB_READY: return write_ready(service, out);
	case WEB_LANDING: write_landing(service, out); break;
	case WEB_WHAT_MAX: return 404;
	}
	return 200;
}

/* ---- the reporter ---- */

static void on_session(const struct report_opts *opts)
{
	struct service *service = opts->sink;

	service->session = opts->session;
}

/* What is no Python is nobody's business; what is one and cannot be watched is. */
static void on_target(const struct report_opts *opts, const struct target *target, uint64_t ts_ns)
{
	const struct ev_target *info = &target->info;
	bool is_news = info->status == TARGET_OK || info->status == TARGET_UNSUPPORTED ||
		       info->status == TARGET_BROKEN || info->status == TARGET_STUCK;
	char python[FACTS_VERSION_LEN], comm[64], reason[256];

	(void)opts;
	(void)ts_ns;
	facts_python(info->version, python);
	snprintf(comm, sizeof(comm), "%.*s", EV_COMM_LEN, info->comm);
	sanitize(comm, sizeof(comm), strdupa(comm), 16, CUT_END);
	sanitize(reason, sizeof(reason), info->reason, 160, CUT_END);
	log_about(is_news ? LOG_INFO : LOG_DEBUG, (pid_t)info->pid, "process %u %s: %s%s%s%s%s",
		  info->pid, comm, facts_target_status(info->status), python[0] ? ", CPython " : "",
		  python, reason[0] ? ": " : "", reason);
}

/* To be freed; NULL: no memory. */
static char *make_entry(const struct breach *breach, const struct policy *policy, const char *json,
			size_t *bytes)
{
	char *entry = NULL;
	FILE *out = open_memstream(&entry, bytes);

	if (!out)
		return NULL;
	journal_write(out, breach, policy, json);
	if (!fclose(out))
		return entry;
	free(entry);
	return NULL;
}

static void on_breach(const struct report_opts *opts, const struct breach *breach)
{
	struct service *service = opts->sink;
	const struct loop *loop = breach->finding->iteration->loop;
	uint32_t target_id = loop->target->info.head.target_id;
	const struct policy *policy = policies_of(opts->policies, target_id);
	struct ration_of of = { target_id, loop->info.pid, policy->lines_per_second };
	struct report_opts line_opts = *opts;
	cleanup_free char *line = NULL, *entry = NULL;
	size_t bytes = 0, entry_bytes = 0;

	if (breach->count > 1 && !iteration_is_ongoing(breach->finding->iteration))
		service->nr_folded += breach->count - 1;
	line_opts.session.wall_minus_mono_ns = wall_minus_mono_ns();
	line_opts.out = open_memstream(&line, &bytes);
	if (!line_opts.out)
		return;
	report_jsonl.breach(&line_opts, breach);
	if (fclose(line_opts.out) || !bytes)
		return;
	line[--bytes] = '\0'; /* its newline */
	if (sink_wants_entry(service->sink))
		entry = make_entry(breach, policy, line, &entry_bytes);
	sink_line(service->sink, &of, line, bytes, entry, entry_bytes, clock_host_ns());
}

static void on_summary(const struct report_opts *opts, const struct report_summary *summary)
{
	(void)opts;
	log_info("watched for %.0f s: %llu breaches", (double)summary->watched_ns / 1e9,
		 (unsigned long long)summary->nr_breaches);
}

const struct reporter service_reporter = { .name = "service",
					   .session = on_session,
					   .target = on_target,
					   .breach = on_breach,
					   .summary = on_summary };

/* ---- opening ---- */

/* A socket that systemd passed to this very process; -1: none. */
static int passed_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *nr = getenv("LISTEN_FDS");
	int type = 0, is_listening = 0;
	socklen_t size = sizeof(type);

	if (!pid || !nr || atoi(pid) != getpid() || atoi(nr) < 1)
		return -1;
	if (getsockopt(PASSED_FD, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM ||
	    getsockopt(PASSED_FD, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) || !is_listening)
		return -1;
	fcntl(PASSED_FD, F_SETFD, FD_CLOEXEC);
	fcntl(PASSED_FD, F_SETFL, O_NONBLOCK);
	return PASSED_FD;
}

/* Others get in with a password only, from the start on and through every reload. */
int service_check_open(const struct service *service, const struct web_settings *settings,
		       const struct serve_config *config, char why[YAML_ERROR_LEN])
{
	if (!service->is_reachable || settings->nr_users || config->web.is_insecure_allowed)
		return 0;
	snprintf(why, YAML_ERROR_LEN,
		 "--web.listen-address %.128s: others can reach it, and nobody is asked for a "
		 "password: give "
		 "basic_auth_users in --web.config.file, or --web.allow-insecure",
		 service->config.web.listen_address);
	return -EPERM;
}

static int open_socket(struct service *service, char why[YAML_ERROR_LEN])
{
	const char *address = service->config.web.listen_address;
	bool is_local = true;

	service->listen_fd = passed_socket();
	if (service->listen_fd >= 0)
		return 0; /* whoever passed it decided who can reach it */
	service->listen_fd = web_listen(address, &is_local);
	if (service->listen_fd == -EINVAL)
		snprintf(why, YAML_ERROR_LEN,
			 "--web.listen-address %.128s: expected HOST:PORT with a numeric host, as "
			 "in 127.0.0.1:10911",
			 address);
	else if (service->listen_fd < 0)
		snprintf(why, YAML_ERROR_LEN, "--web.listen-address %.128s: %s", address,
			 strerror(-service->listen_fd));
	if (service->listen_fd < 0)
		return service->listen_fd;
	service->is_reachable = !is_local;
	return service_check_open(service, &service->settings, &service->config, why);
}

static void name_url(struct service *service)
{
	const char *scheme = service->settings.has_tls ? "https" : "http";
	char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (!getsockname(service->listen_fd, (struct sockaddr *)&address, &size))
		(void)getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port,
				  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(service->url, sizeof(service->url),
		 strchr(host, ':') ? "%s://[%s]:%s" : "%s://%s:%s", scheme, host, port);
}

int service_read_settings(struct web_settings *settings, const struct serve_config *config,
			  char why[YAML_ERROR_LEN])
{
	memset(settings, 0, sizeof(*settings));
	settings->max_connections = (uint32_t)config->web.max_connections;
	settings->max_requests_per_second = (uint32_t)config->web.max_requests_per_second;
	return config->web.config_file[0] ? web_config_read(settings, config->web.config_file, why)
					  : 0;
}

static const char ended_at_once[] = "the web process ended as it began";

/* A certificate that is no good is an error of the start, not a service that nobody can ask. */
static int wait_for_web(struct service *service, char why[YAML_ERROR_LEN])
{
	const char *reason;
	int err = web_client_wait(service->web, clock_host_ns(), WEB_START_MS, &reason);

	if (!err || err == -ETIMEDOUT)
		return 0;
	snprintf(why, YAML_ERROR_LEN, "%s", err == -EPIPE ? ended_at_once : reason);
	return err;
}

static int start_web(struct service *service, char why[YAML_ERROR_LEN])
{
	int err = web_client_start(&service->web, service->listen_fd, &service->settings, on_question, service);

	if (!err)
		return wait_for_web(service, why);
	if (err == -EPIPE) /* before it was told anything */
		snprintf(why, YAML_ERROR_LEN, "%s", ended_at_once);
	else
		snprintf(why, YAML_ERROR_LEN, "cannot start the web process: %s", strerror(-err));
	return err;
}

int service_open(struct service **out, const struct serve_config *config,
		 const struct policies *policies, char why[YAML_ERROR_LEN])
{
	struct service *service = calloc(1, sizeof(*service));
	int err;

	snprintf(why, YAML_ERROR_LEN, "no memory");
	if (!service)
		return -ENOMEM;
	service->config = *config;
	service->config.selection = (struct selection){}; /* its owner's */
	service->config.policies = NULL;
	service->policies = policies;
	service->listen_fd = -1;
	service->started_wall_ns = (uint64_t)time(NULL) * NSEC_PER_SEC;
	err = service_read_settings(&service->settings, config, why);
	if (!err)
		err = open_socket(service, why);
	if (!err)
		name_url(service);
	if (!err)
		err = sink_open(&service->sink, config, why);
	if (!err)
		err = metrics_new(&service->metrics, &config->metrics);
	if (!err)
		err = start_web(service, why);
	if (err) {
		service_free(service);
		return err;
	}
	*out = service;
	return 0;
}

void service_free(struct service *service)
{
	if (!service)
		return;
	web_client_free(service->web);
	sink_free(service->sink);
	metrics_free(service->metrics);
	closep(&service->listen_fd);
	explicit_bzero(&service->settings, sizeof(service->settings));
	free(service);
}

struct metrics *service_metrics(struct service *service)
{
	return service->metrics;
}

void service_show(struct service *service, const struct model *model)
{
	service->model = model;
}

void service_status(const struct service *service, char *out, size_t size)
{
	struct metrics_size rows;
	struct sink_stats lines;
	struct ev_loss loss = {};

	metrics_get_size(service->metrics, &rows);
	sink_get_stats(service->sink, &lines);
	if (service->model)
		model_loss(service->model, &loss);
	snprintf(out, size, "%u loop%s in %u worker%s, %llu line%s of breaches, %llu record%s lost",
		 rows.loops, plural(rows.loops), rows.workers, plural(rows.workers),
		 (unsigned long long)lines.lines, plural(lines.lines),
		 (unsigned long long)loss.stats[STAT_RING_FULL], plural(loss.stats[STAT_RING_FULL]));
}

const char *service_url(const struct service *service)
{
	return service->url;
}

int service_fd(const struct service *service)
{
	return web_client_fd(service->web);
}

void service_dispatch(struct service *service, uint64_t now_ns)
{
	service->now_ns = now_ns;
	web_client_dispatch(service->web, now_ns);
}

void service_tick(struct service *service, uint64_t now_ns)
{
	service->now_ns = now_ns;
	service_tell_held(service, now_ns);
	web_client_tick(service->web, now_ns);
}

uint64_t service_wanted_every_ns(const struct service *service, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - service->wanted_ns;

	if (!service->wanted_ns || since_ns >= SERVICE_WATCHED_NS)
		return 0;
	return min(max(max(since_ns, service->wanted_gap_ns), WANTED_MIN_NS), WANTED_MAX_NS);
}
