/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The command line as data: what every subcommand was asked.  Parsing has no side effect but messages. */
#ifndef OPTS_H
#define OPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rules.h"

/* DESIGN: the exit codes of loophound. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_BREACH = 3,
	EXIT_HOST = 4,
	EXIT_INTERRUPTED = 130,
};

#define OPTS_MAX_PIDS 256

struct reporter;
struct engine_service;

struct opts {
	const char *command;
	pid_t pids[OPTS_MAX_PIDS];
	unsigned nr_pids;
	const char *name_glob, *cgroup;
	bool is_all;
	double duration_s;	/* 0: until interrupted or all targets ended */
	const char *format;	/* "text", "jsonl" */
	const char *output;	/* NULL: standard output */
	const char *record_to;	/* NULL: nowhere */
	const char *boundary;	/* "auto", "tracepoint", "raw" */
	struct rules_config rules;
	bool is_latent;
	bool fails_on[RULE_MAX], fails_on_latent;
	bool is_verbose;
	double live_s;	  /* ps: 0: not asked for */
	const char *sort; /* ps: NULL: by what is asked for */
	bool is_without_uprobes; /* see probes_config */
	const struct reporter *reporter; /* NULL: the one of format */
	/* What follows the options: a file, a rule, or the program to run. */
	char **args;
	int nr_args;
	const struct engine_service *service; /* of `serve`; else NULL */
};

/*
 * Parses argv of a subcommand (argv[0] is its name).  0, or the exit code to end with: EXIT_OK after
 * --help, EXIT_USAGE after one line that names the option, the value and the remedy.
 */
int opts_parse(struct opts *opts, int argc, char **argv, bool *is_done);

/* Whether processes are looked for, and not only named. */
static inline bool opts_is_search(const struct opts *opts)
{
	return opts->name_glob || opts->cgroup || opts->is_all;
}

/* Prints the overview of all subcommands. */
void opts_print_overview(void);

#endif
