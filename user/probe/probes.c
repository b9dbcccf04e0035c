/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "clock.h"
#include "destinations.h"
#include "detacher.h"
#include "entries.h"
#include "latent.h"
#include "log.h"
#include "multi.h"
#include "parts.h"
#include "probes.skel.h"
#include "pyprobes.h"
#include "refusal.h"
#include "tracepoint.h"
#include "usage.h"

struct probes {
	struct probes_config config;
	struct probes__kernel_half *skel;
	struct parts parts; /* have its programs */
	struct bpf_link *links[3 + DESTINATIONS_MAX_LINKS]; /* those that the skeleton does not own */
	unsigned nr_links;
	struct tracepoints tracepoints;
	struct detacher *detacher;
	struct pyprobes *pyprobes;
	struct destinations *destinations;
	struct ring_buffer *ring;
	struct usage *usage;
	struct loop_counters *counters; /* mapped, config.max_loops of them */
	struct loop_live *lives;	/* likewise */
	int nr_cpus;
	bool is_multi; /* probes within targets are attached by uprobe_multi */
	probes_record_fn on_record; /* during probes_consume() */
	void *ctx;
};

const struct probes_config probes_default_config = {
	.sample_after_ns = 12500000,
	.sample_gap_ns = 900000,
	.report_asleep_ns = 10000000,
	.report_on_cpu_ns = 50000000,
	.report_starved_ns = 50000000,
	.report_gil_ns = 20000000,
	.report_gc_ns = 20000000,
	.report_import_ns = 20000000,
	.ring_bytes = 4 * 1024 * 1024,
	.max_targets = 4096,
	.max_candidates = 4096,
	.max_loops = 1024,
	.boundary = BOUNDARY_AUTO,
	.has_connections = true,
};

static int open_pyprobes(struct probes *probes)
{
	struct bpf_program *const programs[PROBE_MAX] = {
		[PROBE_GC_START] = probes->skel->progs.on_gc_start,
		[PROBE_GC_DONE] = probes->skel->progs.on_gc_done,
		[PROBE_IMPORT_START] = probes->skel->progs.on_import_start,
		[PROBE_IMPORT_DONE] = probes->skel->progs.on_import_done,
		[PROBE_AUDIT] = probes->config.is_latent ? probes->skel->progs.on_audit : NULL,
	};

	return pyprobes_new(&probes->pyprobes, programs, probes->is_multi, probes->detacher);
}

static const char *const waits[] = { "sys_exit_epoll_wait", "sys_exit_epoll_pwait", "sys_exit_epoll_pwait2" };

static void set_boundary(struct probes *probes, enum probes_boundary boundary)
{
	struct probes__kernel_half *skel = probes->skel;
	bool is_raw = boundary == BOUNDARY_RAW;

	bpf_program__set_autoload(skel->progs.on_any_exit, is_raw);
	bpf_program__set_autoload(skel->progs.on_wait_exits, !is_raw);
	bpf_program__set_autoattach(skel->progs.on_wait_exits, false); /* but below, to three tracepoints */
	for (size_t i = 0; !is_raw && i < ARRAY_SIZE(waits); i++)
		tracepoints_want(&probes->tracepoints, waits[i]);
}

/* Nothing of it is loaded, and no map made, unless it is asked for. */
static void set_latent(struct probes__kernel_half *skel, bool is_latent)
{
	bpf_program__set_autoload(skel->progs.on_latent_exit, is_latent);
	bpf_program__set_autoload(skel->progs.on_audit, is_latent);
	bpf_map__set_autocreate(skel->maps.latent_sites, is_latent);
	bpf_map__set_autocreate(skel->maps.latent_scratch, is_latent);
}

/* In the host's namespace there is nothing to translate. */
static void set_numbers(struct probes__kernel_half *skel, bool is_wanted)
{
	bpf_map__set_autocreate(skel->maps.numbers, is_wanted);
	bpf_program__set_autoload(skel->progs.tell_numbers, is_wanted);
	bpf_program__set_autoattach(skel->progs.tell_numbers, false);
}

