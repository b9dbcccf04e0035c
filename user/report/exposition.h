/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The text that Prometheus scrapes: metric families and their samples, in its text format 0.0.4 or
 *in OpenMetrics 1.0.  Pure.  Whatever a target chose (label values) leaves as valid UTF-8, escaped.
 *
 *	exposition_family(&e, "loop_busy_seconds", EXPOSITION_COUNTER, "Time in iterations.");
 *	exposition_sample(&e, NULL);
 *	exposition_label(&e, "process", process);
 *	exposition_seconds(&e, busy_ns);
 */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* The Content-Type that belongs to a format. */
const char *exposition_content_type(enum exposition_format format);

enum exposition_type {
	EXPOSITION_COUNTER,
	EXPOSITION_GAUGE,
	EXPOSITION_HISTOGRAM,
	EXPOSITION_INFO
};

#define EXPOSITION_FAMILY_LEN 96
#define EXPOSITION_KEPT_LEN   512

struct exposition {
	FILE *out;
	enum exposition_format format;
	enum exposition_type type; /* of the family under way */
	char family[EXPOSITION_FAMILY_LEN];
	bool has_label; /* of the sample under way */
	char buffer[16384]; /* on its way to out, to which nobody else writes before exposition_end() */
	size_t nr_buffered, labels_at;
	char kept[EXPOSITION_KEPT_LEN]; /* labels that the samples of one thing begin with */
	size_t nr_kept;
	const void *kept_of;
};

/*
 * Begins a family.  The prefix "loophound_" is added but to names that begin with "process_", and a
 * counter's "_total" or an information's "_info" where the format wants it: name has neither.
 */
void exposition_family(struct exposition *e, const char *name, enum exposition_type type,
		       const char *help);
/* Begins a sample. suffix: of a histogram's part, as "_bucket"; else NULL. */
void exposition_sample(struct exposition *e, const char *suffix);
/*
 * Begins one of a thing that has several in a row, which begin with the same labels.  False: it is the first one, and
 * exposition_keep() comes behind those labels, which take EXPOSITION_KEPT_LEN bytes at most.
 */
bool exposition_sample_of(struct exposition *e, const char *suffix, const void *of);
void exposition_keep(struct exposition *e, const void *of);
/* Its labels, each once; value need not be UTF-8 and is never NULL. */
void exposition_label(struct exposition *e, const char *name, const char *value);
void exposition_label_u64(struct exposition *e, const char *name, uint64_t value);
void exposition_label_seconds(struct exposition *e, const char *name, uint64_t ns);
/* Ends it with its value: a number, nanoseconds written as seconds to the last digit, or a ratio.
 */
void exposition_u64(struct exposition *e, uint64_t value);
void exposition_seconds(struct exposition *e, uint64_t ns);
void exposition_double(struct exposition *e, double value);
/* Ends the whole, and only then all of it is in out. */
void exposition_end(struct exposition *e);

#endif
