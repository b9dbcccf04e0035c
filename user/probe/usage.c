/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "usage.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "parts.h"
#include "util.h"

#define BATCH 256 /* entries that the kernel copies at once: more than share a bucket */

static const char *const names[USAGE_MAP_MAX] = { "targets", "loops", "destinations",
						  "unix_connections" };
/* NULL: its entries are counted by the kernel half, since a queue cannot be asked. */
static const char *const tables[USAGE_MAP_MAX] = { "targets", NULL, "connection_keys",
						   "unix_connections" };

struct usage {
	const struct parts *parts;
	const int32_t *nr_loops;
	struct usage_map maps[USAGE_MAP_MAX];
	uint64_t walked_ns; /* 0: never */
	/* The ring's own pages: how far its reader is, then how far its writers are. */
	const volatile uint64_t *consumed, *produced;
	size_t page_bytes;
	uint64_t capacity_bytes, peak_bytes;
};

static struct bpf_map *find(const struct usage *usage, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(usage->parts->objects[0], name);

	return map && bpf_map__fd(map) >= 0 ? map : NULL;
}

static int map_ring(struct usage *usage)
{
	struct bpf_map *ring = find(usage, "events");
	void *mapped;

	usage->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	if (!ring)
		return -ENOENT;
	usage->capacity_bytes = bpf_map__max_entries(ring);
	mapped = mmap(NULL, 2 * usage->page_bytes, PROT_READ, MAP_SHARED, bpf_map__fd(ring), 0);
	if (mapped == MAP_FAILED)
		return -errno;
	usage->consumed = mapped;
	usage->produced = (void *)((char *)mapped + usage->page_bytes);
	return 0;
}

int usage_new(struct usage **out, const struct parts *parts, const int32_t *nr_loops)
{
	struct usage *usage = calloc(1, sizeof(*usage));
	int err;

	if (!usage)
		return -ENOMEM;
	usage->parts = parts;
	usage->nr_loops = nr_loops;
	for (unsigned i = 0; i < USAGE_MAP_MAX; i++) {
		const struct bpf_map *map = find(usage, tables[i] ? tables[i] : "free_loop_ids");

		usage->maps[i].name = names[i];
		usage->maps[i].max_entries = map ? bpf_map__max_entries(map) : 0;
	}
	err = map_ring(usage);
	if (err) {
		usage_free(usage);
		return err;
	}
	*out = usage;
	return 0;
}

void usage_free(struct usage *usage)
{
	if (!usage)
		return;
	if (usage->consumed)
		munmap((void *)usage->consumed, 2 * usage->page_bytes);
	free(usage);
}

static uint64_t waiting(const struct usage *usage)
{
	uint64_t consumed = *usage->consumed; /* first: it never passes the other */

	return *usage->produced - consumed;
}

void usage_note_ring(struct usage *usage)
{
	uint64_t bytes = waiting(usage);

	usage->peak_bytes = max(usage->peak_bytes, bytes);
}

void usage_ring(const struct usage *usage, struct usage_ring *ring)
{
	ring->bytes = waiting(usage);
	ring->peak_bytes = max(usage->peak_bytes, ring->bytes);
	ring->capacity_bytes = usage->capacity_bytes;
}

/* Keys and values go to where nobody looks at them. False: it cannot be told. */
static bool count_entries(const struct bpf_map *map, uint64_t *entries)
{
	cleanup_free void *keys = calloc(BATCH, bpf_map__key_size(map));
	cleanup_free void *values = calloc(BATCH, bpf_map__value_size(map));
	uint32_t at, nr;
	bool is_first = true;
	int err = 0;

	*entries = 0;
	if (!keys || !values)
		return false;
	/* Another's deletions and additions move nothing from bucket to bucket: the walk has an
	 * end. */
	while (!err) {
		nr = BATCH;
		err = bpf_map_lookup_batch(bpf_map__fd(map), is_first ? NULL : &at, &at, keys,
					   values, &nr, NULL);
		is_first = false;
		if (!err || err == -ENOENT)
			*entries += nr;
	}
	return err == -ENOENT;
}

void usage_maps(struct usage *usage, uint64_t now_ns, struct usage_map maps[USAGE_MAP_MAX])
{
	int32_t nr_loops = __atomic_load_n(usage->nr_loops, __ATOMIC_RELAXED);
	bool is_due = !usage->walked_ns || now_ns - usage->walked_ns >= USAGE_WALK_NS;

	for (unsigned i = 0; is_due && i < USAGE_MAP_MAX; i++) {
		uint64_t entries;

		if (tables[i] && usage->maps[i].max_entries &&
		    count_entries(find(usage, tables[i]), &entries))
			usage->maps[i].entries = entries;
	}
	if (is_due)
		usage->walked_ns = now_ns;
	usage->maps[USAGE_LOOPS].entries = (uint64_t)max(nr_loops, 0);
	memcpy(maps, usage->maps, sizeof(usage->maps));
}

static void tell(const struct bpf_program *program, usage_program_fn on_program, void *ctx)
{
	struct bpf_prog_info info = {};
	uint32_t bytes = sizeof(info);
	int fd = bpf_program__fd(program);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return;
	on_program(ctx, &(struct usage_program){ bpf_program__name(program), info.run_time_ns, info.run_cnt,
						 info.recursion_misses });
}

void usage_programs(const struct usage *usage, usage_program_fn on_program, void *ctx)
{
	struct bpf_program *program;

	for (unsigned i = 0; i < PARTS_NR; i++)
		bpf_object__for_each_program(program, usage->parts->objects[i])
			tell(program, on_program, ctx);
}
