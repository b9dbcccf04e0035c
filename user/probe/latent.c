/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "latent.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "events.h"
#include "util.h"

#define QUIET_NS (2 * NSEC_PER_SEC)

/* Those that latent_class() of the kernel half knows. */
static const char *const calls[] = {
	"open", "creat", "openat", "openat2", "read", "pread64", "readv", "preadv", "preadv2", "write",
	"pwrite64", "writev", "pwritev", "pwritev2", "fsync", "fdatasync", "flock", "fcntl", "ftruncate",
	"getdents64", "sendfile64", "copy_file_range", "connect", "accept", "accept4", "sendto", "recvfrom",
	"sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "poll", "ppoll", "select", "pselect6", "nanosleep",
	"clock_nanosleep", "fork", "vfork", "clone", "clone3", "wait4", "waitid",
};
_Static_assert(ARRAY_SIZE(calls) <= LATENT_MAX_LINKS, "a link each");

int latent_attach(struct bpf_program *program, struct bpf_link *links[LATENT_MAX_LINKS])
{
	int nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		char tracepoint[64];
		struct bpf_link *link;

		snprintf(tracepoint, sizeof(tracepoint), "sys_exit_%s", calls[i]);
		link = bpf_program__attach_tracepoint(program, "syscalls", tracepoint);
		if (link)
			links[nr++] = link;
		else if (errno != ENOENT) /* a call that this kernel was built without */
			return -errno;
	}
	return nr ? nr : -ENOENT;
}

/* The maps' types; maps.bpf.h has the kernel half's view of them. */
struct latent_key {
	uint64_t stack_id;
	uint32_t loop_id;
	int32_t syscall;
	uint32_t object_kind, audit;
};
struct latent_site {
	uint64_t sent_ns, nr_unsent;
	struct ev_latent ev;
};

void latent_take_unsent(int map_fd, uint64_t now_ns, bool is_end, latent_record_fn on_record, void *ctx)
{
	struct latent_key key, next;
	struct latent_site site;
	bool has_next = !bpf_map_get_next_key(map_fd, NULL, &next);

	/* A key that is deleted would start the walk anew: the one after it is asked for first. */
	while (has_next) {
		key = next;
		has_next = !bpf_map_get_next_key(map_fd, &key, &next);
		if (bpf_map_lookup_elem(map_fd, &key, &site))
			continue;
		if (!is_end && site.ev.last_ns + QUIET_NS > now_ns)
			continue;
		if (bpf_map_lookup_and_delete_elem(map_fd, &key, &site) || !site.nr_unsent)
			continue;
		site.ev.count = (uint32_t)min(site.nr_unsent, (uint64_t)UINT32_MAX);
		site.ev.head.ts_ns = now_ns;
		on_record(ctx, &site.ev.head);
	}
}
