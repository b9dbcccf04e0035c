/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Processes have a number in our PID namespace, by which all of the daemon knows them, and one of
 * the kernel's own, which is the key of its half's tables.  In the host's namespace that is the
 * same, and nothing is looked up.
 */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>
#include <sys/types.h>

struct bpf_program;

struct numbers {
	int fd; /* of the kernel half's table of those in targets; -1: the numbers are the same */
	struct bpf_program *tell;
};

/* The kernel's number of a process that is or was in targets; 0: there was none of that number. */
uint32_t numbers_known(const struct numbers *numbers, pid_t pid);
/* Asks the kernel, whoever it is, and makes it known. 0: there is no such process. */
uint32_t numbers_find(const struct numbers *numbers, pid_t pid);
void numbers_forget(const struct numbers *numbers, pid_t pid);

#endif
