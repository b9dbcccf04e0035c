/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "opts.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "log.h"
#include "option_error.h"
#include "report.h"
#include "timetext.h"

enum {
	KEY_NAME = 256, KEY_ALL, KEY_FORMAT, KEY_LIMIT, KEY_RULE, KEY_NO_RULE, KEY_ALLOW, KEY_FAIL_ON,
	KEY_RECORD, KEY_BOUNDARY, KEY_LIBRARY, KEY_CGROUP, KEY_LATENT, KEY_LIVE, KEY_SORT,
};

/* What each subcommand takes besides the common options. */
enum { TAKES_TARGET = 1, TAKES_ARGS = 2, TAKES_PROGRAM = 4, TAKES_NOTHING = 8 };

/* Names of options. */
#define OF_TARGET " pid name cgroup all "
#define OF_RULES  " limit rule no-rule allow library fail-on "
#define OF_WATCH  " duration latent boundary " OF_RULES
#define OF_REPORT " format output "

struct command_doc {
	const char *name, *args, *doc, *long_doc;
	int takes;
	const char *options; /* besides those of all */
};

static const struct command_doc command_docs[] = {
	{ "ps", "", "Python processes, their version, loops, probes", "", TAKES_TARGET,
	  OF_TARGET " format boundary live sort " },
	{ "watch", "", "breaches as they happen",
	  "\vTarget: -p PID, --name GLOB, --cgroup PATH or --all; children of a target are followed. Ctrl-C ends the "
	  "watch and prints the summary.", TAKES_TARGET, OF_TARGET OF_WATCH OF_REPORT " record " },
	{ "record", "-o FILE", "keep the raw events for later",
	  "\vThe file answers `loophound report FILE` on any machine, without root.", TAKES_TARGET,
	  OF_TARGET OF_WATCH " output " },
	{ "report", "FILE", "the same answers from a recording", "", TAKES_ARGS, OF_RULES OF_REPORT },
	{ "run", "-- PROGRAM [ARGUMENT...]", "start a program under observation",
	  "\vIts exit code is passed on; 3 if a breach named by --fail-on happened.", TAKES_PROGRAM,
	  OF_WATCH OF_REPORT " record " },
	{ "doctor", "", "what this kernel, user and process allow", "", TAKES_TARGET, " pid " },
	{ "rules", "[RULE]", "every rule, its limit, evidence, advice", "", TAKES_ARGS, "" },
};

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "watch this process (repeatable)", 1 },
	{ "name", KEY_NAME, "GLOB", 0, "watch processes whose name or script matches", 1 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "watch processes in this cgroup and below", 1 },
	{ "all", KEY_ALL, NULL, 0, "watch all Python processes", 1 },
	{ "duration", 'd', "SECONDS", 0, "end after this long (default: Ctrl-C, or all targets ended)", 2 },
	{ "format", KEY_FORMAT, "text|jsonl", 0, "form of the report (default: text)", 2 },
	{ "output", 'o', "FILE", 0, "write there instead of standard output", 2 },
	{ "record", KEY_RECORD, "FILE", 0, "keep the raw events as well", 2 },
	{ "limit", KEY_LIMIT, "RULE[@DESTINATION]=LIMIT", 0,
	  "from which on a rule is broken: 20ms, 0.5s, a bare number of milliseconds; or connections", 3 },
	{ "rule", KEY_RULE, "RULE[,RULE]", 0, "only these rules", 3 },
	{ "no-rule", KEY_NO_RULE, "RULE[,RULE]", 0, "without these rules", 3 },
	{ "allow", KEY_ALLOW, "FILE:FUNCTION", 0, "say nothing of this site (repeatable)", 3 },
	{ "library", KEY_LIBRARY, "PATH", 0, "count files below PATH as library code (repeatable)", 3 },
	{ "latent", KEY_LATENT, NULL, 0, "blocking calls that were quick, too; every call of the host pays", 3 },
	{ "fail-on", KEY_FAIL_ON, "RULE[,RULE]|any", 0, "exit 3 if one of these was broken, or `latent` seen", 3 },
	{ "boundary", KEY_BOUNDARY, "auto|tracepoint|raw", 0, "how loop boundaries are seen (default: auto)", 4 },
	{ "live", KEY_LIVE, "SECONDS", OPTION_ARG_OPTIONAL, "watch for a second, show how busy loops are", 4 },
	{ "sort", KEY_SORT, "pid|user|python|loops|busy|where|connections", 0,
	  "order (default: pid; busy with --live)", 4 },
	{ "verbose", 'v', NULL, 0, "whole stacks; twice: what the kernel says", 4 },
	{ 0 },
};