/* How they are attached is decided when they are loaded. */
static void set_uprobes(struct probes__kernel_half *skel)
{
	struct bpf_program *const programs[] = { skel->progs.on_gc_start, skel->progs.on_gc_done,
						 skel->progs.on_import_start, skel->progs.on_import_done,
						 skel->progs.on_audit };

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		bpf_program__set_expected_attach_type(programs[i], UPROBE_MULTI_ATTACH_TYPE);
}

static int attach(struct probes *probes, enum probes_boundary boundary)
{
	struct probes__kernel_half *skel = probes->skel;
	struct bpf_link *link;
	int err = probes__kernel_half__attach(skel);

	for (size_t i = 0; !err && boundary == BOUNDARY_TRACEPOINT && i < ARRAY_SIZE(waits); i++) {
		link = tracepoints_attach(&probes->tracepoints, skel->progs.on_wait_exits, waits[i]);
		err = link ? 0 : -errno;
		if (link)
			probes->links[probes->nr_links++] = link;
	}
	if (!err && probes->config.has_connections)
		probes->config.has_connections =
			destinations_attach(probes->parts.objects[1], &probes->tracepoints, probes->links,
					    &probes->nr_links, probes->config.spared);
	return err;
}

static void unload(struct probes *probes)
{
	while (probes->nr_links)
		detacher_destroy(probes->detacher, probes->links[--probes->nr_links]);
	probes__kernel_half__destroy(take(probes->skel));
	parts_close(&probes->parts);
}

void probes_set_limits(struct probes *probes, const struct probes_config *limits)
{
	struct probes__kernel_half *skel = probes->skel;

	skel->data->cfg_sample_after_ns = limits->sample_after_ns;
	skel->data->cfg_report_asleep_ns = limits->report_asleep_ns;
	skel->data->cfg_report_on_cpu_ns = limits->report_on_cpu_ns;
	skel->data->cfg_report_starved_ns = limits->report_starved_ns;
	skel->data->cfg_report_gil_ns = limits->report_gil_ns;
	skel->data->cfg_report_gc_ns = limits->report_gc_ns;
	skel->data->cfg_report_import_ns = limits->report_import_ns;
}

void probes_tell_moves(struct probes *probes, bool tells, bool of_targets)
{
	probes->skel->bss->tells_moves = tells;
	probes->skel->bss->tells_moves_of_targets = of_targets;
}

static int load(struct probes *probes, enum probes_boundary boundary)
{
	const struct probes_config *config = &probes->config;
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct probes__kernel_half *skel;
	int err = parts_open(&probes->parts, &opts);

	if (err)
		return err;
	skel = probes__kernel_half__open_opts(&opts);
	if (!skel)
		return -errno;
	probes->skel = skel;
	skel->rodata->cfg_sample_gap_ns = config->sample_gap_ns;
	skel->rodata->cfg_tick_ns = clock_tick_ns();
	probes_set_limits(probes, config);
	skel->bss->tells_moves = config->finds_moved;
	skel->rodata->cfg_pidns = config->pid_namespace;
	skel->rodata->cfg_finds_new = config->finds_new;
	skel->rodata->cfg_max_candidates = config->max_candidates;
	bpf_map__set_max_entries(skel->maps.targets, config->max_targets + config->max_candidates);
	skel->rodata->cfg_max_loops = config->max_loops;
	bpf_map__set_max_entries(skel->maps.free_loop_ids, config->max_loops);
	bpf_map__set_max_entries(skel->maps.loop_counters, config->max_loops);
	bpf_map__set_max_entries(skel->maps.loop_lives, config->max_loops);
	bpf_map__set_max_entries(skel->maps.events, config->ring_bytes);
	bpf_map__set_max_entries(skel->maps.numbers, config->max_targets + config->max_candidates);
	set_numbers(skel, config->pid_namespace);
	set_boundary(probes, boundary);
	set_latent(skel, config->is_latent);
	if (probes->is_multi)
		set_uprobes(skel);
	bpf_program__set_autoload(skel->progs.on_cgroup_attach, config->finds_moved);
	destinations_prepare(skel->obj, &probes->tracepoints, config->has_connections, config->spared);
	tracepoints_begin(&probes->tracepoints);
	err = parts_load(&probes->parts, skel->skeleton);
	err = err ? err : attach(probes, boundary);
	tracepoints_end(&probes->tracepoints);
	return err;
}

