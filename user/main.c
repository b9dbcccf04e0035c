/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Picks a command and calls it. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "log.h"
#include "reader.h"

static const struct {
	const char *name;
	int (*run)(const struct opts *opts);
} commands[] = {
	{ "ps", cmd_ps },	  { "watch", cmd_watch }, { "record", cmd_record }, { "report", cmd_report },
	{ "run", cmd_run },	  { "doctor", cmd_doctor }, { "rules", cmd_rules },
};

int main(int argc, char **argv)
{
	struct opts opts;
	bool is_done;
	int code;

	/* The reader process is this executable again: see user/reader/client.c. */
	if (argc == 3 && !strcmp(argv[1], "__reader"))
		return reader_main(atoi(argv[2]));
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help") || !strcmp(argv[1], "-h")) {
		opts_print_overview();
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("loophound %s\n", LOOPHOUND_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, argv[1]))
			continue;
		code = opts_parse(&opts, argc - 1, argv + 1, &is_done);
		return code || is_done ? code : commands[i].run(&opts);
	}
	log_write(LOG_ERR, "%s: no such command; `loophound --help` lists them", argv[1]);
	return EXIT_USAGE;
}
