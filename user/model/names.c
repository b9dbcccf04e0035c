/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Code objects: which of them are wanted, what they are called, where their lines are.
 *
 * One is known by target, address and fingerprint.  A forked child's memory is a copy, so what is
 * known of its ancestors' code objects holds for the child too.  Those that no stack uses are idle,
 * and go with their process and all that descend from it; before, the longest idle goes when codes or name_bytes
 * reach their bound; then the longest unused stacks are given up for the sake of new ones.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

#define CO_COROUTINE	   0x80u
#define CO_ASYNC_GENERATOR 0x200u

static struct code *find(const struct model *model, const struct code_key *key)
{
	struct code *code;

	HASH_FIND(hh, model->codes, key, sizeof(*key), code);
	return code;
}

static struct code *find_inherited(const struct model *model, const struct target_entry *target,
				   struct code_key key)
{
	for (uint32_t i = 0; i < target->nr_ancestors; i++) {
		struct code *code;

		key.target_id = target->ancestors[i];
		code = find(model, &key);
		if (code && code->naming == FRAME_NAMED)
			return code;
	}
	return NULL;
}

static void leave_ask_list(struct model *model, struct code *code)
{
	if (code->state == CODE_STATE_QUEUED)
		TAILQ_REMOVE(&code->target->queued, code, ask);
	else if (code->state == CODE_STATE_WANTED)
		TAILQ_REMOVE(&model->wants, code, ask);
	code->state = CODE_STATE_ALONE;
}

static void join_target(struct code *code, struct target_entry *target)
{
	if (code->target || !target || target->id != code->key.target_id)
		return;
	code->target = target;
	LIST_INSERT_HEAD(&target->codes, code, of_target);
}

static void leave_target(struct code *code)
{
	if (code->target)
		LIST_REMOVE(code, of_target);
	code->target = NULL;
}

static void forget(struct model *model, struct code *code)
{
	leave_ask_list(model, code);
	leave_target(code);
	HASH_DEL(model->codes, code);
	model->nr_codes--;
	model->name_bytes -= code->data_bytes;
	free(code->data);
	free(code);
}

/* No process lives that could run it. */
static bool is_released(const struct target_entry *target)
{
	return target && target->target.ended && !target->nr_heirs;
}

static void make_idle(struct model *model, struct code *code)
{
	if (is_released(code->target))
		forget(model, code);
	else
		TAILQ_INSERT_TAIL(&model->idle_codes, code, idle);
}

/* Forgets the longest idle code object; where there is none, unused stacks let go of some. */
static bool forget_idle(struct model *model)
{
	uint32_t nr_before = model->nr_codes;

	while (TAILQ_EMPTY(&model->idle_codes) && model->nr_codes == nr_before)
		if (!stacks_forget_idle(model))
			return false;
	if (model->nr_codes == nr_before)
		forget(model, TAILQ_POP(&model->idle_codes, idle));
	return true;
}

/* A new code object, idle. */
static struct code *add(struct model *model, const struct code_key *key)
{
	struct code *code;

	if (model->nr_codes >= model->bounds.codes && !forget_idle(model))
		return NULL;
	code = calloc(1, sizeof(*code));
	if (!code)
		return NULL;
	code->key = *key;
	code->naming = FRAME_PENDING;
	code->file = code->name = code->function = "?";
	HASH_ADD(hh, model->codes, key, sizeof(code->key), code);
	if (!code->hh.tbl) {
		free(code);
		return NULL;
	}
	model->nr_codes++;
	join_target(code, processes_find(model, key->target_id));
	TAILQ_INSERT_TAIL(&model->idle_codes, code, idle);
	return code;
}

static void want(struct model *model, struct code *code)
{
	code->state = CODE_STATE_WANTED;
	TAILQ_INSERT_TAIL(&model->wants, code, ask);
	model->names_asked++;
}

void model_unwant(struct model *model, const struct model_want *want)
{
	const struct code_key key = {
		.code_addr = want->code_addr,
		.target_id = want->target->head.target_id,
		.fingerprint = want->fingerprint,
	};
	struct code *code = find(model, &key);

	model->wants_held = true;
	model->wants_put_back++;
	if (!code || code->state != CODE_STATE_ASKED)
		return; /* answered or forgotten meanwhile */
	code->state = CODE_STATE_WANTED;
	TAILQ_INSERT_HEAD(&model->wants, code, ask);
}

static void ask_or_queue(struct model *model, struct code *code)
{
	struct target_entry *target = code->target;

	if (!target)
		return;
	if (target->target.info.status == TARGET_OK) {
		want(model, code);
		return;
	}
	code->state = CODE_STATE_QUEUED;
	TAILQ_INSERT_TAIL(&target->queued, code, ask);
}

void names_use(struct model *model, struct frame_use *use, uint32_t target_id,
	       const struct ev_frame *frame)
{
	const struct code_key key = {
		.code_addr = frame->code_addr,
		.target_id = target_id,
		.fingerprint = frame->fingerprint,
	};
	struct target_entry *target = processes_find(model, target_id);
	struct code *code = find(model, &key);

	if (!code && target)
		code = find_inherited(model, target, key);
	if (!code) {
		code = add(model, &key);
		if (!code) {
			model->names_refused++;
			return;
		}
	}
	join_target(code, target); /* it may have been unknown when the code object came */
	if (code->state == CODE_STATE_ALONE)
		ask_or_queue(model, code);
	if (LIST_EMPTY(&code->users))
		TAILQ_REMOVE(&model->idle_codes, code, idle);
	LIST_INSERT_HEAD(&code->users, use, link);
	use->code = code;
}