static struct numbers numbers_of(const struct probes *probes)
{
	const struct probes__kernel_half *skel = probes->skel;

	return (struct numbers){ probes->config.pid_namespace ? bpf_map__fd(skel->maps.numbers) : -1,
				 skel->progs.tell_numbers };
}

static int open_destinations(struct probes *probes)
{
	struct probes__kernel_half *skel = probes->skel;
	const struct destinations_half half = { probes->parts.objects[1], (void *)&skel->bss->connection_scan,
						&skel->data->connection_window,
						&skel->bss->connection_high, numbers_of(probes) };

	return destinations_new(&probes->destinations, &half, MAX_DESTINATIONS);
}

static int on_ring_record(void *ctx, void *record, size_t size)
{
	struct probes *probes = ctx;

	return probes->on_record(probes->ctx, record, size);
}

static size_t mapped_bytes(const struct probes *probes, size_t element_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (probes->config.max_loops * element_bytes + page - 1) / page * page;
}

/* Maps an array that the kernel half writes, to be read. */
static int map_array(const struct probes *probes, struct bpf_map *map, size_t element_bytes, void *out)
{
	void *mapped = mmap(NULL, mapped_bytes(probes, element_bytes), PROT_READ, MAP_SHARED,
			    bpf_map__fd(map), 0);

	if (mapped == MAP_FAILED)
		return -errno;
	*(void **)out = mapped;
	return 0;
}

static int map_arrays(struct probes *probes)
{
	int err = map_array(probes, probes->skel->maps.loop_counters, sizeof(*probes->counters),
			    &probes->counters);

	return err ? err : map_array(probes, probes->skel->maps.loop_lives, sizeof(*probes->lives),
				     &probes->lives);
}

static void unmap_arrays(struct probes *probes)
{
	if (probes->counters)
		munmap(probes->counters, mapped_bytes(probes, sizeof(*probes->counters)));
	if (probes->lives)
		munmap(probes->lives, mapped_bytes(probes, sizeof(*probes->lives)));
}

static int open_any(struct probes *probes)
{
	enum probes_boundary wanted = probes->config.boundary;
	int err = -EINVAL;

	if (wanted != BOUNDARY_RAW) {
		err = load(probes, BOUNDARY_TRACEPOINT);
		probes->config.boundary = BOUNDARY_TRACEPOINT;
		if (!err || wanted == BOUNDARY_TRACEPOINT)
			return err;
		log_debug("tracepoints of system calls: %s; trying raw tracepoints", strerror(-err));
		unload(probes);
	}
	err = load(probes, BOUNDARY_RAW);
	probes->config.boundary = BOUNDARY_RAW;
	return err;
}

static int open_without_connections(struct probes *probes, enum probes_boundary wanted, int refused)
{
	unload(probes);
	probes->config.has_connections = false;
	probes->config.boundary = wanted;
	destinations_say_refused(refused); /* all else may load */
	return open_any(probes);
}

int probes_open(struct probes **out, const struct probes_config *config, char *why, size_t why_size)
{
	/* Before 5.11 maps count against this limit; later it does not matter, so a failure does not. */
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct probes *probes;
	int err;

	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		snprintf(why, why_size,
			 "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF");
		return -ENOTSUP;
	}
	probes = calloc(1, sizeof(*probes));
	if (!probes)
		return -ENOMEM;
	probes->config = *config;
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	probes_quiet_libbpf();
	tracepoints_init(&probes->tracepoints);
	probes->nr_cpus = libbpf_num_possible_cpus();
	probes->is_multi = !config->attaches_singly && uprobe_multi_is_supported();
	err = probes->nr_cpus < 0 ? probes->nr_cpus : detacher_new(&probes->detacher);
	if (!err)
		err = open_any(probes);
	if (err && err != -EPERM && err != -ENOMEM && config->has_connections && !refusal_is_for_age())
		err = open_without_connections(probes, config->boundary, err);
	if (!err)
		err = map_arrays(probes);
	if (!err)
		err = open_pyprobes(probes);
	if (!err && probes->config.has_connections)
		err = open_destinations(probes);
	if (!err)
		err = usage_new(&probes->usage, &probes->parts, &probes->skel->bss->nr_loop_ids_taken);
	if (!err) {
		probes->ring = ring_buffer__new(bpf_map__fd(probes->skel->maps.events),
						on_ring_record, probes, NULL);
		err = probes->ring ? 0 : -errno;
	}
	if (err) {
		err = refusal_explain(err, why, why_size);
		probes_close(probes);
		return err;
	}
	*out = probes;
	return 0;
}

