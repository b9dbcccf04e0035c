/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The command line of `loophound serve`: its file first, then the flags, which override it. */
#ifndef SERVE_OPTS_H
#define SERVE_OPTS_H

#include "config.h"

struct serve_opts {
	char file[PATH_MAX]; /* -c; empty: none */
	bool is_check;	     /* --check-config: say whether it is right, and end */
	struct serve_config config;
	int argc; /* of the command line, for reading both again at a reload */
	char **argv;
};

/* As opts_parse(). */
int serve_opts_parse(struct serve_opts *opts, int argc, char **argv, bool *is_done);
/* Reads the file again, and the same flags over it. 0, or a negative errno and why. */
int serve_opts_reload(const struct serve_opts *opts, struct serve_config *config,
		      char why[YAML_ERROR_LEN]);

#endif
