/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What libbpf has to say goes where our own messages go, if anybody wants to know. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "probes.h"
#include "util.h"

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	cleanup_free char *said = NULL;
	char *rest;

	if (log_get_level() < LOG_DEBUG || level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&said, fmt, ap) < 0) {
		said = NULL;
		return 0;
	}
	rest = said; /* the verifier's reasons are many lines */
	for (const char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		if (line[0])
			log_debug("%s", line);
	return 0;
}

void probes_quiet_libbpf(void)
{
	libbpf_set_print(libbpf_print);
}
