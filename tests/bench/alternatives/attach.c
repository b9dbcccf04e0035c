/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * attach OBJECT PID [switches|clock]: loads one alternative, attaches it for the main thread of PID
 * (with a perf event of that thread, if one is named), and says "attached"; or "refused" and why,
 * if the kernel does not take it.  Stays until standard input ends; asked by a line, it says how
 * often it has met the thread.  An object without a map of watched threads has none to meet.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLOCK_HZ 250 /* of the tick that the alternatives use */

struct watched {
	uint64_t hits, since_ns, total_ns;
};

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level, (void)format, (void)ap;
	return 0;
}

static int refused(const char *what, int error)
{
	printf("refused: %s: %s\n", what, strerror(error));
	return 0;
}

static int open_event(pid_t tid, const char *which)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr) };

	if (!strcmp(which, "switches")) {
		attr.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
		attr.sample_period = 1;
	} else {
		attr.config = PERF_COUNT_SW_CPU_CLOCK;
		attr.freq = 1;
		attr.sample_freq = CLOCK_HZ;
	}
	return (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int attach(struct bpf_object *object, pid_t tid, const char *event)
{
	struct bpf_program *program;
	struct bpf_link *link;
	int fd;

	bpf_object__for_each_program(program, object)
	{
		if (event) {
			fd = open_event(tid, event);
			link = fd < 0 ? NULL : bpf_program__attach_perf_event(program, fd);
		} else {
			link = bpf_program__attach(program);
		}
		if (!link)
			return errno;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct watched watched = { 0 };
	struct bpf_object *object;
	int fd, key, error;
	struct bpf_map *map;
	char line[16];

	if (argc < 3)
		errx(2, "usage: attach OBJECT PID [switches|clock]");
	key = atoi(argv[2]);
	libbpf_set_print(quiet);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		err(1, "%s", argv[1]);
	if (bpf_object__load(object))
		return refused("load", errno);
	map = bpf_object__find_map_by_name(object, "watched_threads");
	fd = map ? bpf_map__fd(map) : -1;
	if (map && bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE)
		key = (int)syscall(SYS_pidfd_open, key, 0);
	if (map && bpf_map_update_elem(fd, &key, &watched, BPF_ANY))
		err(1, "process %s", argv[2]);
	error = attach(object, atoi(argv[2]), argv[3]);
	if (error)
		return refused("attach", error);
	puts("attached");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (map && bpf_map_lookup_elem(fd, &key, &watched))
			err(1, "process %s", argv[2]);
		printf("%llu\n", (unsigned long long)watched.hits);
		fflush(stdout);
	}
	return 0;
}
