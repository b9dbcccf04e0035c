/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef LOOPHOUND_OPTION_ERROR_H
#define LOOPHOUND_OPTION_ERROR_H

#include <argp.h>

/*
 * Says in one line which option of argv argp refused, and why: argp itself tells only how far it came,
 * which is past the culprit.  `options` is argp's table, `command` the subcommand's name; argv[0] is
 * not looked at.  Returns EXIT_USAGE.
 */
int option_error_explain(const char *command, const struct argp_option *options, int argc, char **argv);

#endif
