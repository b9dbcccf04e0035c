/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "numbers.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

#include "entry.h"
#include "util.h"

uint32_t numbers_known(const struct numbers *numbers, pid_t pid)
{
	uint32_t number = (uint32_t)pid, tgid;

	if (numbers->fd < 0)
		return number;
	return bpf_map_lookup_elem(numbers->fd, &number, &tgid) ? 0 : tgid;
}

static void destroy_link(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

/* Kernels before 6.1 take no notice of the filter and tell of all processes. */
static uint32_t ask(const struct numbers *numbers, pid_t pid)
{
	union bpf_iter_link_info info = { .task.tid = (uint32_t)pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	cleanup(destroy_link) struct bpf_link *link =
		bpf_program__attach_iter(numbers->tell, &opts);
	cleanup_fclose FILE *rows = NULL;
	struct process_number row;
	int fd;

	if (!link)
		return 0;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return 0;
	rows = fdopen(fd, "r");
	if (!rows) {
		close(fd);
		return 0;
	}
	while (fread(&row, sizeof(row), 1, rows) == 1)
		if (row.number == (uint32_t)pid)
			return row.tgid;
	return 0;
}

uint32_t numbers_find(const struct numbers *numbers, pid_t pid)
{
	uint32_t number = (uint32_t)pid, tgid;

	if (numbers->fd < 0)
		return number;
	tgid = ask(numbers, pid);
	if (tgid && bpf_map_update_elem(numbers->fd, &number, &tgid, BPF_ANY))
		return 0;
	return tgid;
}

void numbers_forget(const struct numbers *numbers, pid_t pid)
{
	uint32_t number = (uint32_t)pid;

	if (numbers->fd >= 0)
		bpf_map_delete_elem(numbers->fd, &number);
}