void probes_close(struct probes *probes)
{
	if (!probes)
		return;
	ring_buffer__free(probes->ring);
	usage_free(probes->usage);
	unmap_arrays(probes);
	pyprobes_free(probes->pyprobes);
	destinations_free(probes->destinations);
	unload(probes);
	detacher_free(probes->detacher);
	tracepoints_close(&probes->tracepoints);
	free(probes);
}

enum probes_boundary probes_boundary(const struct probes *probes)
{
	return probes->config.boundary;
}

bool probes_is_multi(const struct probes *probes)
{
	return probes->is_multi;
}

struct usage *probes_usage(const struct probes *probes)
{
	return probes->usage;
}

struct destinations *probes_destinations(const struct probes *probes)
{
	return probes->destinations;
}

int probes_ring_fd(const struct probes *probes)
{
	return ring_buffer__epoll_fd(probes->ring);
}

int probes_consume(struct probes *probes, probes_record_fn on_record, void *ctx)
{
	probes->on_record = on_record;
	probes->ctx = ctx;
	usage_note_ring(probes->usage);
	return ring_buffer__consume(probes->ring);
}

struct entries probes_entries(const struct probes *probes)
{
	return (struct entries){
		.targets_fd = bpf_map__fd(probes->skel->maps.targets),
		.exes_fd = bpf_map__fd(probes->skel->maps.exes),
		.nr_candidates = &probes->skel->bss->nr_candidates,
		.hints = probes->skel->bss->target_hints,
		.nr_hints = ARRAY_SIZE(probes->skel->bss->target_hints),
		.numbers = numbers_of(probes),
	};
}

int probes_attach(struct probes *probes, const struct ev_probes *where)
{
	return probes->config.is_without_uprobes ? -ENOENT : pyprobes_attach(probes->pyprobes, where);
}

void probes_detach(struct probes *probes, uint32_t target_id)
{
	pyprobes_detach(probes->pyprobes, target_id);
}

const struct loop_counters *probes_loop_counters(const struct probes *probes, uint32_t loop_id)
{
	return loop_id < probes->config.max_loops ? &probes->counters[loop_id] : NULL;
}

const volatile struct loop_live *probes_loop_live(const struct probes *probes, uint32_t loop_id)
{
	return loop_id < probes->config.max_loops ? &probes->lives[loop_id] : NULL;
}

void probes_release_loop(struct probes *probes, uint32_t loop_id)
{
	if (!bpf_map_update_elem(bpf_map__fd(probes->skel->maps.free_loop_ids), NULL, &loop_id, BPF_ANY))
		__atomic_fetch_add(&probes->skel->bss->nr_loop_ids_taken, -1, __ATOMIC_RELAXED);
}

void probes_take_latent(struct probes *probes, uint32_t loop_id, uint64_t since_ns,
			latent_record_fn on_record, void *ctx)
{
	if (probes->config.is_latent)
		latent_take_unsent(bpf_map__fd(probes->skel->maps.latent_sites), loop_id, since_ns,
				   on_record, ctx);
}

void probes_stats(const struct probes *probes, uint64_t stats[STAT_MAX])
{
	int fd = bpf_map__fd(probes->skel->maps.stats);
	cleanup_free uint64_t *values = calloc((size_t)probes->nr_cpus, sizeof(*values));

	for (uint32_t stat = 0; values && stat < STAT_MAX; stat++) {
		if (bpf_map_lookup_elem(fd, &stat, values))
			continue;
		for (int cpu = 0; cpu < probes->nr_cpus; cpu++)
			stats[stat] += values[cpu];
	}
}
