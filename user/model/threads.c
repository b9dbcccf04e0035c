/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Names of the threads that held the GIL, by target, ident and number.  Few, small, and copied by who shows
 * them: nothing refers to an entry, so the oldest can go at any time.
 */
#include <string.h>

#include "tables.h"

static struct thread *find(const struct model *model, const struct thread_key *key)
{
	struct thread *thread;

	HASH_FIND(hh, model->threads, key, sizeof(*key), thread);
	return thread;
}

static void forget(struct model *model, struct thread *thread)
{
	HASH_DEL(model->threads, thread);
	TAILQ_REMOVE(&model->threads_by_age, thread, age);
	model->nr_threads--;
	model->nr_threads_unasked -= !thread->is_asked;
	free(thread);
}

/* NULL: no room for it, so it stays without a name. */
static struct thread *add(struct model *model, const struct thread_key *key)
{
	struct thread *thread;

	if (!model->bounds.threads)
		return NULL;
	if (model->nr_threads >= model->bounds.threads)
		forget(model, TAILQ_FIRST(&model->threads_by_age));
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->key = *key;
	HASH_ADD(hh, model->threads, key, sizeof(thread->key), thread);
	if (!thread->hh.tbl) {
		free(thread);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&model->threads_by_age, thread, age);
	model->nr_threads++;
	model->nr_threads_unasked++;
	return thread;
}

void threads_use(struct model *model, const struct ev_sleep *ev)
{
	const struct thread_key key = { ev->holder_ident, ev->head.target_id, ev->holder_tid };

	if (ev->off_class == OFF_GIL && ev->holder_ident && !find(model, &key))
		add(model, &key);
}

static void mark_asked(struct model *model, struct thread *thread)
{
	model->nr_threads_unasked -= !thread->is_asked;
	thread->is_asked = true;
}

void threads_add(struct model *model, const struct ev_thread *ev)
{
	const struct thread_key key = { ev->ident, ev->head.target_id, ev->tid };
	struct thread *thread = find(model, &key);

	if (!thread)
		thread = add(model, &key);
	if (!thread)
		return;
	mark_asked(model, thread);
	thread->is_answered = true;
	memcpy(thread->comm, ev->comm, sizeof(thread->comm));
	memcpy(thread->name, ev->name, sizeof(thread->name));
	model->names_changed = true;
}

bool threads_fill(const struct model *model, struct sleep *sleep)
{
	const struct ev_sleep *ev = &sleep->ev;
	const struct thread_key key = { ev->holder_ident, ev->head.target_id, ev->holder_tid };
	const struct thread *thread;

	if (ev->off_class != OFF_GIL || !ev->holder_ident || sleep->holder_name[0])
		return true;
	thread = find(model, &key);
	if (!thread)
		return true; /* forgotten */
	memcpy(sleep->holder_comm, thread->comm, sizeof(sleep->holder_comm));
	memcpy(sleep->holder_name, thread->name, sizeof(sleep->holder_name));
	return thread->is_answered;
}

bool model_next_thread(struct model *model, struct model_thread_want *want)
{
	struct thread *thread;

	if (!model->nr_threads_unasked)
		return false;
	TAILQ_FOREACH (thread, &model->threads_by_age, age) {
		const struct target_entry *target;

		if (thread->is_asked)
			continue;
		target = processes_find(model, thread->key.target_id);
		mark_asked(model, thread);
		if (!target || target->target.info.status != TARGET_OK)
			continue; /* nobody to ask */
		*want = (struct model_thread_want){ &target->target.info, thread->key.ident,
						    thread->key.tid };
		return true;
	}
	return false;
}

void threads_free(struct model *model)
{
	struct thread *thread, *next;

	HASH_ITER (hh, model->threads, thread, next)
		forget(model, thread);
}
