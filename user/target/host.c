/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "cgroup.h"
#include "util.h"

#define LOOK_NS	       NSEC_PER_SEC
#define LOOK_AGAIN_NS  (100 * NSEC_PER_MSEC) /* while something is being throttled */
#define THROTTLING_NS  (5 * NSEC_PER_SEC)    /* it is, this long after it was seen */
#define RESOLVE_NS     (10 * NSEC_PER_SEC)   /* a target can move, a quota can be set */
#define COST_SHARE     2000 /* a look takes no more than 1/2000 of a CPU; 1/200 while something is throttled */
#define MAX_LOOKS      32
#define MAX_LIMITS     4 /* cgroups with a quota, of one target */
#define MAX_GROUPS     1024
#define MAX_TARGETS_OF 4096

struct look {
	uint64_t ts_ns;
	uint64_t throttled_ns, nr_throttled, nr_periods;
};

/* The last looks, each with its time; older ones are further apart. */
struct looks {
	struct look look[MAX_LOOKS];
	unsigned int nr;
};

/* A cgroup with a quota. */
struct group {
	char path[EV_PATH_LEN];
	unsigned int nr_targets;
	struct cgroup_cpu cpu;
	uint64_t throttled_seen_ns; /* when it was last seen to have been throttled */
	struct looks looks;
	UT_hash_handle hh;
};

struct watched {
	uint32_t target_id;
	pid_t pid;
	unsigned int nr_loops;
	uint64_t resolved_ns;
	char own[EV_PATH_LEN]; /* its cgroup; empty: not known */
	struct group *limits[MAX_LIMITS]; /* of it and what is above it, the nearest first */
	unsigned int nr_limits;
	UT_hash_handle hh;
};

struct host {
	struct cgroup_root root;
	int stat_fd;
	uint64_t tick_ns; /* of /proc/stat */
	uint64_t next_look_ns;
	bool is_throttled;
	struct looks steal; /* .throttled_ns is the time stolen */
	uint32_t nr_running;
	struct watched *targets;
	struct watched *resolved; /* the one of them that was last; NULL: it is gone */
	struct group *groups;
};

static uint64_t cpu_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Reads a file of /proc; a longer one is cut. */
static int read_text(const char *path, char *text, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0, len = 0;

	while (fd >= 0 && (size_t)len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0)
		len += got;
	if (fd < 0 || got < 0)
		return -errno;
	text[len] = '\0';
	return 0;
}

int host_new(struct host **out)
{
	cleanup_free struct host *host = calloc(1, sizeof(*host));
	size_t size = 256 * 1024;
	cleanup_free char *mounts = malloc(size);

	if (!host || !mounts)
		return -ENOMEM;
	host->root.fd = -1;
	if (!read_text("/proc/self/mountinfo", mounts, size))
		cgroup_open_root(&host->root, mounts);
	host->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	host->tick_ns = NSEC_PER_SEC / (uint64_t)max(sysconf(_SC_CLK_TCK), 1L);
	*out = take(host);
	return 0;
}

static void add_look(struct looks *looks, struct look look)
{
	unsigned int i, nr = 0;

	if (looks->nr == MAX_LOOKS) {
		for (i = 0; i < MAX_LOOKS; i += 2)
			looks->look[nr++] = looks->look[i];
		looks->nr = nr;
	}
	looks->look[looks->nr++] = look;
}

/* Of a counter; one that went backwards is another's, of a cgroup that was made anew. */
static uint64_t growth(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* The last one at or before a time, else the oldest; NULL: there is none. */
static const struct look *look_before(const struct looks *looks, uint64_t ts_ns)
{
	unsigned int i = looks->nr;

	while (i > 1 && looks->look[i - 1].ts_ns > ts_ns)
		i--;
	return looks->nr ? &looks->look[i - 1] : NULL;
}

static void look_at_group(struct host *host, struct group *group, uint64_t now_ns)
{
	struct looks *looks = &group->looks;
	const struct look *last = looks->nr ? &looks->look[looks->nr - 1] : NULL;

	if ((last && last->ts_ns >= now_ns) || cgroup_read_stat(&host->root, group->path, &group->cpu))
		return;
	if (last && last->nr_throttled != group->cpu.nr_throttled)
		group->throttled_seen_ns = now_ns;
	add_look(looks, (struct look){ now_ns, group->cpu.throttled_ns, group->cpu.nr_throttled,
				       group->cpu.nr_periods });
}

static void look_at_stat(struct host *host, uint64_t now_ns)
{
	unsigned long long steal = 0;
	char text[64 * 1024];
	const char *at;
	ssize_t got;

	if (host->steal.nr && host->steal.look[host->steal.nr - 1].ts_ns >= now_ns)
		return;
	got = host->stat_fd < 0 ? -1 : pread(host->stat_fd, text, sizeof(text) - 1, 0);
	if (got <= 0)
		return;
	text[got] = '\0';
	sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal);
	at = strstr(text, "\nprocs_running ");
	host->nr_running = at ? (uint32_t)strtoul(at + strlen("\nprocs_running "), NULL, 10) : 0;
	host->nr_running -= host->nr_running > 0; /* who reads this runs */
	add_look(&host->steal, (struct look){ .ts_ns = now_ns, .throttled_ns = steal * host->tick_ns });
}

