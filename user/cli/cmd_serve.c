/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `serve`: a watch of all Python processes that goes on for ever, with a service for its report. */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "log.h"
#include "notify.h"
#include "privileges.h"
#include "serve_opts.h"
#include "service.h"
#include "service_sandbox.h"

struct serving {
	struct serve_opts opts;
	struct policies *policies; /* of opts.config */
	struct service *service;
	struct engine *engine;
	struct notify notify;
	uint64_t second_ns; /* when what is done once a second is done again */
};

static void on_fd(void *ctx, uint64_t now_ns)
{
	struct serving *serving = ctx;

	engine_refresh(serving->engine, now_ns);
	service_dispatch(serving->service, now_ns);
}

static void tell_status(struct serving *serving)
{
	char status[128];

	service_status(serving->service, status, sizeof(status));
	notify_status(&serving->notify, status);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct serving *serving = ctx;
	uint64_t every_ns = service_wanted_every_ns(serving->service, now_ns);

	service_tick(serving->service, now_ns);
	if (every_ns)
		engine_count_tasks(serving->engine, every_ns, now_ns);
	notify_alive(&serving->notify, now_ns); /* the turn took what the ring had, and came here */
	if (now_ns < serving->second_ns)
		return;
	serving->second_ns = now_ns + NSEC_PER_SEC;
	policies_expire(serving->policies, now_ns);
	tell_status(serving);
}

static void set_policies(struct serving *serving)
{
	const struct serve_config *config = &serving->opts.config;

	policies_set(serving->policies, config->policies, config->selection.nr, &config->others);
}

/* Who is watched, and by what: the engine has all of it by reference. */
static int select_anew(struct serving *serving, struct serve_config *config)
{
	int err;

	serve_config_swap(&serving->opts.config, config);
	set_policies(serving);
	err = engine_reselect(serving->engine);
	if (!err)
		return 0;
	serve_config_swap(&serving->opts.config, config);
	set_policies(serving);
	return err;
}

static void take_over(struct serving *serving, struct serve_config *config)
{
	const struct serve_config *now = &serving->opts.config;
	int err = select_anew(serving, config);

	if (err)
		log_write(LOG_ERR, "reload: cannot list processes: %s; targets, limits, rules, allow and library stay "
			  "as they were", strerror(-err));
	if (!err && engine_needs_restart(serving->engine))
		log_warn("reload: %s: that takes a restart", engine_needs_restart(serving->engine));
	if (!err) {
		log_set_level(now->log.level);
		log_set_json(now->log.is_json);
	}
	log_info("reload: done");
}

/* What is wrong with the new configuration leaves the old one in force. */
static void on_reload(void *ctx)
{
	struct serving *serving = ctx;
	struct serve_config *config = calloc(1, sizeof(*config));
	char why[YAML_ERROR_LEN] = "no memory";
	int err;

	notify_reloading(&serving->notify, engine_now());
	err = config ? serve_opts_reload(&serving->opts, config, why) : -ENOMEM;

	if (!err)
		err = service_reload(serving->service, config, why);
	if (err)
		log_write(LOG_ERR, "reload: %s; the configuration stays as it was", why);
	else
		take_over(serving, config);
	if (config)
		serve_config_free(config);
	free(config);
	notify_ready(&serving->notify);
}

/* What it may do decides what it sees: whoever reads its first lines knows both. */
static void tell_privileges(void)
{
	uint64_t effective = privileges_of(getpid());
	char had[PRIVILEGES_LEN];

	privileges_list(effective, true, had);
	log_info("user id %u, with %s", geteuid(), had[0] ? had : "no capability");
	for (unsigned i = 0; i < NR_PRIVILEGES; i++)
		if (!privileges_have(effective, &privileges[i]) && privileges[i].need != PRIVILEGE_RARE)
			log_warn("without %s: %s", privileges[i].name, privileges[i].without);
}

static int serve(struct serving *serving)
{
	struct engine_service hooks = { .fd = service_fd(serving->service),
					.on_fd = on_fd,
					.on_tick = on_tick,
					.on_reload = on_reload,
					.ctx = serving,
					.sink = serving->service,
					.metrics = service_metrics(serving->service),
					.selection = &serving->opts.config.selection,
					.policies = serving->policies };
	struct opts opts = { .command = "serve",
			     .is_all = true,
			     .format = "jsonl",
			     .boundary = "auto",
			     .rules = serving->opts.config.others.rules,
			     .service = &hooks, .reporter = &service_reporter };
	struct engine *engine;
	int no_status, err, code = engine_open(&engine, &opts);

	if (code)
		return code;
	serving->engine = engine;
	err = service_confine();
	code = err ? log_err(EXIT_FAILED, "serve: cannot confine itself: %s", strerror(-err))
		   : watch_search(engine, &opts);
	if (!code) {
		service_show_kernel(serving->service, engine_probes(engine), engine_reader(engine));
		service_show(serving->service, engine_model(engine));
		notify_ready(&serving->notify);
		log_write(LOG_NOTE, "serving on %s", service_url(serving->service));
		code = engine_run(engine, 0, &no_status);
	}
	notify_stopping(&serving->notify);
	service_show(serving->service, NULL);
	service_show_kernel(serving->service, NULL, NULL);
	engine_free(engine);
	/* Who asks a service to end is obeyed, not interrupted. */
	return code == EXIT_INTERRUPTED ? EXIT_OK : code;
}

static int open_and_serve(struct serving *serving)
{
	char why[YAML_ERROR_LEN];
	int code, err = service_keep_capabilities();

	if (err)
		return log_err(EXIT_FAILED, "serve: cannot give up capabilities: %s", strerror(-err));
	if (policies_new(&serving->policies))
		return log_err(EXIT_FAILED, "serve: no memory");
	set_policies(serving);
	tell_privileges();
	notify_open(&serving->notify);
	if (service_open(&serving->service, &serving->opts.config, serving->policies, why))
		return log_err(EXIT_FAILED, "serve: %s", why);
	code = serve(serving);
	service_free(serving->service);
	notify_close(&serving->notify);
	return code;
}

int cmd_serve(int argc, char **argv)
{
	cleanup_free struct serving *serving = calloc(1, sizeof(*serving));
	bool is_done;
	int code;

	if (!serving)
		return log_err(EXIT_FAILED, "serve: no memory");
	code = serve_opts_parse(&serving->opts, argc, argv, &is_done);
	if (!code && !is_done && serving->opts.is_check)
		printf("%s: right\n",
		       serving->opts.file[0] ? serving->opts.file : "no file, the flags alone");
	else if (!code && !is_done) {
		log_set_level(serving->opts.config.log.level);
		log_set_json(serving->opts.config.log.is_json);
		log_never_wait();
		code = open_and_serve(serving);
	}
	policies_free(serving->policies);
	serve_config_free(&serving->opts.config);
	return code;
}
