/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * For LD_PRELOAD: takes the programs of a running `loophound watch`, of the binary that is shipped, from the
 * kernel's tracepoints and puts them back, without loading them again: in a tenth of a second instead of one or
 * two.  Commands come in through the file descriptor BENCH_SWITCH_FD: "0" off, "1" on; each is answered by a line,
 * "ok" or what failed.
 *
 * What makes others pay are links: of raw tracepoints (tp_btf) and of perf events (tracepoints of system calls).
 * Off, /dev/null stands at their numbers, which nobody else can be given so.  What stays: probes within targets (a
 * server under this load never comes to them) and the iterator, which runs when it is read.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_PLACES 64
#define LINK_PERF_EVENT 7 /* enum bpf_link_type; not in the headers of every libbpf */

enum kind { RAW, PERF_LINK, PERF_EVENT };

struct place {
	enum kind kind;
	int fd, prog_fd;
	bool is_taken;	     /* a PERF_EVENT's number has an event again */
	char tracepoint[64]; /* of a PERF_LINK */
};

/* struct bpf_link_info as of 6.6, as far as it is about a tracepoint's perf event. */
struct link_info {
	uint32_t type, id, prog_id, pad;
	uint32_t perf_type, perf_pad;
	uint64_t name_addr;
	uint32_t name_bytes, name_pad;
	uint64_t cookie;
	uint8_t rest[64];
};

static struct place places[MAX_PLACES];
static int nr_places;
static char why[160];

static int failed(const char *what)
{
	snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
	return -1;
}

/* 1: that descriptor is a place; 0: it is none. */
static int look_at_link(int fd, struct place *place)
{
	struct link_info info = { 0 }; /* the name's address is where other kinds have other members */
	__u32 bytes = sizeof(info);

	*place = (struct place){ .fd = fd };
	if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return failed("a link's kind");
	if (info.type != BPF_LINK_TYPE_RAW_TRACEPOINT && info.type != BPF_LINK_TYPE_TRACING &&
	    info.type != LINK_PERF_EVENT)
		return 0;
	place->prog_fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (place->prog_fd < 0)
		return failed("a link's program");
	place->kind = info.type == LINK_PERF_EVENT ? PERF_LINK : RAW;
	if (place->kind == RAW)
		return 1;
	memset(&info, 0, sizeof(info));
	info.name_addr = (uintptr_t)place->tracepoint;
	info.name_bytes = sizeof(place->tracepoint);
	bytes = sizeof(info);
	return bpf_obj_get_info_by_fd(fd, &info, &bytes) ? failed("a link's tracepoint") : 1;
}

static int look_at(int fd, const char *target)
{
	struct place *place = &places[nr_places];
	int found = 0;

	if (strstr(target, "bpf_link")) {
		found = look_at_link(fd, place);
	} else if (strstr(target, "[perf_event]")) {
		*place = (struct place){ .kind = PERF_EVENT, .fd = fd, .prog_fd = -1 };
		found = 1;
	}
	if (found > 0 && ++nr_places == MAX_PLACES) {
		errno = E2BIG;
		return failed("links");
	}
	return found < 0 ? found : 0;
}

static int find_places(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[256];
	int err = 0;

	if (!folder)
		return failed("/proc/self/fd");
	while (!err && (entry = readdir(folder))) {
		ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		if (bytes <= 0)
			continue;
		target[bytes] = 0;
		err = look_at(atoi(entry->d_name), target);
	}
	closedir(folder);
	return err;
}

static void forget_places(void)
{
	for (int i = 0; i < nr_places; i++)
		if (places[i].kind != PERF_EVENT)
			close(places[i].prog_fd);
	nr_places = 0;
}

/* Nobody is to see an iteration that goes on while nothing is seen. */
static void end_iterations(void)
{
	struct bpf_map_info info;
	char zeros[4096] = { 0 };
	int fd = -1;

	for (__u32 id = 0; !bpf_map_get_next_id(id, &id);) {
		__u32 bytes = sizeof(info);

		close(fd);
		memset(&info, 0, sizeof(info));
		fd = bpf_map_get_fd_by_id(id);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &bytes) && !strcmp(info.name, "loop_lives") &&
		    info.value_size <= sizeof(zeros))
			for (__u32 key = 0; key < info.max_entries; key++)
				bpf_map_update_elem(fd, &key, zeros, BPF_ANY);
	}
	close(fd);
}

/* The kernel waits for a grace period or two at the end of each: so all at once. */
static void *take_out(void *arg)
{
	const struct place *place = arg;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup3(null, place->fd, O_CLOEXEC);
	close(null);
	return NULL;
}

static int off(void)
{
	pthread_t threads[MAX_PLACES];

	if (find_places())
		return -1;
	/* A link holds its event, so that goes with whichever of the two is closed last. */
	for (int i = 0; i < nr_places; i++)
		if (pthread_create(&threads[i], NULL, take_out, &places[i]))
			return failed("a thread");
	for (int i = 0; i < nr_places; i++)
		pthread_join(threads[i], NULL);
	end_iterations();
	return 0;
}

static int tracepoint_id(const char *name)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[160];
	int id = -1;

	for (int i = 0; i < 2 && id < 0; i++) {
		snprintf(path, sizeof(path), "%s/events/syscalls/%s/id", roots[i], name);
		FILE *file = fopen(path, "re");

		if (file && fscanf(file, "%d", &id) != 1)
			id = -1;
		if (file)
			fclose(file);
	}
	return id;
}

static int open_event(const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int id = tracepoint_id(name);

	if (id < 0)
		return -1;
	attr.config = (uint64_t)id;
	return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

static int stand_at(int fd, int place)
{
	if (fd < 0 || dup3(fd, place, O_CLOEXEC) < 0)
		return -1;
	close(fd);
	return 0;
}

/* Its event takes any of the numbers at which events were. */
static int put_back_event(struct place *link)
{
	struct place *event = places;
	int fd = open_event(link->tracepoint);

	while (event < places + nr_places && (event->kind != PERF_EVENT || event->is_taken))
		event++;
	if (fd < 0 || event == places + nr_places || stand_at(fd, event->fd))
		return failed(link->tracepoint);
	event->is_taken = true;
	if (stand_at(bpf_link_create(link->prog_fd, event->fd, BPF_PERF_EVENT, NULL), link->fd) ||
	    ioctl(event->fd, PERF_EVENT_IOC_ENABLE, 0))
		return failed("a link");
	return 0;
}

static int on(void)
{
	for (struct place *each = places; each < places + nr_places; each++) {
		if (each->kind == PERF_LINK && put_back_event(each))
			return -1;
		if (each->kind == RAW && stand_at(bpf_raw_tracepoint_open(NULL, each->prog_fd), each->fd))
			return failed("a raw tracepoint");
	}
	forget_places();
	return 0;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char command;

	while (read(fd, &command, 1) == 1) {
		int err = command == '0' ? off() : on();

		if (dprintf(fd, "%s\n", err ? why : "ok") < 0)
			break;
	}
	return NULL;
}

__attribute__((constructor)) static void begin(void)
{
	const char *fd = getenv("BENCH_SWITCH_FD");
	sigset_t all, old;
	pthread_t thread;

	if (!fd)
		return;
	/* What this process starts is not to be switched; signals are for the thread that watches. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_create(&thread, NULL, serve, (void *)(intptr_t)atoi(fd));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	unsetenv("BENCH_SWITCH_FD");
	unsetenv("LD_PRELOAD");
}
