/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What /proc/PID says about a process, without touching its memory: identity, names, user.
 * The parsers are pure over a buffer; names in it are the target's to choose.
 */
#ifndef PROCINFO_H
#define PROCINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCINFO_COMM_LEN 16

struct procinfo_stat {
	uint64_t start_ticks; /* field 22, since boot: tells two lives of one number apart */
	uint32_t flags;	      /* field 9, PF_* */
	char state;
	char comm[PROCINFO_COMM_LEN];
};

/*
 * Opens the directory /proc/PID; through it every read is of this very process or fails with
 * -ESRCH.
 */
int procinfo_open(pid_t pid);
/*
 * Reads at most max_bytes of a file in it (or of any, by an absolute path); *text is the caller's, with a
 * NUL behind the bytes.
 */
int procinfo_read(int proc_fd, const char *name, size_t max_bytes, char **text, size_t *bytes);

int procinfo_parse_stat(const char *text, size_t bytes, struct procinfo_stat *stat);
/* The number in the innermost PID namespace, 0: not said. */
uint32_t procinfo_parse_nspid(const char *text, size_t bytes);
/* One of the numbers in a line of status, "\nUid:" with index 1 being the effective one. False: it is not there. */
bool procinfo_parse_number(const char *text, size_t bytes, const char *name, unsigned index,
			   uint32_t *value);

int procinfo_stat(int proc_fd, struct procinfo_stat *stat);
/* Of who has the number now. */
int procinfo_stat_of(pid_t pid, struct procinfo_stat *stat);
/* By its flag: no exe and no command line would say it of a process that is about to end, too. */
bool procinfo_is_kernel_thread(const struct procinfo_stat *stat);

#endif
