/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The subcommands; each returns the process's exit code. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "engine.h"
#include "opts.h"

int cmd_ps(const struct opts *opts);
int cmd_watch(const struct opts *opts);
int cmd_record(const struct opts *opts);
int cmd_report(const struct opts *opts);
int cmd_run(const struct opts *opts);
int cmd_doctor(const struct opts *opts);
int cmd_rules(const struct opts *opts);
int cmd_serve(int argc, char **argv); /* it has options of its own */

/* Follows the processes that the options search for. An exit code. */
int watch_search(struct engine *engine, const struct opts *opts);
/* Says how many of nr processes are not watched, if any, and why the last of them is not; prefix is before it. */
void watch_tell_refused(const char *prefix, unsigned nr_refused, unsigned nr, int err);

#endif