static struct group *hold_group(struct host *host, const char *path, const struct cgroup_cpu *cpu)
{
	struct group *group;

	HASH_FIND_STR(host->groups, path, group);
	if (!group && HASH_COUNT(host->groups) < MAX_GROUPS && (group = calloc(1, sizeof(*group)))) {
		memcpy(group->path, path, strlen(path) + 1);
		HASH_ADD_STR(host->groups, path, group);
		if (!group->hh.tbl) {
			free(group);
			group = NULL;
		}
	}
	if (!group)
		return NULL;
	group->cpu.quota_ns = cpu->quota_ns;
	group->cpu.period_ns = cpu->period_ns;
	group->nr_targets++;
	return group;
}

static void drop_limits(struct host *host, struct group *limits[MAX_LIMITS], unsigned int nr)
{
	while (nr--) {
		if (--limits[nr]->nr_targets)
			continue;
		HASH_DEL(host->groups, limits[nr]);
		free(limits[nr]);
	}
}

/* The cgroups with a quota from path upwards. */
static void find_limits(struct host *host, struct watched *target, char path[EV_PATH_LEN])
{
	for (int depth = 0; depth < CGROUP_MAX_DEPTH && target->nr_limits < MAX_LIMITS; depth++) {
		struct cgroup_cpu cpu;
		struct group *group;

		if (!cgroup_read_quota(&host->root, path, &cpu) && cpu.quota_ns) {
			group = hold_group(host, path, &cpu);
			if (group)
				target->limits[target->nr_limits++] = group;
		}
		if (!cgroup_parent(path))
			break;
	}
}

/* As of another in the same cgroup. */
static void copy_limits(struct watched *target, const struct watched *from)
{
	for (unsigned int i = 0; i < from->nr_limits; i++) {
		target->limits[i] = from->limits[i];
		target->limits[i]->nr_targets++;
	}
	target->nr_limits = from->nr_limits;
}

/* Where the target is, and which cgroups above it have a quota. Most are where the one before is. */
static void resolve(struct host *host, struct watched *target, uint64_t now_ns)
{
	struct group *before[MAX_LIMITS];
	char file[64], text[4096], path[EV_PATH_LEN];
	unsigned int nr_before = target->nr_limits;
	const struct watched *last = host->resolved;

	memcpy(before, target->limits, sizeof(before));
	target->resolved_ns = now_ns;
	target->nr_limits = 0;
	target->own[0] = '\0';
	snprintf(file, sizeof(file), "/proc/%d/cgroup", target->pid);
	if (!read_text(file, text, sizeof(text)) && !cgroup_path_of(&host->root, text, path)) {
		memcpy(target->own, path, sizeof(path));
		if (last && last != target && last->resolved_ns == now_ns && !strcmp(last->own, path))
			copy_limits(target, last);
		else
			find_limits(host, target, path);
		host->resolved = target;
	}
	drop_limits(host, before, nr_before); /* after: what stays keeps its looks */
}

static struct watched *find(struct host *host, uint32_t target_id)
{
	struct watched *target;

	HASH_FIND_INT(host->targets, &target_id, target);
	return target;
}

void host_watch(struct host *host, uint32_t target_id, pid_t pid, uint64_t now_ns)
{
	struct watched *target = find(host, target_id);

	if (!target) {
		if (HASH_COUNT(host->targets) >= MAX_TARGETS_OF)
			return;
		target = calloc(1, sizeof(*target));
		if (!target)
			return;
		target->target_id = target_id;
		target->pid = pid;
		HASH_ADD_INT(host->targets, target_id, target);
		if (!target->hh.tbl) {
			free(target);
			return;
		}
		resolve(host, target, now_ns);
		for (unsigned int i = 0; i < target->nr_limits; i++)
			look_at_group(host, target->limits[i], now_ns);
		if (!host->steal.nr)
			look_at_stat(host, now_ns);
	}
	target->nr_loops++;
}

