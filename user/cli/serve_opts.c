/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* argp twice over the same arguments: once for the file's name, once for what overrides the file. */
#include "serve_opts.h"

#include <argp.h>
#include <errno.h>
#include <string.h>

#include "option_error.h"
#include "opts.h"

enum {
	KEY_CHECK = 256, KEY_LISTEN, KEY_WEB_FILE, KEY_INSECURE, KEY_LEVEL, KEY_LOG_FORMAT, KEY_BREACHES,
};

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "read this configuration (YAML)", 1 },
	{ "check-config", KEY_CHECK, NULL, 0, "say whether the configuration is right, and end", 1 },
	{ "web.listen-address", KEY_LISTEN, "HOST:PORT", 0, "serve HTTP there (default: 127.0.0.1:10911)", 2 },
	{ "web.config.file", KEY_WEB_FILE, "FILE", 0,
	  "certificate and passwords, as Prometheus' exporters have them", 2 },
	{ "web.allow-insecure", KEY_INSECURE, NULL, 0, "let others in without a password", 2 },
	{ "log.level", KEY_LEVEL, "error|warn|info|debug", 0, "what is said on standard error (default: info)", 3 },
	{ "log.format", KEY_LOG_FORMAT, "logfmt|json", 0, "and how (default: logfmt)", 3 },
	{ "breaches.to", KEY_BREACHES, "stdout|journal|none|FILE", 0,
	  "JSON lines to standard output (default) or a file that is rotated, or entries of the journal", 3 },
	{ 0 },
};

struct parse {
	struct serve_opts *opts; /* NULL: flags over config, silently */
	struct serve_config *config;
	int exit_code;
};

static int refuse(struct parse *parse, const char *option, const char *value, const char *expected)
{
	parse->exit_code = log_err(EXIT_USAGE, "serve: %s %s: expected %s", option, value, expected);
	return EINVAL;
}

static int copy(struct parse *parse, const char *option, const char *value, char *out, size_t size)
{
	if (!*value || strlen(value) >= size)
		return refuse(parse, option, value, "a shorter value, and one at all");
	strcpy(out, value);
	return 0;
}

static int parse_breaches(struct parse *parse, const char *value)
{
	if (value[0] == '/') {
		parse->config->breaches.to = SINK_FILE;
		return copy(parse, "--breaches.to", value, parse->config->breaches.file, PATH_MAX);
	}
	if (serve_config_sink(value, &parse->config->breaches.to) || parse->config->breaches.to == SINK_FILE)
		return refuse(parse, "--breaches.to", value, "stdout, journal, none, or the absolute path of a file");
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *argp)
{
	struct parse *parse = argp->input;
	struct serve_config *config = parse->config;

	switch (key) {
	case 'c': return parse->opts ? copy(parse, "-c", arg, parse->opts->file, PATH_MAX) : 0;
	case KEY_CHECK:
		if (parse->opts)
			parse->opts->is_check = true;
		return 0;
	case KEY_LISTEN:
		return copy(parse, "--web.listen-address", arg, config->web.listen_address,
			    sizeof(config->web.listen_address));
	case KEY_WEB_FILE:
		return copy(parse, "--web.config.file", arg, config->web.config_file, PATH_MAX);
	case KEY_INSECURE: config->web.is_insecure_allowed = true; return 0;
	case KEY_LEVEL:
		return serve_config_level(arg, &config->log.level) ?
			       refuse(parse, "--log.level", arg, "error, warn, info or debug") : 0;
	case KEY_LOG_FORMAT:
		if (strcmp(arg, "logfmt") && strcmp(arg, "json"))
			return refuse(parse, "--log.format", arg, "logfmt or json");
		config->log.is_json = !strcmp(arg, "json");
		return 0;
	case KEY_BREACHES: return parse_breaches(parse, arg);
	case ARGP_KEY_ARG:
		return refuse(parse, "argument", arg, "none; the processes are those of the configuration");
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse_option, "",
	"The service: watches all Python processes of the host, for Prometheus and for the log."
	"\vSIGHUP reads the configuration again; SIGTERM ends it.",
	NULL, NULL, NULL,
};

static int parse_flags(struct parse *parse, int argc, char **argv, int flags)
{
	error_t err = argp_parse(&argp, argc, argv, flags | ARGP_NO_EXIT, NULL, parse);

	if (err && !parse->exit_code)
		parse->exit_code = option_error_explain("serve", options, argc, argv);
	return parse->exit_code;
}

int serve_opts_reload(const struct serve_opts *opts, struct serve_config *config,
		      char why[YAML_ERROR_LEN])
{
	struct parse parse = { .config = config };
	int err = 0;

	serve_config_init(config);
	if (opts->file[0])
		err = serve_config_read(config, opts->file, why);
	if (err)
		return err;
	(void)parse_flags(&parse, opts->argc, opts->argv, ARGP_NO_ERRS); /* they were right before */
	return serve_config_check(config, why);
}

int serve_opts_parse(struct serve_opts *opts, int argc, char **argv, bool *is_done)
{
	struct parse parse = { .opts = opts, .config = &opts->config };
	char why[YAML_ERROR_LEN];

	memset(opts, 0, sizeof(*opts));
	opts->argc = argc;
	opts->argv = argv;
	*is_done = false;
	argv[0] = (char *)"loophound serve";
	program_invocation_short_name = argv[0];
	for (int i = 1; i < argc; i++)
		*is_done |= !strcmp(argv[i], "--help") || !strcmp(argv[i], "-?") || !strcmp(argv[i], "--usage");
	if (*is_done) {
		unsetenv("ARGP_HELP_FMT"); /* glibc writes blanks for ever for some of its values */
		(void)parse_flags(&parse, argc, argv, 0);
		return EXIT_OK;
	}
	serve_config_init(&opts->config);
	if (parse_flags(&parse, argc, argv, ARGP_NO_ERRS))
		return parse.exit_code;
	serve_config_free(&opts->config);
	if (serve_opts_reload(opts, &opts->config, why))
		return log_err(EXIT_USAGE, "serve: %s", why);
	return EXIT_OK;
}