struct parse_state {
	struct opts *opts;
	const struct command_doc *doc;
	bool has_rule_option;
	int nr_verbose;
	int exit_code;
};

static int usage(struct parse_state *state, const char *fmt, ...) printf_like(2, 3);
static int usage(struct parse_state *state, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_write(LOG_ERR, "%s", line);
	state->exit_code = EXIT_USAGE;
	return EINVAL;
}

static int parse_pid(struct parse_state *state, const char *arg)
{
	struct opts *opts = state->opts;
	char *end;
	long pid;

	errno = 0;
	pid = strtol(arg, &end, 10);
	if (errno || *end || end == arg || pid <= 0 || pid > 4194304)
		return usage(state, "-p %s: not a process number; `loophound ps` lists them", arg);
	if (opts->nr_pids == OPTS_MAX_PIDS)
		return usage(state, "-p %s: more than %d processes; use --name or --all", arg,
			     OPTS_MAX_PIDS);
	opts->pids[opts->nr_pids++] = (pid_t)pid;
	return 0;
}

static int parse_duration(struct parse_state *state, const char *arg)
{
	double ns;

	if (!timetext_ns(arg, NSEC_PER_SEC, &ns))
		return usage(state, "-d %s: not a time above 0; 10 and 10s are ten seconds", arg);
	state->opts->duration_s = ns / NSEC_PER_SEC;
	return 0;
}

static int parse_live(struct parse_state *state, const char *arg)
{
	double ns = NSEC_PER_SEC;

	if (arg && !timetext_ns(arg, NSEC_PER_SEC, &ns))
		return usage(state, "--live=%s: not a time above 0; 2 and 2s are two seconds", arg);
	state->opts->live_s = ns / NSEC_PER_SEC;
	return 0;
}

static int unknown_rule(struct parse_state *state, const char *option, const char *rule)
{
	return usage(state, "%s %s: no such rule; `loophound rules` lists them", option, rule);
}

/* The limit of a rule in its own unit. */
static int parse_limit_value(struct parse_state *state, const char *arg, enum rule_id id, const char *value,
			     uint64_t *out)
{
	char *end;
	double ns;

	if (rules[id].unit != RULE_UNIT_NS) {
		errno = 0;
		*out = strtoull(value, &end, 10);
		if (errno || end == value || *end || !*out || *out > UINT32_MAX || !isdigit((unsigned char)*value))
			return usage(state, "--limit %s: %s is not a number of %s above 0", arg,
				     *value ? value : "nothing", rules_unit_name(rules[id].unit));
		return 0;
	}
	if (!timetext_ns(value, NSEC_PER_MSEC, &ns))
		return usage(state, "--limit %s: %s is not a time above 0; 20 and 20ms are the same", arg,
			     *value ? value : "nothing");
	*out = (uint64_t)ns;
	return 0;
}

static int parse_destination_limit(struct parse_state *state, const char *arg, enum rule_id id,
				   const char *destination, uint64_t limit)
{
	struct rules_config *config = &state->opts->rules;

	if (!rules_is_about_connections(id))
		return usage(state, "--limit %s: %s has no limits of single destinations", arg, rules[id].id);
	if (config->nr_destinations == RULES_MAX_DESTINATIONS)
		return usage(state, "--limit %s: more than %d limits of single destinations", arg,
			     RULES_MAX_DESTINATIONS);
	if (!rules_parse_peer(destination, &config->destinations[config->nr_destinations].peer))
		return usage(state,
			     "--limit %s: %s is no destination; 10.0.0.5:5432, [::1]:80, /run/x.sock and @name are",
			     arg, destination);
	config->destinations[config->nr_destinations].rule = id;
	config->destinations[config->nr_destinations++].limit = limit;
	return 0;
}

/* "RULE=LIMIT", or "RULE@DESTINATION=LIMIT"; a path may have a "=" too, so the last one counts. */
static int parse_limit(struct parse_state *state, const char *arg)
{
	const char *equals = strrchr(arg, '=');
	cleanup_free char *rule = strdup(arg);
	char *destination;
	enum rule_id id;
	uint64_t limit = 0;
	int err;

	if (!rule)
		return ENOMEM;
	if (!equals)
		return usage(state, "--limit %s: expected RULE=LIMIT, as in blocking-call=20ms", arg);
	rule[equals - arg] = '\0';
	destination = strchr(rule, '@');
	if (destination)
		*destination++ = '\0';
	if (rules_find(rule, &id))
		return unknown_rule(state, "--limit", rule);
	err = parse_limit_value(state, arg, id, equals + 1, &limit);
	if (err)
		return err;
	if (destination)
		return parse_destination_limit(state, arg, id, destination, limit);
	state->opts->rules.limit_ns[id] = limit;
	return 0;
}