static void forget(struct host *host, struct watched *target)
{
	drop_limits(host, target->limits, target->nr_limits);
	HASH_DEL(host->targets, target);
	if (host->resolved == target)
		host->resolved = NULL;
	free(target);
}

void host_unwatch(struct host *host, uint32_t target_id)
{
	struct watched *target = find(host, target_id);

	if (target && --target->nr_loops == 0)
		forget(host, target);
}

void host_free(struct host *host)
{
	struct watched *target, *next;

	if (!host)
		return;
	HASH_ITER (hh, host->targets, target, next)
		forget(host, target);
	cgroup_close_root(&host->root);
	closep(&host->stat_fd);
	free(host);
}

void host_look(struct host *host, uint64_t now_ns)
{
	uint64_t began_ns, cost_ns, gap_ns, share;
	struct watched *target, *next;
	struct group *group, *next_group;

	if (now_ns < host->next_look_ns || !host->targets)
		return;
	began_ns = cpu_time_ns();
	host->is_throttled = false;
	look_at_stat(host, now_ns);
	HASH_ITER (hh, host->targets, target, next)
		if (now_ns - target->resolved_ns >= RESOLVE_NS)
			resolve(host, target, now_ns);
	HASH_ITER (hh, host->groups, group, next_group) {
		look_at_group(host, group, now_ns);
		host->is_throttled |= group->throttled_seen_ns && now_ns - group->throttled_seen_ns < THROTTLING_NS;
	}
	cost_ns = cpu_time_ns() - began_ns;
	gap_ns = host->is_throttled ? LOOK_AGAIN_NS : LOOK_NS;
	share = host->is_throttled ? COST_SHARE / 10 : COST_SHARE;
	host->next_look_ns = now_ns + max(gap_ns - LOOK_AGAIN_NS / 2, cost_ns * share);
}

bool host_is_throttled(const struct host *host)
{
	return host->targets && host->is_throttled;
}

/* The group that was throttled most since start_ns; else the nearest; NULL: none has a quota. */
static struct group *worst_limit(struct host *host, struct watched *target, uint64_t start_ns,
				 uint64_t now_ns)
{
	struct group *worst = NULL;
	uint64_t most_ns = 0;

	for (unsigned int i = 0; i < target->nr_limits; i++) {
		struct group *group = target->limits[i];
		const struct look *from;
		uint64_t throttled_ns;

		look_at_group(host, group, now_ns);
		from = look_before(&group->looks, start_ns);
		throttled_ns = from ? growth(from->throttled_ns, group->cpu.throttled_ns) : 0;
		if (!worst || throttled_ns > most_ns) {
			worst = group;
			most_ns = throttled_ns;
		}
	}
	return worst;
}

void host_evidence(struct host *host, uint32_t target_id, uint64_t start_ns, uint64_t now_ns,
		   struct ev_host *ev)
{
	struct watched *target = find(host, target_id);
	const struct look *from, *to;
	struct group *group = NULL;

	look_at_stat(host, now_ns);
	from = look_before(&host->steal, start_ns);
	if (from) {
		to = &host->steal.look[host->steal.nr - 1];
		ev->since_ns = from->ts_ns;
		ev->steal_ns = growth(from->throttled_ns, to->throttled_ns);
	}
	ev->nr_running = host->nr_running;
	ev->nr_cpus = (uint32_t)max(sysconf(_SC_NPROCESSORS_ONLN), 0L);
	ev->head.ts_ns = now_ns;
	if (!target)
		return;
	memcpy(ev->cgroup, target->own, sizeof(ev->cgroup));
	group = worst_limit(host, target, start_ns, now_ns);
	from = group ? look_before(&group->looks, start_ns) : NULL;
	if (!from)
		return;
	to = &group->looks.look[group->looks.nr - 1];
	memcpy(ev->cgroup, group->path, sizeof(ev->cgroup));
	ev->since_ns = from->ts_ns;
	ev->throttled_ns = growth(from->throttled_ns, to->throttled_ns);
	ev->nr_throttled = growth(from->nr_throttled, to->nr_throttled);
	ev->nr_periods = growth(from->nr_periods, to->nr_periods);
	ev->quota_ns = group->cpu.quota_ns;
	ev->period_ns = group->cpu.period_ns;
}
