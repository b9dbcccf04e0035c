/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `serve`: a watch of all Python processes that goes on for ever, with a service for its report. */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "log.h"
#include "notify.h"
#include "serve_opts.h"
#include "service.h"
#include "service_sandbox.h"

struct serving {
	struct serve_opts opts;
	struct service *service;
	struct notify notify;
};

static void on_fd(void *ctx, uint64_t now_ns)
{
	struct serving *serving = ctx;

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

	service_tick(serving->service, now_ns);
	tell_status(serving);
	notify_alive(&serving->notify, now_ns); /* the turn took what the ring had, and came here */
}

/* What is wrong with the new configuration leaves the old one in force. */
static void on_reload(void *ctx)
{
	struct serving *serving = ctx;
	cleanup_free struct serve_config *config = malloc(sizeof(*config));
	char why[YAML_ERROR_LEN] = "no memory";
	int err;

	notify_reloading(&serving->notify, engine_now());
	err = config ? serve_opts_reload(&serving->opts, config, why) : -ENOMEM;

	if (!err)
		err = service_reload(serving->service, config, why);
	if (err) {
		log_write(LOG_ERR, "reload: %s; the configuration stays as it was", why);
	} else {
		log_set_level(config->log.level);
		log_info("reload: done");
	}
	notify_ready(&serving->notify);
}

static int serve(struct serving *serving)
{
	struct engine_service hooks = { .fd = service_fd(serving->service),
					.on_fd = on_fd,
					.on_tick = on_tick,
					.on_reload = on_reload,
					.ctx = serving,
					.sink = serving->service,
					.metrics = service_metrics(serving->service) };
	struct opts opts = { .command = "serve",
			     .is_all = true,
			     .format = "jsonl",
			     .boundary = "auto",
			     .rules = serving->opts.config.rules,
			     .service = &hooks, .reporter = &service_reporter };
	struct engine *engine;
	int no_status, err, code = engine_open(&engine, &opts);

	if (code)
		return code;
	err = service_confine();
	code = err ? log_err(EXIT_FAILED, "serve: cannot confine itself: %s", strerror(-err))
		   : watch_search(engine, &opts);
	if (!code) {
		service_show(serving->service, engine_model(engine));
		notify_ready(&serving->notify);
		log_write(LOG_NOTE, "serving on %s", service_url(serving->service));
		code = engine_run(engine, 0, &no_status);
	}
	notify_stopping(&serving->notify);
	service_show(serving->service, NULL);
	engine_free(engine);
	/* Who asks a service to end is obeyed, not interrupted. */
	return code == EXIT_INTERRUPTED ? EXIT_OK : code;
}

int cmd_serve(int argc, char **argv)
{
	cleanup_free struct serving *serving = calloc(1, sizeof(*serving));
	char why[YAML_ERROR_LEN];
	bool is_done;
	int code, err;

	if (!serving)
		return log_err(EXIT_FAILED, "serve: no memory");
	code = serve_opts_parse(&serving->opts, argc, argv, &is_done);
	if (code || is_done)
		return code;
	log_set_level(serving->opts.config.log.level);
	if (serving->opts.is_check) {
		printf("%s: right\n",
		       serving->opts.file[0] ? serving->opts.file : "no file, the flags alone");
		return EXIT_OK;
	}
	err = service_keep_capabilities();
	if (err)
		return log_err(EXIT_FAILED, "serve: cannot give up capabilities: %s", strerror(-err));
	notify_open(&serving->notify);
	if (service_open(&serving->service, &serving->opts.config, why))
		return log_err(EXIT_FAILED, "serve: %s", why);
	code = serve(serving);
	service_free(serving->service);
	notify_close(&serving->notify);
	return code;
}
