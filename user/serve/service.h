/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What makes a watch a service: sums for Prometheus, breaches to a sink, a web process that shows
 * both. */
#ifndef SERVICE_H
#define SERVICE_H

#include "config.h"
#include "report.h"

struct service;

/*
 * Opens what the configuration says: the listening socket (or the first that systemd passed), the
 * sink, the web process; the policies are those of the watch.  0, or a negative errno and one line
 * that says what and what to do.
 */
int service_open(struct service **out, const struct serve_config *config,
		 const struct policies *policies, char why[YAML_ERROR_LEN]);
void service_free(struct service *service);

/* Its report_opts.sink is the service. */
extern const struct reporter service_reporter;
struct metrics *service_metrics(struct service *service);
/* What is shown; from now on. The service is ready with it. */
void service_show(struct service *service, const struct model *model);
/* What is shown of the kernel half and the reader. NULL, NULL: they go. */
struct probes;
struct reader;
void service_show_kernel(struct service *service, const struct probes *probes,
			 const struct reader *reader);

/* "http://127.0.0.1:10911", as it is in truth: the port may have been left to the kernel. */
const char *service_url(const struct service *service);

/* "12 loops in 3 workers, 4 breaches, 0 lost", for `systemctl status`. */
void service_status(const struct service *service, char *out, size_t size);

/* Readable when the web process asks. */
int service_fd(const struct service *service);
void service_dispatch(struct service *service, uint64_t now_ns);
void service_tick(struct service *service, uint64_t now_ns);
/* As who asks once a minute, and misses a time. */
#define SERVICE_WATCHED_NS (180ULL * 1000000000ULL)
/*
 * How often numbers are wanted that are worth reading targets for, in ns: as often as somebody asks, within bounds.
 * 0: nobody has for SERVICE_WATCHED_NS.
 */
uint64_t service_wanted_every_ns(const struct service *service, uint64_t now_ns);

/*
 * Takes over what can change while it runs: sink, users, certificate.  0, or a negative errno and
 * why; then all is as it was.  Another address or bucket needs a restart, and is said so.  Who is
 * watched, and by which rules, is the watch's affair.
 */
int service_reload(struct service *service, const struct serve_config *config,
		   char why[YAML_ERROR_LEN]);

#endif
