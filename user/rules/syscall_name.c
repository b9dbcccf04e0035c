/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* System call numbers to names, from a table that scripts/syscall_table.sh makes at build time. */
#include "rules.h"
#include "util.h"

static const char *const names[] = {
#include "syscall_table.h"
};

const char *syscall_name(int nr)
{
	if (nr < 0 || (size_t)nr >= ARRAY_SIZE(names))
		return NULL;
	return names[nr];
}