static int parse_rules(struct parse_state *state, const char *option, const char *arg, bool *set,
		       bool value)
{
	cleanup_free char *list = strdup(arg);
	char *rest = list, *rule;
	enum rule_id id;

	if (!list)
		return ENOMEM;
	while ((rule = strsep(&rest, ","))) {
		if (rules_find(rule, &id))
			return unknown_rule(state, option, rule);
		set[id] = value;
	}
	return 0;
}

static int parse_fail_on(struct parse_state *state, const char *arg)
{
	cleanup_free char *list = strdup(arg);
	char *rest = list, *word;
	enum rule_id id;

	if (!list)
		return ENOMEM;
	while (strcmp(arg, "any") && (word = strsep(&rest, ","))) {
		if (!strcmp(word, "latent"))
			state->opts->fails_on_latent = true;
		else if (rules_find(word, &id))
			return unknown_rule(state, "--fail-on", word);
		else
			state->opts->fails_on[id] = true;
	}
	if (strcmp(arg, "any"))
		return 0;
	for (unsigned i = 0; i < RULE_MAX; i++)
		state->opts->fails_on[i] = true;
	return 0;
}

static int parse_allow(struct parse_state *state, const char *arg)
{
	struct rules_config *config = &state->opts->rules;
	const char *colon = strrchr(arg, ':');

	if (!colon || colon == arg || !colon[1])
		return usage(state, "--allow %s: expected FILE:FUNCTION, as in app.py:handler", arg);
	if (config->nr_allow == RULES_MAX_ALLOW || strlen(arg) >= EV_PATH_LEN)
		return usage(state, "--allow %s: too long, or more than %d of them", arg,
			     RULES_MAX_ALLOW);
	snprintf(config->allow[config->nr_allow].file, EV_PATH_LEN, "%.*s", (int)(colon - arg), arg);
	snprintf(config->allow[config->nr_allow].function, EV_PATH_LEN, "%s", colon + 1);
	config->nr_allow++;
	return 0;
}

static int parse_library(struct parse_state *state, const char *arg)
{
	struct rules_config *config = &state->opts->rules;

	if (!*arg || config->nr_library == RULES_MAX_LIBRARY || strlen(arg) >= EV_PATH_LEN)
		return usage(state, "--library %s: empty, too long, or more than %d of them", arg,
			     RULES_MAX_LIBRARY);
	snprintf(config->library[config->nr_library++], EV_PATH_LEN, "%s", arg);
	return 0;
}

static int parse_cgroup(struct parse_state *state, const char *arg)
{
	if (*arg != '/')
		return usage(state, "--cgroup %s: expected a path from the root, as in /system.slice/app.service",
			     arg);
	state->opts->cgroup = arg;
	return 0;
}

static int parse_choice(struct parse_state *state, const char *option, const char *arg,
			const char *choices, const char **out)
{
	const char *found = strstr(choices, arg);
	size_t len = strlen(arg);

	if (!len || strchr(arg, '|') || !found || (found != choices && found[-1] != '|') ||
	    (found[len] && found[len] != '|'))
		return usage(state, "%s %s: expected %s", option, arg, choices);
	*out = arg;
	return 0;
}

static int parse_only_rule(struct parse_state *state, const char *arg)
{
	bool *is_enabled = state->opts->rules.is_enabled;

	if (!state->has_rule_option)
		memset(is_enabled, 0, RULE_MAX * sizeof(*is_enabled));
	state->has_rule_option = true;
	return parse_rules(state, "--rule", arg, is_enabled, true);
}

