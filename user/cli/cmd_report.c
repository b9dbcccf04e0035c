/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `report`: the answers of a watch again, from its recording, on any machine. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "commands.h"
#include "log.h"
#include "report.h"
#include "stream.h"
#include "terminal.h"

static int explain_open(const char *path, int err)
{
	switch (err) {
	case -EPROTO:
		return log_err(EXIT_FAILED, "%s: not a recording of loophound", path);
	case -EPROTONOSUPPORT:
		return log_err(EXIT_FAILED, "%s: recorded by another version of loophound; use that one",
			       path);
	case -ENODATA:
		return log_err(EXIT_FAILED, "%s: the recording is cut within its header", path);
	}
	return log_err(EXIT_FAILED, "%s: %s", path, strerror(-err));
}

/* Feeds all records. 0, or the error of the output; what is wrong with the file is told and survived. */
static int feed(struct pipeline *pipeline, struct recording_reader *reader, const char *path,
		bool *is_damaged)
{
	const void *record;
	bool is_ended = false;
	size_t size;
	int got, err;

	while ((got = recording_next(reader, &record, &size)) == 1) {
		err = pipeline_add(pipeline, record, size);
		is_ended = !err && ((const struct ev_head *)record)->type == EV_END;
		if (err == -EBADMSG) {
			*is_damaged = true; /* counted; the next record may be good */
			continue;
		}
		if (err)
			return err;
	}
	if (!got && !is_ended)
		got = -ENODATA; /* its writer was killed, or it was cut between two records */
	if (got) {
		log_write(LOG_ERR, "%s: the recording is %s at byte %llu; what came before it is reported",
			  path, got == -ENODATA ? "cut" : "corrupt",
			  (unsigned long long)recording_offset(reader));
		*is_damaged = true;
	}
	return 0;
}

static bool has_breach(const struct opts *opts, const struct pipeline *pipeline)
{
	for (unsigned i = 0; i < RULE_MAX; i++)
		if (opts->fails_on[i] && pipeline_breaches(pipeline, i))
			return true;
	return opts->fails_on_latent && pipeline_latent(pipeline);
}

static int report(const struct opts *opts, struct recording_reader *reader, FILE *out,
		  const struct session *session)
{
	struct report_opts report_opts = { .out = out, .session = *session, .rules = &opts->rules,
					   .is_verbose = opts->is_verbose };
	struct ev_end end = { .head = { EV_END, sizeof(end), 0, 0, EV_NO_LOOP } };
	struct pipeline *pipeline;
	bool is_damaged = false;
	int err;

	terminal_describe(out, &report_opts);
	err = pipeline_new(&pipeline, reporter_find(opts->format), &report_opts);
	if (err)
		return log_err(EXIT_FAILED, "cannot write the report: %s", strerror(-err));
	err = feed(pipeline, reader, opts->args[0], &is_damaged);
	if (!err && is_damaged) {
		/* A whole recording ends with its own EV_END. */
		end.head.ts_ns = model_now_ns(pipeline_model(pipeline));
		err = pipeline_add(pipeline, &end, sizeof(end));
	}
	if (!err)
		err = pipeline_finish(pipeline);
	if (!err && (fflush(out) || ferror(out)))
		err = -errno;
	if (err && err != -EPIPE)
		log_write(LOG_ERR, "cannot write the report: %s", strerror(-err));
	is_damaged = is_damaged || err;
	err = !is_damaged && has_breach(opts, pipeline) ? EXIT_BREACH : EXIT_OK;
	pipeline_free(pipeline);
	return is_damaged ? EXIT_FAILED : err;
}

int cmd_report(const struct opts *opts)
{
	cleanup_fclose FILE *file = NULL;
	struct recording_reader *reader;
	struct session session;
	int err;

	if (!opts->nr_args)
		return log_err(EXIT_USAGE, "report: which recording? loophound report FILE");
	signal(SIGPIPE, SIG_IGN);
	err = recording_open(&reader, opts->args[0], &session);
	if (err)
		return explain_open(opts->args[0], err);
	if (opts->output && strcmp(opts->output, "-")) {
		file = fopen(opts->output, "we");
		if (!file)
			err = log_err(EXIT_FAILED, "-o %s: %s", opts->output, strerror(errno));
	}
	if (!err)
		err = report(opts, reader, file ? file : stdout, &session);
	recording_reader_free(reader);
	return err;
}
