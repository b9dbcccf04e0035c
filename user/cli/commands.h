/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The subcommands; each returns the process's exit code. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "opts.h"

int cmd_ps(const struct opts *opts);
int cmd_watch(const struct opts *opts);
int cmd_record(const struct opts *opts);
int cmd_report(const struct opts *opts);
int cmd_run(const struct opts *opts);
int cmd_doctor(const struct opts *opts);
int cmd_rules(const struct opts *opts);

#endif