static int parse_argument(struct parse_state *state, struct argp_state *argp)
{
	struct opts *opts = state->opts;

	if (!(state->doc->takes & (TAKES_ARGS | TAKES_PROGRAM)))
		return usage(state, "%s %s: takes no argument; a process is named with -p PID",
			     state->doc->name, argp->argv[argp->next - 1]);
	opts->args = &argp->argv[argp->next - 1];
	opts->nr_args = argp->argc - (argp->next - 1);
	if ((state->doc->takes & TAKES_ARGS) && opts->nr_args > 1)
		return usage(state, "%s: one argument at most, not %d", state->doc->name, opts->nr_args);
	argp->next = argp->argc;
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *argp)
{
	struct parse_state *state = argp->input;
	struct opts *opts = state->opts;

	switch (key) {
	case 'p': return parse_pid(state, arg);
	case KEY_NAME: opts->name_glob = arg; return 0;
	case KEY_CGROUP: return parse_cgroup(state, arg);
	case KEY_ALL: opts->is_all = true; return 0;
	case 'd': return parse_duration(state, arg);
	case KEY_FORMAT: return parse_choice(state, "--format", arg, "text|jsonl", &opts->format);
	case 'o': opts->output = arg; return 0;
	case KEY_RECORD: opts->record_to = arg; return 0;
	case KEY_LIMIT: return parse_limit(state, arg);
	case KEY_RULE: return parse_only_rule(state, arg);
	case KEY_NO_RULE: return parse_rules(state, "--no-rule", arg, opts->rules.is_enabled, false);
	case KEY_ALLOW: return parse_allow(state, arg);
	case KEY_LIBRARY: return parse_library(state, arg);
	case KEY_FAIL_ON: return parse_fail_on(state, arg);
	case KEY_LATENT: opts->is_latent = true; return 0;
	case KEY_BOUNDARY:
		return parse_choice(state, "--boundary", arg, "auto|tracepoint|raw", &opts->boundary);
	case KEY_LIVE: return parse_live(state, arg);
	case KEY_SORT:
		return parse_choice(state, "--sort", arg, "pid|user|python|loops|busy|where|connections", &opts->sort);
	case 'v': state->nr_verbose++; return 0;
	case ARGP_KEY_ARG: return parse_argument(state, argp);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct command_doc *find_doc(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(command_docs); i++)
		if (!strcmp(command_docs[i].name, name))
			return &command_docs[i];
	return NULL;
}

/* Those that the command takes, in a table that ends as that of all does. */
static void choose_options(const struct command_doc *of, struct argp_option chosen[ARRAY_SIZE(options)])
{
	char word[32];

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		snprintf(word, sizeof(word), " %s ", options[i].name ? options[i].name : "");
		if (!options[i].name || options[i].key == 'v' || strstr(of->options, word))
			*chosen++ = options[i];
	}
}

int opts_parse(struct opts *opts, int argc, char **argv, bool *is_done)
{
	struct parse_state state = { .opts = opts, .doc = find_doc(argv[0]) };
	struct argp_option chosen[ARRAY_SIZE(options)];
	char name[64], doc[512];
	struct argp argp = { chosen, parse_option, state.doc->args, doc, NULL, NULL, NULL };
	unsigned int flags;
	error_t err;

	choose_options(state.doc, chosen);
	memset(opts, 0, sizeof(*opts));
	opts->command = state.doc->name;
	opts->format = "text";
	opts->boundary = "auto";
	rules_config_init(&opts->rules);
	snprintf(name, sizeof(name), "loophound %s", argv[0]);
	snprintf(doc, sizeof(doc), "%s.%s", state.doc->doc, state.doc->long_doc);
	argv[0] = name;
	*is_done = false;
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (strcmp(argv[i], "--help") && strcmp(argv[i], "-?") && strcmp(argv[i], "--usage"))
			continue;
		if ((state.doc->takes & TAKES_PROGRAM) && argv[i][0] != '-')
			break; /* from here on it is the program's */
		*is_done = true;
	}
	if (*is_done)
		unsetenv("ARGP_HELP_FMT"); /* glibc writes blanks for ever for some of its values */
	program_invocation_short_name = name;
	/* In order: the options of `run`'s program are not ours. */
	flags = (state.doc->takes & TAKES_PROGRAM ? ARGP_IN_ORDER : 0) | (*is_done ? 0 : ARGP_NO_ERRS);
	err = argp_parse(&argp, argc, argv, flags | ARGP_NO_EXIT, NULL, &state);
	argv[0] = (char *)opts->command;
	if (*is_done)
		return EXIT_OK;
	if (err && !state.exit_code)
		return option_error_explain(opts->command, chosen, argc, argv);
	if (err)
		return EXIT_USAGE;
	opts->is_verbose = state.nr_verbose > 0;
	if (state.nr_verbose > 1)
		log_set_level(LOG_DEBUG);
	return EXIT_OK;
}

void opts_print_overview(void)
{
	printf("Usage: loophound COMMAND [OPTION...]\n\n"
	       "Finds what blocks the event loops of running Python programs, from the kernel.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(command_docs); i++)
		printf("  %-8s %s\n", command_docs[i].name, command_docs[i].doc);
	printf("  %-8s %s\n", "serve", "the service: all targets, for Prometheus and the log");
	printf("\n`loophound COMMAND --help` lists the options. Start with: loophound ps\n");
}
