/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The capabilities that loophound has a use for: what each is for, what is lost without it, who has
 * it. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum privilege_need {
	PRIVILEGE_NEEDED, /* nothing can be watched without */
	PRIVILEGE_USED,	  /* some things cannot */
	PRIVILEGE_RARE,	  /* a kernel may ask for it: doctor tries what does */
};

struct privilege {
	unsigned capability;
	const char *name, *use, *without;
	enum privilege_need need;
};

#define NR_PRIVILEGES 6
extern const struct privilege privileges[NR_PRIVILEGES];

/* A process's effective capabilities, a bit each. 0: none, or it is gone. */
uint64_t privileges_of(pid_t pid);
/* CAP_SYS_ADMIN stands for those that were a part of it once. */
bool privileges_have(uint64_t effective, const struct privilege *privilege);
/* Their names, with spaces between: those that are had, or those that are not and are no rare ones.
 */
#define PRIVILEGES_LEN 160
void privileges_list(uint64_t effective, bool is_had, char out[PRIVILEGES_LEN]);

#endif
