/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "privileges.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

const struct privilege privileges[NR_PRIVILEGES] = {
	{ CAP_BPF, "CAP_BPF", "loads the kernel half", "run as root, or grant it",
	  PRIVILEGE_NEEDED },
	{ CAP_PERFMON, "CAP_PERFMON", "attaches the kernel half", "run as root, or grant it",
	  PRIVILEGE_NEEDED },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
	  "reads memory of other users' processes; nothing is ever traced with it",
	  "processes of other users cannot be read", PRIVILEGE_NEEDED },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
	  "reads executables and libraries of other users' processes",
	  "the executables of other users' processes may be unreadable", PRIVILEGE_USED },
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE",
	  "opens files of a program that were replaced while it runs",
	  "a program whose files were replaced or deleted is read from its memory alone, without "
	  "its "
	  "probes",
	  PRIVILEGE_USED },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	  "attaches system-call tracepoints and probes where the kernel asks for it",
	  "only some kernels ask for it: see what attaches below", PRIVILEGE_RARE },
};

uint64_t privileges_of(pid_t pid)
{
	cleanup_fclose FILE *file = NULL;
	char path[32], line[256];
	uint64_t effective;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &effective) == 1)
			return effective;
	return 0;
}

bool privileges_have(uint64_t effective, const struct privilege *privilege)
{
	uint64_t wanted = 1ULL << privilege->capability;

	if (privilege->capability == CAP_BPF || privilege->capability == CAP_PERFMON ||
	    privilege->capability == CAP_CHECKPOINT_RESTORE)
		wanted |= 1ULL << CAP_SYS_ADMIN;
	return effective & wanted;
}

void privileges_list(uint64_t effective, bool is_had, char out[PRIVILEGES_LEN])
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < NR_PRIVILEGES; i++) {
		bool has = privileges_have(effective, &privileges[i]);

		if (has != is_had || (!has && privileges[i].need == PRIVILEGE_RARE))
			continue;
		used += (size_t)snprintf(out + used, PRIVILEGES_LEN - used, "%s%s", used ? " " : "",
					 privileges[i].name);
	}
}
