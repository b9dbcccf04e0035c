/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pyprobes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

#include "detacher.h"
#include "log.h"
#include "multi.h"
#include "probes.h"
#include "util.h"

/*
 * Without uprobe_multi the end of a watch waits about 0.3 s for each (detacher.h): some ten seconds at
 * most.  With it the bound is what each hit costs: the kernel asks every attachment whether it is its process.
 */
#define MAX_ATTACHED_SINGLE 32
#define MAX_ATTACHED	    256
#define LINKS_OF_ONE	    PROBE_MAX /* with uprobe_multi: one for all sites of a probe */
#define FILES_FOR_THE_REST  128

/* One or the other. */
struct link {
	struct bpf_link *single;
	int multi_fd;
};

struct attached {
	uint32_t target_id; /* 0: free */
	unsigned nr;
	struct link links[PROBE_MAX_SITES];
};

struct pyprobes {
	struct bpf_program *programs[PROBE_MAX];
	bool is_multi;
	unsigned max_attached;
	bool has_said_full;
	bool is_over; /* attaches to no more */
	struct attached attached[MAX_ATTACHED];
	struct detacher *detacher; /* its owner's */
};

static void end_link(struct pyprobes *pyprobes, struct link link)
{
	if (link.single)
		detacher_destroy(pyprobes->detacher, link.single);
	else
		detacher_close(pyprobes->detacher, link.multi_fd);
}

/* What the limit on open files allows: it is the user's, and a program that we start has it too. */
static unsigned max_attached(bool is_multi)
{
	struct rlimit files = { 0 };

	if (!is_multi)
		return MAX_ATTACHED_SINGLE;
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < FILES_FOR_THE_REST)
		return 0;
	return (unsigned)min((files.rlim_cur - FILES_FOR_THE_REST) / LINKS_OF_ONE, (rlim_t)MAX_ATTACHED);
}

int pyprobes_new(struct pyprobes **out, struct bpf_program *const programs[PROBE_MAX], bool is_multi,
		 struct detacher *detacher)
{
	struct pyprobes *pyprobes = calloc(1, sizeof(*pyprobes));

	if (!pyprobes)
		return -ENOMEM;
	pyprobes->detacher = detacher;
	memcpy(pyprobes->programs, programs, sizeof(pyprobes->programs));
	pyprobes->is_multi = is_multi;
	pyprobes->max_attached = max_attached(is_multi);
	*out = pyprobes;
	return 0;
}

static void let_go(struct pyprobes *pyprobes, struct attached *attached)
{
	for (unsigned i = 0; i < attached->nr; i++)
		end_link(pyprobes, attached->links[i]);
	*attached = (struct attached){ 0 };
}

static void let_go_of_all(struct pyprobes *pyprobes)
{
	pyprobes->is_over = true;
	for (unsigned i = 0; i < pyprobes->max_attached; i++)
		let_go(pyprobes, &pyprobes->attached[i]);
}

void pyprobes_free(struct pyprobes *pyprobes)
{
	if (!pyprobes)
		return;
	let_go_of_all(pyprobes);
	free(pyprobes);
}

static struct attached *find(struct pyprobes *pyprobes, uint32_t target_id)
{
	for (unsigned i = 0; i < pyprobes->max_attached; i++)
		if (pyprobes->attached[i].target_id == target_id)
			return &pyprobes->attached[i];
	return NULL;
}

/* Every site of the probe can be used, and there is one. */
static bool is_usable(const struct ev_probes *where, unsigned probe)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < where->nr_sites; i++) {
		if (where->sites[i].probe != probe)
			continue;
		if (where->sites[i].status != PROBE_SITE_OK)
			return false;
		nr++;
	}
	return nr > 0;
}

static int attach_site(struct pyprobes *pyprobes, struct attached *attached, const char *path,
		       const struct ev_probes *where, const struct ev_probe_site *site)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = site->semaphore,
		    .bpf_cookie = site->argument);
	struct bpf_link *link;

	link = bpf_program__attach_uprobe_opts(pyprobes->programs[site->probe], (pid_t)where->pid, path,
					       site->offset, &opts);
	if (!link)
		return -errno;
	attached->links[attached->nr++] = (struct link){ .single = link };
	return 0;
}

