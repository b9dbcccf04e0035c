/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What libbpf has to say goes where our own messages go, if anybody wants to know. */
#include <bpf/libbpf.h>
#include <string.h>

#include "log.h"
#include "probes.h"

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];

	if (log_get_level() < LOG_DEBUG || level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

void probes_quiet_libbpf(void)
{
	libbpf_set_print(libbpf_print);
}
