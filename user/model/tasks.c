/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Names of tasks by task_id.  The kernel half sends a name once, before the first record that refers to
 * it, and again when it has forgotten that; more are kept here than it remembers, and the one that
 * was not looked at for longest goes first.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tables.h"
#include "utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"
/* A NUL, one byte, becomes U+FFFD, three; nothing grows more. */
#define NAME_BYTES (3 * EV_TASK_NAME_BYTES + sizeof(ELLIPSIS))

struct task {
	uint64_t id;
	bool is_callback;
	UT_hash_handle hh;
	TAILQ_ENTRY(task) used; /* the latest last */
	char name[];
};

static void forget(struct model *model, struct task *task)
{
	TAILQ_REMOVE(&model->tasks_used, task, used);
	HASH_DEL(model->tasks, task);
	model->nr_tasks--;
	free(task);
}

static size_t write_name(const struct ev_task *ev, char name[NAME_BYTES])
{
	size_t used = 0, nr;

	if (!ev->kind && !ev->name_bytes)
		return (size_t)snprintf(name, NAME_BYTES, "Task-%" PRIu64, (uint64_t)ev->number);
	nr = ev->kind ? ev->name_bytes / ev->kind : 0;
	for (size_t i = 0; i < nr; i++) {
		uint32_t c = utf8_character(ev->name, i, ev->kind);

		used += utf8_put(c ? c : 0xfffd, name + used);
	}
	if (ev->is_cut) {
		memcpy(name + used, ELLIPSIS, sizeof(ELLIPSIS) - 1);
		used += sizeof(ELLIPSIS) - 1;
	}
	return used;
}

static struct task *find(const struct model *model, uint64_t id)
{
	struct task *task;

	HASH_FIND(hh, model->tasks, &id, sizeof(id), task);
	return task;
}

int tasks_add(struct model *model, const struct ev_task *ev)
{
	struct task *task = find(model, ev->task_id);
	char name[NAME_BYTES];
	size_t bytes;

	if (task || !ev->task_id || !model->bounds.tasks)
		return 0;
	bytes = write_name(ev, name);
	while (model->nr_tasks >= model->bounds.tasks)
		forget(model, TAILQ_FIRST(&model->tasks_used));
	task = malloc(sizeof(*task) + bytes + 1);
	if (!task)
		return -ENOMEM;
	task->id = ev->task_id;
	task->is_callback = ev->is_callback;
	memcpy(task->name, name, bytes);
	task->name[bytes] = '\0';
	HASH_ADD(hh, model->tasks, id, sizeof(task->id), task);
	if (!task->hh.tbl) {
		free(task);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&model->tasks_used, task, used);
	model->nr_tasks++;
	return 0;
}

const char *tasks_name(struct model *model, uint64_t id, const char **builtin)
{
	struct task *task = id ? find(model, id) : NULL;

	*builtin = NULL;
	if (!task)
		return NULL;
	TAILQ_REMOVE(&model->tasks_used, task, used);
	TAILQ_INSERT_TAIL(&model->tasks_used, task, used);
	if (!task->is_callback)
		return task->name;
	*builtin = task->name;
	return NULL;
}

void tasks_fill(struct model *model, struct draft *draft)
{
	for (uint32_t i = 0; i < draft->iteration.nr_sleeps; i++) {
		struct sleep *sleep = &draft->sleeps[i];

		sleep->task = tasks_name(model, sleep->ev.task_id, &sleep->builtin);
	}
	for (uint32_t i = 0; i < draft->iteration.nr_samples; i++) {
		struct sample *sample = &draft->samples[i];

		sample->task = tasks_name(model, sample->task_id, &sample->builtin);
	}
	for (uint32_t i = 0; i < draft->iteration.nr_gcs; i++) {
		struct gc_run *run = &draft->gcs[i];

		run->task = tasks_name(model, run->ev.task_id, &run->builtin);
	}
	for (uint32_t i = 0; i < draft->iteration.nr_imports; i++) {
		struct import_run *run = &draft->imports[i];

		run->task = tasks_name(model, run->ev.task_id, &run->builtin);
	}
}

void tasks_free(struct model *model)
{
	while (model->nr_tasks)
		forget(model, TAILQ_FIRST(&model->tasks_used));
}
