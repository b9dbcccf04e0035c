/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "parts.h"

#include <bpf/btf.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_btf.h"
#include "log.h"
#include "util.h"

#define MAX_PROGRAMS 64
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* some hosts allow no other */
#endif

/*
 * The rest is the first part.  Each takes the verifier about half of its time: most of that goes by instructions
 * (tests/bpf/test_budget), some by loads of pointers, which are in the first part.
 */
static const char *const second_part[] = {
	"on_gc_start",	   "on_gc_done",	 "on_import_start", "on_import_done",
	"on_audit",	   "on_latent_exit",	 "on_tcp_state",    "on_tcp_destroy",
	"on_connect_exit", "on_accept_exit",	 "on_listen_exit",  "on_close_exit",
	"on_dup_exit",	   "on_exit_streams",	 "on_socket_exit",  "look_through_files",
	"look_through_sockets", "on_exec",
};

/* What one of the two threads works on. */
struct job {
	const struct bpf_object_skeleton *skeleton;
	const bool *is_wanted; /* by the skeleton's programs */
	const char *btf_path; /* of the kernel's types; NULL: the kernel's own file */
	unsigned part;
	struct bpf_object *obj;
	int err;
};

static unsigned part_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(second_part); i++)
		if (!strcmp(program, second_part[i]))
			return 1;
	return 0;
}

static int open_file(struct parts_file *file)
{
	file->fd = memfd_create("btf", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (file->fd < 0) /* before 6.3 */
		file->fd = memfd_create("btf", MFD_CLOEXEC);
	if (file->fd < 0)
		return -errno;
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	return 0;
}

int parts_open(struct parts *parts, struct bpf_object_open_opts *opts)
{
	int err = open_file(&parts->own);

	opts->btf_custom_path = parts->own.path;
	return err;
}

/*
 * libbpf relocates functions whether or not a program that calls them is loaded, and looks for each of their types
 * among all of the kernel's.  An object that loads none may as well find them among its own.
 */
static int write_btf(const struct bpf_object *obj, int fd)
{
	uint32_t bytes;
	const void *data = btf__raw_data(bpf_object__btf(obj), &bytes);

	if (!data)
		return -errno;
	return write(fd, data, bytes) == (ssize_t)bytes ? 0 : -EIO;
}

static void choose_programs(const struct job *job)
{
	for (int i = 0; i < job->skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *from = &job->skeleton->progs[i];
		struct bpf_program *to = bpf_object__find_program_by_name(job->obj, from->name);

		bpf_program__set_autoload(to, job->is_wanted[i] && part_of(from->name) == job->part);
		bpf_program__set_autoattach(to, bpf_program__autoattach(*from->prog));
		bpf_program__set_expected_attach_type(to, bpf_program__expected_attach_type(*from->prog));
	}
}

/* They are in the same order: both objects are of the same bytes. */
static int take_maps(const struct job *job)
{
	const struct bpf_map *from = NULL;
	struct bpf_map *to = NULL;
	int err = 0;

	while (!err && (from = bpf_object__next_map(*job->skeleton->obj, from)) &&
	       (to = bpf_object__next_map(job->obj, to)))
		err = bpf_map__fd(from) < 0 ? bpf_map__set_autocreate(to, false)
					    : bpf_map__reuse_fd(to, bpf_map__fd(from));
	return err;
}

static void *load_part(void *arg)
{
	struct job *job = arg;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = job->skeleton->name,
		    .btf_custom_path = job->btf_path);

	job->obj = bpf_object__open_mem(job->skeleton->data, job->skeleton->data_sz, &opts);
	if (!job->obj) {
		job->err = -errno;
		return NULL;
	}
	choose_programs(job);
	job->err = take_maps(job);
	if (!job->err)
		job->err = bpf_object__load(job->obj);
	return NULL;
}

/* Runs beside what its caller does until it joins it; at once where there is no thread to be had. */
static bool start(pthread_t *thread, void *(*function)(void *), void *arg)
{
	bool is_started = !pthread_create(thread, NULL, function, arg);

	if (!is_started)
		function(arg);
	return is_started;
}

static void load_parts(struct job *jobs)
{
	pthread_t thread;
	bool is_started = start(&thread, load_part, &jobs[1]);

	load_part(&jobs[0]);
	if (is_started)
		pthread_join(thread, NULL);
}

/* What is known of the kernel's types. */
struct types {
	struct kernel_btf_names names;
	struct parts_file file;
	int err;
};

static void *write_types(void *arg)
{
	struct types *types = arg;

	types->err = kernel_btf_write(&types->names, types->file.fd);
	return NULL;
}

/* The kernel's types are read meanwhile. */
static int create_maps(const struct parts *parts, struct bpf_object_skeleton *skeleton, struct types *types)
{
	pthread_t thread;
	bool is_started;
	int err = kernel_btf_names(bpf_object__btf(*skeleton->obj), &types->names);

	if (err)
		return err;
	err = write_btf(*skeleton->obj, parts->own.fd);
	is_started = start(&thread, write_types, types);
	if (!err)
		err = bpf_object__load_skeleton(skeleton);
	if (is_started)
		pthread_join(thread, NULL);
	kernel_btf_free(&types->names);
	if (types->err)
		log_debug("the kernel's types: %s", strerror(-types->err));
	return err;
}

static void take_programs(const struct parts *parts, struct bpf_object_skeleton *skeleton)
{
	for (int i = 0; i < skeleton->prog_cnt; i++) {
		struct bpf_prog_skeleton *program = &skeleton->progs[i];

		*program->prog =
			bpf_object__find_program_by_name(parts->objects[part_of(program->name)], program->name);
	}
}

int parts_load(struct parts *parts, struct bpf_object_skeleton *skeleton)
{
	bool is_wanted[MAX_PROGRAMS];
	struct job jobs[PARTS_NR];
	struct types types;
	int err = skeleton->prog_cnt > MAX_PROGRAMS ? -E2BIG : open_file(&types.file);
	cleanup_close int types_fd = err ? -1 : types.file.fd;

	for (int i = 0; !err && i < skeleton->prog_cnt; i++) {
		is_wanted[i] = bpf_program__autoload(*skeleton->progs[i].prog);
		err = bpf_program__set_autoload(*skeleton->progs[i].prog, false);
	}
	if (!err)
		err = create_maps(parts, skeleton, &types);
	if (err)
		return err;
	for (unsigned i = 0; i < PARTS_NR; i++)
		jobs[i] = (struct job){ skeleton, is_wanted, types.err ? NULL : types.file.path, .part = i };
	load_parts(jobs);
	for (unsigned i = 0; i < PARTS_NR; i++) {
		parts->objects[i] = jobs[i].obj;
		err = err ? err : jobs[i].err;
	}
	if (!err)
		take_programs(parts, skeleton);
	return err;
}

void parts_close(struct parts *parts)
{
	for (unsigned i = 0; i < PARTS_NR; i++)
		bpf_object__close(take(parts->objects[i]));
	if (parts->own.path[0])
		close(parts->own.fd);
	parts->own.path[0] = '\0';
}
