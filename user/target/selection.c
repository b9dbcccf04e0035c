/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "selection.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "find.h"

static bool fits_glob(const char *glob, const char *text)
{
	return !glob[0] || (text[0] && !fnmatch(glob, text, 0));
}

/* A glob, or how it begins. */
static bool fits_begin(const char *wanted, const char *text)
{
	if (!wanted[0])
		return true;
	if (strpbrk(wanted, "*?["))
		return fits_glob(wanted, text);
	return !strncmp(text, wanted, strlen(wanted));
}

/* Of the system's systemd; of what a user's own runs, that user's manager. */
static bool fits_unit(const char *glob, const struct place *place)
{
	char manager[32] = "";

	if (!glob[0])
		return true;
	if (place->manager_uid == EV_NO_UID)
		return fits_glob(glob, place->unit);
	snprintf(manager, sizeof(manager), "user@%u.service", place->manager_uid);
	return fits_glob(glob, manager);
}

static bool fits_user_unit(const char *glob, const struct place *place)
{
	return !glob[0] || (place->manager_uid != EV_NO_UID && fits_glob(glob, place->unit));
}

static bool fits(const struct selector *selector, const struct process_facts *facts)
{
	const struct place *place = &facts->place;

	return fits_unit(selector->unit, place) && fits_user_unit(selector->user_unit, place) &&
	       fits_begin(selector->container, place->container) &&
	       fits_begin(selector->pod, place->pod) && fits_glob(selector->exe, facts->exe) &&
	       (!selector->cgroup[0] || find_text_has_cgroup(facts->cgroups, selector->cgroup));
}

uint64_t selection_names(const struct selection *selection, const char *comm, const char *args,
			 size_t args_bytes)
{
	uint64_t names = 0;

	for (unsigned i = 0; i < selection->nr; i++) {
		const char *name = selection->selectors[i].name;

		if (find_has_name(name[0] ? name : NULL, comm, args, args_bytes))
			names |= 1ULL << i;
	}
	return names;
}

int selection_match(const struct selection *selection, const struct process_facts *facts)
{
	if (!selection->nr)
		return SELECTION_ALL;
	for (unsigned i = 0; i < selection->nr; i++)
		if ((facts->names & 1ULL << i) && fits(&selection->selectors[i], facts))
			return selection->selectors[i].is_excluded ? SELECTION_OUT : (int)i;
	return SELECTION_NONE;
}

bool selection_has_places(const struct selection *selection)
{
	for (unsigned i = 0; i < selection->nr; i++) {
		const struct selector *selector = &selection->selectors[i];

		if (selector->unit[0] || selector->user_unit[0] || selector->container[0] ||
		    selector->pod[0] || selector->cgroup[0])
			return true;
	}
	return false;
}
