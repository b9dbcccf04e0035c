/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* libseccomp, libcap-ng and setrlimit(), for all three processes. */
#include "sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "util.h"

#define CAPABILITIES_MAX 16
#define WRITES		 (O_ACCMODE | O_CREAT | O_TRUNC)

static int add_list(scmp_filter_ctx filter, uint32_t action, const int *calls)
{
	int err = 0;

	for (; calls && *calls != SANDBOX_END && !err; calls++)
		err = seccomp_rule_add(filter, action, *calls, 0);
	return err;
}

/* Of the argument that holds flags, none of these. */
static int allow_without(scmp_filter_ctx filter, int call, unsigned argument, unsigned long flags)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				(struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, flags, 0 });
}

static int add_memory(scmp_filter_ctx filter, const struct sandbox_calls *calls)
{
	unsigned long run = calls->is_memory_run ? 0 : PROT_EXEC;
	unsigned long shared =
		calls->is_memory_shared ? 0 : MAP_SHARED; /* ..._VALIDATE has its bit */
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				   SCMP_A2(SCMP_CMP_MASKED_EQ, run, 0),
				   SCMP_A3(SCMP_CMP_MASKED_EQ, shared, 0));

	return err ? err : allow_without(filter, SCMP_SYS(mprotect), 2, run);
}

static int add_files(scmp_filter_ctx filter, const struct sandbox_calls *calls)
{
	int err = 0;

	if (calls->is_open_read_only) {
		err = allow_without(filter, SCMP_SYS(openat), 2, WRITES);
		if (!err)
			err = allow_without(filter, SCMP_SYS(open), 1, WRITES);
	}
	if (!err && calls->is_write_to_stderr) {
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				       SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0));
		if (!err)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(close), 1,
					       SCMP_A0(SCMP_CMP_GT, STDERR_FILENO, 0));
	}
	return err;
}

static int add_rules(scmp_filter_ctx filter, const struct sandbox_calls *calls)
{
	int err = add_list(filter, SCMP_ACT_KILL_PROCESS, calls->killed);

	if (!err)
		err = add_list(filter, SCMP_ACT_ERRNO(EACCES), calls->refused);
	if (!err)
		err = add_list(filter, SCMP_ACT_ALLOW, calls->allowed);
	if (!err)
		err = add_memory(filter, calls);
	return err ? err : add_files(filter, calls);
}

int sandbox_filter_calls(const struct sandbox_calls *calls)
{
	scmp_filter_ctx filter;
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (SANDBOX_IS_SANITIZED)
		return 0;
	filter =
		seccomp_init(calls->is_rest_killed ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return -ENOMEM;
	err = add_rules(filter, calls);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

int sandbox_keep_capabilities(const unsigned *kept, unsigned nr)
{
	bool has[CAPABILITIES_MAX], can_bound;

	if (nr > CAPABILITIES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < nr; i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	can_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned i = 0; i < nr; i++) {
		capng_type_t sets =
			CAPNG_EFFECTIVE | CAPNG_PERMITTED | (can_bound ? CAPNG_BOUNDING_SET : 0);

		if (has[i] && capng_update(CAPNG_ADD, sets, kept[i]))
			return -EPERM;
	}
	/* The bounding set needs a capability of its own; without it no_new_privs has to do. */
	if (can_bound && capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int sandbox_limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit bound = { .rlim_cur = value, .rlim_max = value }, old;

	if (getrlimit(resource, &old) < 0)
		return -errno;
	if (old.rlim_max < value)
		return 0;
	return setrlimit(resource, &bound) < 0 ? -errno : 0;
}
