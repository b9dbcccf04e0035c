/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "option_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "opts.h"

struct refusal {
	const char *command;
	char option[64]; /* as it was written, without a value */
};

static int no_such_option(const struct refusal *of)
{
	return log_err(EXIT_USAGE, "%s %s: no such option; `loophound %s --help` lists them", of->command, of->option,
		       of->command);
}

static int argument_is_missing(const struct refusal *of, const struct argp_option *option)
{
	return log_err(EXIT_USAGE, "%s %s: the argument %s is missing", of->command, of->option, option->arg);
}

static bool is_argument_needed(const struct argp_option *option)
{
	return option->arg && !(option->flags & OPTION_ARG_OPTIONAL);
}

static const struct argp_option *find_short(const struct argp_option *options, char key)
{
	for (const struct argp_option *option = options; option->name; option++)
		if (option->key == key)
			return option;
	return NULL;
}

/* By its whole name or by a beginning that only one has.  NULL: none has it, or several, which `names` then lists. */
static const struct argp_option *find_long(const struct argp_option *options, const char *name, size_t len,
					   char *names, size_t size)
{
	const struct argp_option *found = NULL;
	int nr_found = 0;
	size_t used = 0;

	*names = '\0';
	for (const struct argp_option *option = options; option->name; option++) {
		if (strncmp(option->name, name, len))
			continue;
		if (!option->name[len])
			return option;
		found = option;
		nr_found++;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s--%s", used ? ", " : "", option->name);
	}
	if (nr_found == 1)
		*names = '\0';
	return nr_found == 1 ? found : NULL;
}

/* "--name", "--name=value", "--name" "value": 0 if nothing is wrong with it. */
static int check_long(struct refusal *of, const struct argp_option *options, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	char names[256];
	const struct argp_option *option = find_long(options, arg + 2, len - 2, names, sizeof(names));

	snprintf(of->option, sizeof(of->option), "%.*s", (int)len, arg);
	if (!option && *names)
		return log_err(EXIT_USAGE, "%s %s: which one of %s?", of->command, of->option, names);
	if (!option)
		return no_such_option(of);
	if (equals && !option->arg)
		return log_err(EXIT_USAGE, "%s %s: takes no argument, but has %s", of->command, of->option,
			       equals[1] ? equals + 1 : "an empty one");
	if (!equals && is_argument_needed(option) && ++*i == argc)
		return argument_is_missing(of, option);
	return 0;
}

/* "-v", "-vv", "-pPID", "-p" "PID". */
static int check_short(struct refusal *of, const struct argp_option *options, int argc, char **argv, int *i)
{
	for (const char *key = argv[*i] + 1; *key; key++) {
		const struct argp_option *option = find_short(options, *key);

		snprintf(of->option, sizeof(of->option), "-%c", *key);
		if (!option)
			return no_such_option(of);
		if (!option->arg)
			continue;
		if (!key[1] && is_argument_needed(option) && ++*i == argc)
			return argument_is_missing(of, option);
		break; /* the rest is its argument */
	}
	return 0;
}

int option_error_explain(const char *command, const struct argp_option *options, int argc, char **argv)
{
	struct refusal of = { .command = command };

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		int code = 0;

		if (!strncmp(argv[i], "--", 2))
			code = check_long(&of, options, argc, argv, &i);
		else if (argv[i][0] == '-' && argv[i][1])
			code = check_short(&of, options, argc, argv, &i);
		if (code)
			return code;
	}
	snprintf(of.option, sizeof(of.option), "%s", "(options)");
	return no_such_option(&of);
}
