/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Picks a command and calls it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "child.h"
#include "commands.h"
#include "log.h"
#include "reader.h"
#include "web.h"

static const struct {
	const char *name;
	int (*run)(const struct opts *opts);
} commands[] = {
	{ "ps", cmd_ps },	  { "watch", cmd_watch }, { "record", cmd_record }, { "report", cmd_report },
	{ "run", cmd_run },	  { "doctor", cmd_doctor }, { "rules", cmd_rules },
};

/* Where a standard stream is closed, the next file would take its number, and messages would go into a recording. */
static void fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY); /* so that writing still fails */
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What was said is only said when it has been written. */
static int finish(int code)
{
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_OK)
		return log_err(EXIT_FAILED, "standard output: %s", strerror(errno));
	return code;
}

static int run_command(int argc, char **argv)
{
	struct opts opts;
	bool is_done;
	int code;

	if (!strcmp(argv[0], "serve"))
		return cmd_serve(argc, argv);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, argv[0]))
			continue;
		code = opts_parse(&opts, argc, argv, &is_done);
		return code || is_done ? code : commands[i].run(&opts);
	}
	return log_err(EXIT_USAGE, "%s: no such command; `loophound --help` lists them", argv[0]);
}

int main(int argc, char **argv)
{
	fill_standard_streams();
	/* The reader and the web process are this executable again: see user/reader/child.c. */
	if (argc == 3 && !strcmp(argv[1], CHILD_READER))
		return reader_main(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], CHILD_WEB))
		return web_main(atoi(argv[2]), CHILD_EXTRA_FD);
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help") || !strcmp(argv[1], "-h")) {
		opts_print_overview();
		return finish(argc < 2 ? EXIT_USAGE : EXIT_OK);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("loophound %s\n", LOOPHOUND_VERSION);
		return finish(EXIT_OK);
	}
	return finish(run_command(argc - 1, argv + 1));
}
