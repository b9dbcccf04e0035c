/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which processes a service is about: a list of what they have to be, the first that fits decides.
 * Pure.
 *
 * Units, containers and pods are told by the names of cgroups, which whoever may make some chooses;
 * a process chooses its name and its executable.  So a selection says what is watched and how, and
 * gives no permission.
 */
#ifndef SELECTION_H
#define SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "place.h"

#define SELECTION_MAX 64

/* All that is given has to fit; empty: anything does. Globs are as of fnmatch(3); "*" takes a "/"
 * too. */
struct selector {
	bool is_excluded;
	char unit[EV_UNIT_LEN]; /* glob: unit of the system's systemd, "user@1000.service" too */
	char user_unit[EV_UNIT_LEN]; /* glob: unit of a user's own systemd */
	char container[72];	     /* glob, or the begin of an id or a name */
	char pod[EV_POD_LEN];	     /* likewise, of a pod's uid */
	char exe[EV_PATH_LEN];	  /* glob: path of the executable, as the process's root has it */
	char name[EV_PATH_LEN];	  /* glob: comm, or the last part of argv[0] or argv[1] */
	char cgroup[EV_PATH_LEN]; /* path with or without /sys/fs/cgroup before it: it and all below
				   */
};

struct selection {
	struct selector *selectors;
	unsigned nr; /* at most SELECTION_MAX; 0: all are selected, by none in particular */
};

#define SELECTION_ALL  (-1) /* by no selector, of a selection that has none */
#define SELECTION_NONE (-2) /* no selector is about it */
#define SELECTION_OUT  (-3) /* the one that is excludes it */
static inline bool selection_is_in(int number)
{
	return number >= SELECTION_ALL;
}

/* What is known of a process. */
struct process_facts {
	struct place place;
	const char *cgroups;   /* text of /proc/PID/cgroup */
	char exe[EV_PATH_LEN]; /* empty: not known */
	uint64_t names;	       /* of selection_names() */
};

/* Whose name fits, a bit each: those that ask for no name, too.  args as of find_has_name(). */
uint64_t selection_names(const struct selection *selection, const char *comm, const char *args,
			 size_t args_bytes);
/* The number of the selector, or SELECTION_*. */
int selection_match(const struct selection *selection, const struct process_facts *facts);
/* Whether it asks for something that changes when a process is moved to another cgroup. */
bool selection_has_places(const struct selection *selection);

#endif
