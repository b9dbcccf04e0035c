/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What changes while the service runs: all of it, or nothing. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "service_state.h"
#include "util.h"

/* Keys that are read once. */
static const char *needs_restart(const struct serve_config *now, const struct serve_config *next)
{
	if (strcmp(now->web.listen_address, next->web.listen_address))
		return "web.listen_address";
	return memcmp(&now->metrics, &next->metrics, sizeof(now->metrics)) ? "metrics" : NULL;
}

int service_reload(struct service *service, const struct serve_config *config,
		   char why[YAML_ERROR_LEN])
{
	cleanup_free struct web_settings *settings = malloc(sizeof(*settings));
	const char *key = needs_restart(&service->config, config);
	int err;

	snprintf(why, YAML_ERROR_LEN, "no memory");
	if (!settings)
		return -ENOMEM;
	err = service_read_settings(settings, config, why);
	if (!err)
		err = service_check_open(service, settings, config, why);
	if (!err)
		err = sink_reopen(service->sink, config, why); /* or the old one stays */
	if (err)
		return err;
	if (key)
		log_warn("reload: %s changed: that takes a restart", key);
	service->settings = *settings;
	explicit_bzero(settings, sizeof(*settings));
	service->config.breaches = config->breaches;
	service->config.web.max_connections = config->web.max_connections;
	err = web_client_set(service->web, &service->settings);
	if (err) /* nobody to tell but the log; the web process is told when it is started again */
		log_write(LOG_ERR, "reload: cannot tell the web process: %s", strerror(-err));
	return 0;
}