void names_unuse(struct model *model, struct frame_use *use)
{
	struct code *code = use->code;

	if (!code)
		return;
	LIST_REMOVE(use, link);
	use->code = NULL;
	if (LIST_EMPTY(&code->users) && !code->is_pinned)
		make_idle(model, code);
}

void names_ask(struct model *model, struct target_entry *target)
{
	struct code *code;

	while ((code = TAILQ_POP(&target->queued, ask)))
		want(model, code);
}

static void forget_unused(struct model *model, struct target_entry *target)
{
	struct code *code, *next;

	for (code = LIST_FIRST(&target->codes); code; code = next) {
		next = LIST_NEXT(code, of_target);
		if (!LIST_EMPTY(&code->users) || code->is_pinned)
			continue; /* until make_idle() */
		TAILQ_REMOVE(&model->idle_codes, code, idle);
		forget(model, code);
	}
}

void names_release(struct model *model, struct target_entry *target)
{
	if (is_released(target))
		forget_unused(model, target);
}

void names_abandon(struct model *model, struct target_entry *target)
{
	struct code *code;

	forget_unused(model, target);
	while ((code = LIST_FIRST(&target->codes))) {
		if (code->state == CODE_STATE_QUEUED)
			leave_ask_list(model, code);
		leave_target(code);
	}
}

static enum frame_naming naming_of(const struct ev_code *ev)
{
	switch (ev->status) {
	case CODE_OK: return FRAME_NAMED;
	case CODE_GONE: return FRAME_GONE;
	default: return FRAME_UNREADABLE;
	}
}

/* Copies one name and ends it; a NUL within ends it early.  An empty one becomes instead. */
static const char *copy_name(char **to, const char **from, uint16_t bytes, const char *instead)
{
	char *name = *to;

	memcpy(name, *from, bytes);
	name[bytes] = '\0';
	*from += bytes;
	*to += bytes + 1;
	return *name ? name : instead;
}

static int store(struct model *model, struct code *code, const struct ev_code *ev)
{
	size_t mark_bytes = ev->table_bytes / LINETABLE_STRIDE * sizeof(struct linetable_mark);
	size_t bytes = mark_bytes + ev->filename_bytes + ev->name_bytes + ev->qualname_bytes +
		       ev->table_bytes + 3;
	struct linetable_mark *marks;
	const char *from = ev->data;
	char *to;

	while (model->name_bytes + bytes > model->bounds.name_bytes)
		if (!forget_idle(model))
			return -E2BIG;
	to = malloc(bytes);
	if (!to)
		return -ENOMEM;
	marks = (struct linetable_mark *)to; /* first: they are aligned there */
	code->data = to;
	to += mark_bytes;
	code->data_bytes = bytes;
	model->name_bytes += bytes;
	code->co_flags = ev->co_flags;
	code->file = copy_name(&to, &from, ev->filename_bytes, "?");
	code->name = copy_name(&to, &from, ev->name_bytes, "?");
	code->function = copy_name(&to, &from, ev->qualname_bytes, code->name);
	memcpy(to, from, ev->table_bytes);
	code->table = (struct linetable){
		.bytes = (const uint8_t *)to,
		.size = ev->table_bytes,
		.firstlineno = ev->firstlineno,
		.minor = ev->minor,
		.is_cut = ev->flags & CODE_TABLE_CUT,
		.marks = marks,
	};
	code->table.nr_marks = linetable_mark(&code->table, marks);
	return 0;
}

static int answer(struct model *model, struct code *code, const struct ev_code *ev)
{
	int err = 0;

	/* The first failure counts; a success after it still names the code object. */
	if (ev->status != CODE_OK) {
		if (code->state == CODE_STATE_ANSWERED)
			return 0;
		model->names_failed++;
		code->naming = naming_of(ev);
	} else {
		err = store(model, code, ev);
		code->naming = err ? FRAME_REFUSED : FRAME_NAMED;
		if (err)
			model->names_refused++;
	}
	leave_ask_list(model, code);
	code->state = CODE_STATE_ANSWERED;
	stacks_refresh(code);
	model->names_changed = true;
	return err == -ENOMEM ? err : 0;
}

int names_add(struct model *model, const struct ev_code *ev)
{
	const struct code_key key = {
		.code_addr = ev->code_addr,
		.target_id = ev->head.target_id,
		.fingerprint = ev->fingerprint,
	};
	struct code *code = find(model, &key);
	int err;

	/* An answer to nothing that is known: its stack was lost, or comes again. */
	if (!code)
		code = add(model, &key);
	if (!code) {
		model->names_refused++;
		return 0;
	}
	if (code->naming == FRAME_NAMED || code->naming == FRAME_REFUSED)
		return 0; /* final: said again, it must not cost again */
	/* Making room for its names must not forget the code object itself. */
	if (LIST_EMPTY(&code->users))
		TAILQ_REMOVE(&model->idle_codes, code, idle);
	code->is_pinned = true;
	err = answer(model, code, ev);
	code->is_pinned = false;
	if (LIST_EMPTY(&code->users))
		make_idle(model, code);
	return err;
}

void names_fill(struct frame *frame, const struct frame_use *use)
{
	const struct code *code = use->code;

	memset(frame, 0, sizeof(*frame));
	frame->function = frame->name = frame->file = "?";
	frame->naming = code ? code->naming : FRAME_REFUSED;
	if (frame->naming != FRAME_NAMED)
		return;
	frame->function = code->function;
	frame->name = code->name;
	frame->file = code->file;
	frame->co_flags = code->co_flags;
	frame->is_coroutine = code->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR);
	frame->line = linetable_line(&code->table, use->offset_bytes);
}

void names_free(struct model *model)
{
	struct code *code, *next;

	HASH_ITER (hh, model->codes, code, next)
		forget(model, code);
}
