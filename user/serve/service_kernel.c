/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Metrics of the kernel half: what this kernel lets it use, how full it is, what it costs. */
#include "probes.h"
#include "reader.h"
#include "service_state.h"
#include "usage.h"

#define PROGRAMS_MAX 256

enum program_family { PROGRAM_MISSED, PROGRAM_SECONDS, PROGRAM_RUNS };

/* The kernel is asked about each once. */
struct programs {
	struct usage_program all[PROGRAMS_MAX];
	unsigned nr;
};

void service_show_kernel(struct service *service, const struct probes *probes,
			 const struct reader *reader)
{
	service->probes = probes;
	service->reader = reader;
}

const char *service_not_ready(const struct service *service)
{
	struct reader_stats stats;

	if (!service->model || !service->reader)
		return "not attached yet";
	reader_get_stats(service->reader, &stats);
	return stats.is_up ? NULL : "the reader process cannot be started";
}

static void write_info(const struct service *service, struct exposition *e)
{
	const struct probes *probes = service->probes;

	exposition_family(e, "kernel", EXPOSITION_INFO,
			  "The kernel that it runs on, and what it is used with.");
	exposition_sample(e, NULL);
	exposition_label(e, "release", service->session.kernel);
	exposition_label(e, "boundary",
			 probes && probes_boundary(probes) == BOUNDARY_RAW ? "raw" : "tracepoint");
	exposition_label(e, "uprobe_multi", probes && probes_is_multi(probes) ? "true" : "false");
	exposition_u64(e, 1);
}

static void write_ring(const struct usage *usage, struct exposition *e)
{
	struct usage_ring ring;

	usage_ring(usage, &ring);
	exposition_family(e, "ring_bytes", EXPOSITION_GAUGE, "What waits in the ring.");
	exposition_sample(e, NULL);
	exposition_u64(e, ring.bytes);
	exposition_family(e, "ring_peak_bytes", EXPOSITION_GAUGE,
			  "The most that waited in the ring when it was emptied.");
	exposition_sample(e, NULL);
	exposition_u64(e, ring.peak_bytes);
	exposition_family(e, "ring_capacity_bytes", EXPOSITION_GAUGE,
			  "What the ring has room for.");
	exposition_sample(e, NULL);
	exposition_u64(e, ring.capacity_bytes);
}

static void write_map_family(const struct usage_map maps[USAGE_MAP_MAX], bool is_max,
			     struct exposition *e)
{
	for (unsigned i = 0; i < USAGE_MAP_MAX; i++) {
		if (!maps[i].max_entries)
			continue;
		exposition_sample(e, NULL);
		exposition_label(e, "map", maps[i].name);
		exposition_u64(e, is_max ? maps[i].max_entries : maps[i].entries);
	}
}

static void write_maps(const struct service *service, struct usage *usage, struct exposition *e)
{
	struct usage_map maps[USAGE_MAP_MAX];

	usage_maps(usage, service->now_ns, maps);
	exposition_family(e, "map_entries", EXPOSITION_GAUGE,
			  "Entries of the kernel half's tables.");
	write_map_family(maps, false, e);
	exposition_family(e, "map_max_entries", EXPOSITION_GAUGE, "What these have room for.");
	write_map_family(maps, true, e);
}

static void on_program(void *ctx, const struct usage_program *program)
{
	struct programs *programs = ctx;

	if (programs->nr < PROGRAMS_MAX)
		programs->all[programs->nr++] = *program;
}

static void write_program_family(const struct programs *programs, enum program_family family, struct exposition *e)
{
	for (unsigned i = 0; i < programs->nr; i++) {
		const struct usage_program *program = &programs->all[i];

		/* Without kernel.bpf_stats_enabled nothing is known, which is not 0. */
		if (family != PROGRAM_MISSED && !program->runs)
			continue;
		exposition_sample(e, NULL);
		exposition_label(e, "program", program->name);
		switch (family) {
		case PROGRAM_MISSED: exposition_u64(e, program->missed); break;
		case PROGRAM_SECONDS: exposition_seconds(e, program->run_ns); break;
		case PROGRAM_RUNS: exposition_u64(e, program->runs); break;
		}
	}
}

static void write_programs(const struct usage *usage, struct exposition *e)
{
	struct programs programs = { .nr = 0 };

	usage_programs(usage, on_program, &programs);
	exposition_family(e, "bpf_program_missed", EXPOSITION_COUNTER,
			  "Runs that a BPF program missed: it was running already.");
	write_program_family(&programs, PROGRAM_MISSED, e);
	exposition_family(e, "bpf_program_run_seconds", EXPOSITION_COUNTER,
			  "Time that BPF programs ran, if kernel.bpf_stats_enabled.");
	write_program_family(&programs, PROGRAM_SECONDS, e);
	exposition_family(e, "bpf_program_runs", EXPOSITION_COUNTER,
			  "Times that BPF programs ran, if kernel.bpf_stats_enabled.");
	write_program_family(&programs, PROGRAM_RUNS, e);
}

void service_write_kernel(const struct service *service, struct exposition *e)
{
	struct usage *usage = service->probes ? probes_usage(service->probes) : NULL;

	write_info(service, e);
	exposition_family(e, "ready", EXPOSITION_GAUGE,
			  "1: it is attached and can read processes, as /-/ready says.");
	exposition_sample(e, NULL);
	exposition_u64(e, !service_not_ready(service));
	if (!usage)
		return;
	write_ring(usage, e);
	write_maps(service, usage, e);
	write_programs(usage, e);
}
