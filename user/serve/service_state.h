/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state of the service, for the files that are it. */
#ifndef SERVICE_STATE_H
#define SERVICE_STATE_H

#include "service.h"
#include "sink.h"
#include "web_client.h"

struct service {
	struct serve_config config;
	const struct policies *policies;
	struct metrics *metrics;
	uint64_t nr_folded; /* breaches that have no line, but are in the count of another's */
	struct sink *sink;
	struct web_client *web;
	struct web_settings settings;
	int listen_fd;
	bool is_reachable;	   /* from other hosts */
	const struct model *model; /* NULL: not ready */
	const struct probes *probes;
	const struct reader *reader;
	struct session session; /* of the report, for times */
	char url[96];
	uint64_t now_ns, last_scrape_ns;
	uint64_t wanted_ns; /* when numbers of tasks were asked for last; 0: never */
	uint64_t wanted_gap_ns; /* since the time before; 0: there was none */
	uint64_t started_wall_ns;
};

/* The web's part of a configuration. 0, or a negative errno and why. */
int service_read_settings(struct web_settings *settings, const struct serve_config *config,
			  char why[YAML_ERROR_LEN]);
/* Others get in with a password only: -EPERM and why. */
int service_check_open(const struct service *service, const struct web_settings *settings,
		       const struct serve_config *config, char why[YAML_ERROR_LEN]);
/* With each tick: a line of what was held back. */
void service_tell_held(struct service *service, uint64_t now_ns);
/* All families of what the daemon itself is and does. */
/* NULL: it is ready; else why not. */
const char *service_not_ready(const struct service *service);
/* All families of the kernel half, whether it is ready among them. */
void service_write_kernel(const struct service *service, struct exposition *e);
/* All families of what the daemon itself is and does, with those. */
void service_write_self(const struct service *service, struct exposition *e);

#endif
