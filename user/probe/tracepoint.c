/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tracepoint.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

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

/* A negative errno if it cannot. */
static int open_event(const char *name)
{
	int id = find_id(name), fd;
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = (uint64_t)id };

	if (id < 0)
		return id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void tracepoints_init(struct tracepoints *tracepoints)
{
	*tracepoints = (struct tracepoints){ .map_fd = -1 };
}

void tracepoints_close(struct tracepoints *tracepoints)
{
	closep(&tracepoints->map_fd);
}

void tracepoints_want(struct tracepoints *tracepoints, const char *name)
{
	assert(tracepoints->nr < TRACEPOINTS_MAX);
	tracepoints->events[tracepoints->nr++] = (struct tracepoints_event){ name, -1 };
}

static void open_wanted(struct tracepoints *tracepoints, uint32_t index)
{
	struct tracepoints_event *event = &tracepoints->events[index];

	event->fd = open_event(event->name);
	if (event->fd >= 0)
		bpf_map_update_elem(tracepoints->map_fd, &index, &event->fd, BPF_ANY);
}

static void *open_all(void *arg)
{
	struct tracepoints *tracepoints = arg;

	for (uint32_t i = 0; i < tracepoints->nr; i++)
		open_wanted(tracepoints, i);
	return NULL;
}

void tracepoints_begin(struct tracepoints *tracepoints)
{
	/* Without the flag it would let go of them as soon as its descriptor is closed. */
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_PRESERVE_ELEMS);

	closep(&tracepoints->map_fd); /* what an attempt before has left in it */
	tracepoints->map_fd = bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, "tracepoints", sizeof(uint32_t),
					     sizeof(uint32_t), TRACEPOINTS_MAX, &opts);
	tracepoints->is_opening = !pthread_create(&tracepoints->opener, NULL, open_all, tracepoints);
	if (!tracepoints->is_opening)
		open_all(tracepoints);
}

static void wait_opened(struct tracepoints *tracepoints)
{
	if (tracepoints->is_opening)
		pthread_join(tracepoints->opener, NULL);
	tracepoints->is_opening = false;
}

static struct tracepoints_event *find(struct tracepoints *tracepoints, const char *name)
{
	unsigned i = 0;

	while (i < tracepoints->nr && strcmp(tracepoints->events[i].name, name) != 0)
		i++;
	assert(i < tracepoints->nr);
	return &tracepoints->events[i];
}

struct bpf_link *tracepoints_attach(struct tracepoints *tracepoints, const struct bpf_program *program,
				    const char *name)
{
	struct tracepoints_event *event = find(tracepoints, name);
	struct bpf_link *link;

	wait_opened(tracepoints);
	if (event->fd < 0) {
		errno = -event->fd;
		return NULL;
	}
	link = bpf_program__attach_perf_event(program, event->fd);
	if (link)
		(void)take_fd(&event->fd);
	return link;
}

void tracepoints_end(struct tracepoints *tracepoints)
{
	wait_opened(tracepoints);
	for (uint32_t i = 0; i < tracepoints->nr; i++) {
		if (tracepoints->events[i].fd < 0)
			continue;
		close(tracepoints->events[i].fd);
		bpf_map_delete_elem(tracepoints->map_fd, &i); /* the kernel ends it, and nobody waits */
	}
	tracepoints->nr = 0;
}
