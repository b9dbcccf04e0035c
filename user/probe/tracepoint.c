/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tracepoint.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "util.h"

void tracepoints_open(struct tracepoints *tracepoints, unsigned max)
{
	/* Without the flag it would let go of them as soon as its descriptor is closed. */
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_PRESERVE_ELEMS);

	tracepoints->nr = 0;
	tracepoints->map_fd = bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, "tracepoints", sizeof(uint32_t),
					     sizeof(uint32_t), max, &opts);
}

/* Its number, or a negative errno. */
static int find_id(const char *name)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	cleanup_fclose FILE *file = NULL;
	char path[160];
	int id;

	for (size_t i = 0; !file && i < ARRAY_SIZE(roots); i++) {
		snprintf(path, sizeof(path), "%s/events/syscalls/%s/id", roots[i], name);
		file = fopen(path, "re");
	}
	if (!file)
		return -errno;
	return fscanf(file, "%d", &id) == 1 ? id : -EIO;
}

static int open_event(int id)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = (uint64_t)id };

	return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

struct bpf_link *tracepoints_attach(struct tracepoints *tracepoints, const struct bpf_program *program,
				    const char *name)
{
	int id = find_id(name);
	cleanup_close int event = id < 0 ? -1 : open_event(id);
	struct bpf_link *link;

	if (id < 0)
		errno = -id;
	if (event < 0)
		return NULL;
	link = bpf_program__attach_perf_event(program, event);
	if (!link)
		return NULL;
	if (tracepoints->map_fd >= 0 &&
	    !bpf_map_update_elem(tracepoints->map_fd, &tracepoints->nr, &event, BPF_ANY))
		tracepoints->nr++;
	(void)take_fd(&event);
	return link;
}
