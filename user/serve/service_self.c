/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The daemon's own metrics: what it is, what it costs, what it could not do. */
#include <bpf/libbpf.h>
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "service_state.h"
#include "util.h"

static void put(struct exposition *e, const char *name, enum exposition_type type, const char *help,
		uint64_t value)
{
	exposition_family(e, name, type, help);
	exposition_sample(e, NULL);
	exposition_u64(e, value);
}

static void put_reason(struct exposition *e, const char *reason, uint64_t value)
{
	exposition_sample(e, NULL);
	exposition_label(e, "reason", reason);
	exposition_u64(e, value);
}

static void put_seconds(struct exposition *e, const char *name, enum exposition_type type,
			const char *help, uint64_t ns)
{
	exposition_family(e, name, type, help);
	exposition_sample(e, NULL);
	exposition_seconds(e, ns);
}

static void write_build(struct exposition *e)
{
	exposition_family(e, "build", EXPOSITION_INFO, "What this daemon was built from.");
	exposition_sample(e, NULL);
	exposition_label(e, "version", LOOPHOUND_VERSION);
	exposition_label(e, "libbpf_version", libbpf_version_string());
	exposition_label(e, "compiler", __VERSION__);
	exposition_u64(e, 1);
}

static uint64_t open_fds(void)
{
	struct stat about;
	uint64_t nr = 0;
	DIR *dir;

	if (!stat("/proc/self/fd", &about) && about.st_size)
		return (uint64_t)about.st_size; /* since 6.2 */
	dir = opendir("/proc/self/fd");
	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr > 3 ? nr - 3 : 0; /* ".", ".." and the directory itself */
}

/* Fields of /proc/self/stat behind the name, which may hold anything. */
static void write_process(const struct service *service, struct exposition *e)
{
	cleanup_fclose FILE *file = fopen("/proc/self/stat", "re");
	unsigned long long start = 0, virtual = 0, resident = 0;
	char line[1024] = "";
	struct rusage usage;
	struct rlimit files;
	const char *rest;

	if (file && fgets(line, sizeof(line), file) && (rest = strrchr(line, ')')))
		(void)sscanf(rest + 2,
			     "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			     "%*s %*s %llu %llu %llu",
			     &start, &virtual, &resident);
	if (!getrusage(RUSAGE_SELF, &usage))
		put_seconds(e, "process_cpu_seconds", EXPOSITION_COUNTER, "CPU time of the daemon.",
			    (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
					    NSEC_PER_SEC +
				    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) *
					    NSEC_PER_USEC);
	put_seconds(e, "process_start_time_seconds", EXPOSITION_GAUGE, "When the daemon began.",
		    service->started_wall_ns);
	put(e, "process_resident_memory_bytes", EXPOSITION_GAUGE, "Memory of the daemon.",
	    resident * (uint64_t)sysconf(_SC_PAGESIZE));
	put(e, "process_virtual_memory_bytes", EXPOSITION_GAUGE, "Address space of the daemon.",
	    virtual);
	put(e, "process_open_fds", EXPOSITION_GAUGE, "Open descriptors of the daemon.", open_fds());
	if (!getrlimit(RLIMIT_NOFILE, &files))
		put(e, "process_max_fds", EXPOSITION_GAUGE, "Descriptors that it may have open.",
		    files.rlim_cur);
}

static void write_web(const struct service *service, struct exposition *e)
{
	static const char *const paths[WEB_WHAT_MAX] = {
		[WEB_METRICS] = "/metrics",
		[WEB_METRICS_OPENMETRICS] = "/metrics openmetrics",
		[WEB_BREACHES] = "/api/v1/breaches",
		[WEB_LOOPS] = "/api/v1/loops",
		[WEB_HEALTHY] = "/-/healthy",
		[WEB_READY] = "/-/ready",
		[WEB_LANDING] = "/",
	};
	struct web_client_stats stats;

	web_client_get_stats(service->web, &stats);
	exposition_family(e, "web_requests", EXPOSITION_COUNTER,
			  "Requests that reached the daemon.");
	for (int what = 0; what < WEB_WHAT_MAX; what++) {
		exposition_sample(e, NULL);
		exposition_label(e, "path", paths[what]);
		exposition_u64(e, stats.requests[what]);
	}
	put(e, "web_requests_failed", EXPOSITION_COUNTER, "Of which could not be answered.",
	    stats.failed);
	put(e, "web_process_restarts", EXPOSITION_COUNTER, "Web processes that were replaced.",
	    stats.restarts);
	put_seconds(e, "scrape_duration_seconds", EXPOSITION_GAUGE,
		    "Time that the daemon took to write the scrape before this one.",
		    service->last_scrape_ns);
}

typedef uint64_t table_value(const struct model_size *size);

static uint64_t table_entries(const struct model_size *size)
{
	return size->entries;
}

static uint64_t table_max_entries(const struct model_size *size)
{
	return size->max_entries;
}

static uint64_t table_bytes(const struct model_size *size)
{
	return size->bytes;
}

static uint64_t table_max_bytes(const struct model_size *size)
{
	return size->max_bytes;
}

/* What the daemon itself knows of targets, of tables that are bounded by the model. */
static void write_tables(const struct model *model, struct exposition *e)
{
	static const struct {
		const char *name, *help;
		table_value *value;
		bool is_of_bytes;
	} families[] = {
		{ "table_entries", "Entries of the daemon's own tables.", table_entries, false },
		{ "table_max_entries", "What these have room for.", table_max_entries, false },
		{ "table_bytes", "Bytes of those that have a bound in bytes as well.", table_bytes, true },
		{ "table_max_bytes", "What these have room for.", table_max_bytes, true },
	};
	struct model_size sizes[MODEL_TABLES];

	model_sizes(model, sizes);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		exposition_family(e, families[i].name, EXPOSITION_GAUGE, families[i].help);
		for (size_t k = 0; k < MODEL_TABLES; k++) {
			if (families[i].is_of_bytes && !sizes[k].max_bytes)
				continue;
			exposition_sample(e, NULL);
			exposition_label(e, "table", sizes[k].table);
			exposition_u64(e, families[i].value(&sizes[k]));
		}
	}
}

void service_write_self(const struct service *service, struct exposition *e)
{
	struct sink_stats sink;

	write_build(e);
	service_write_kernel(service, e);
	if (service->model)
		write_tables(service->model, e);
	sink_get_stats(service->sink, &sink);
	put(e, "breach_lines", EXPOSITION_COUNTER, "Lines of breaches that were to be written.",
	    sink.lines);
	exposition_family(e, "breach_lines_held", EXPOSITION_COUNTER,
			  "Of which were more than so many a second, of one target or of all.");
	put_reason(e, "target", sink.held_of_target);
	put_reason(e, "overall", sink.held_overall);
	put(e, "breach_lines_failed", EXPOSITION_COUNTER, "Of which could not be written.",
	    sink.failed);
	put(e, "breaches_folded", EXPOSITION_COUNTER,
	    "Breaches without a line, that are in the count of another one of their site.",
	    service->nr_folded);
	write_web(service, e);
	write_process(service, e);
}