static int attach_multi(struct pyprobes *pyprobes, struct attached *attached, const char *path,
			const struct ev_probes *where, unsigned probe)
{
	uint64_t offsets[PROBE_MAX_SITES], semaphores[PROBE_MAX_SITES], cookies[PROBE_MAX_SITES];
	unsigned nr = 0;
	int fd;

	for (unsigned i = 0; i < where->nr_sites; i++) {
		if (where->sites[i].probe != probe)
			continue;
		offsets[nr] = where->sites[i].offset;
		semaphores[nr] = where->sites[i].semaphore;
		cookies[nr++] = where->sites[i].argument;
	}
	fd = uprobe_multi_attach(bpf_program__fd(pyprobes->programs[probe]), (pid_t)where->pid, path, nr,
				 offsets, semaphores, cookies);
	if (fd < 0)
		return fd;
	attached->links[attached->nr++] = (struct link){ .multi_fd = fd };
	return 0;
}

/* To all sites of the probe. */
static int attach_probe(struct pyprobes *pyprobes, struct attached *attached, const struct ev_probes *where,
			unsigned probe)
{
	char path[96];
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, where->pid,
		 (uint64_t)where->map_start, (uint64_t)where->map_end);
	if (pyprobes->is_multi)
		return attach_multi(pyprobes, attached, path, where, probe);
	for (unsigned i = 0; i < where->nr_sites && !err; i++)
		if (where->sites[i].probe == probe)
			err = attach_site(pyprobes, attached, path, where, &where->sites[i]);
	return err;
}

/* `done` first: a start whose end goes unseen would be worse than the other way round. */
static int attach_pair(struct pyprobes *pyprobes, struct attached *attached,
		       const struct ev_probes *where, unsigned start, unsigned done)
{
	const unsigned order[] = { done, start };
	unsigned nr_before = attached->nr;
	int err = 0;

	if (!is_usable(where, start) || !is_usable(where, done))
		return -ENOENT;
	for (unsigned k = 0; k < ARRAY_SIZE(order) && !err; k++)
		err = attach_probe(pyprobes, attached, where, order[k]);
	while (err && attached->nr > nr_before)
		end_link(pyprobes, attached->links[--attached->nr]);
	return err;
}

/* All sites or none: which of them an event comes from depends on who calls. */
static int attach_audit(struct pyprobes *pyprobes, struct attached *attached, const struct ev_probes *where)
{
	unsigned nr_before = attached->nr;
	int err;

	if (!pyprobes->programs[PROBE_AUDIT])
		return 0;
	if (!is_usable(where, PROBE_AUDIT))
		return -ENOENT;
	err = attach_probe(pyprobes, attached, where, PROBE_AUDIT);
	while (err && attached->nr > nr_before)
		end_link(pyprobes, attached->links[--attached->nr]);
	return err;
}

int pyprobes_attach(struct pyprobes *pyprobes, const struct ev_probes *where)
{
	struct attached *attached = find(pyprobes, where->head.target_id);
	int gc_err, import_err, audit_err;

	if (attached)
		return (int)attached->nr;
	if (pyprobes->is_over)
		return -ENOENT;
	if (where->nr_sites > PROBE_MAX_SITES)
		return -EINVAL;
	attached = find(pyprobes, 0);
	if (!attached) {
		if (!pyprobes->has_said_full)
			log_write(LOG_NOTE, "more than %u processes have USDT probes: the collector and imports of "
				  "the others are estimated", pyprobes->max_attached);
		pyprobes->has_said_full = true;
		return -ENOSPC;
	}
	gc_err = attach_pair(pyprobes, attached, where, PROBE_GC_START, PROBE_GC_DONE);
	import_err = attach_pair(pyprobes, attached, where, PROBE_IMPORT_START, PROBE_IMPORT_DONE);
	audit_err = attach_audit(pyprobes, attached, where);
	if (gc_err || import_err || audit_err)
		log_debug("probes of process %u: gc %s, import %s, audit %s", where->pid, strerror(-gc_err),
			  strerror(-import_err), strerror(-audit_err));
	if (!attached->nr)
		return gc_err;
	attached->target_id = where->head.target_id;
	return (int)attached->nr;
}

void pyprobes_detach(struct pyprobes *pyprobes, uint32_t target_id)
{
	struct attached *attached = target_id ? find(pyprobes, target_id) : NULL;

	if (target_id == PROBES_OF_ALL)
		let_go_of_all(pyprobes);
	else if (attached)
		let_go(pyprobes, attached);
}
