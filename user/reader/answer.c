/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Checks the reader's answers and makes up those that it owes. */
#include "answer.h"

#include <string.h>

#include "identify.h"
#include "pycode.h"
#include "tasks.h"
#include "threads.h"
#include "util.h"

static bool ends(const char *text, size_t room)
{
	return memchr(text, '\0', room) != NULL;
}

static bool is_valid_target(const struct protocol_request *request, const struct ev_target *target,
			    size_t bytes)
{
	return bytes == sizeof(*target) && target->status < TARGET_STATUS_MAX &&
	       target->pid == (__u32)request->pid &&
	       (target->status == TARGET_OK) == (target->layout.valid == 1) &&
	       ends(target->comm, sizeof(target->comm)) && ends(target->exe, sizeof(target->exe)) &&
	       ends(target->container, sizeof(target->container)) &&
	       ends(target->reason, sizeof(target->reason)) &&
	       target->container_kind < CONTAINER_KIND_MAX &&
	       ends(target->unit, sizeof(target->unit)) && ends(target->pod, sizeof(target->pod));
}

static bool is_valid_code(const struct protocol_request *request, const struct ev_code *code,
			  size_t bytes)
{
	return bytes >= sizeof(*code) && code->status < CODE_STATUS_MAX &&
	       code->code_addr == request->code_addr && code->fingerprint == request->fingerprint &&
	       code->filename_bytes <= EV_NAME_MAX && code->name_bytes <= EV_NAME_MAX &&
	       code->qualname_bytes <= EV_NAME_MAX && code->table_bytes <= EV_TABLE_MAX &&
	       bytes - sizeof(*code) == (size_t)code->filename_bytes + code->name_bytes +
						code->qualname_bytes + code->table_bytes;
}

static bool is_valid_thread(const struct protocol_request *request, const struct ev_thread *thread,
			    size_t bytes)
{
	return bytes == sizeof(*thread) && thread->ident == request->ident &&
	       thread->tid == request->tid && ends(thread->comm, sizeof(thread->comm)) &&
	       ends(thread->name, sizeof(thread->name));
}

static bool is_valid_probes(const struct protocol_request *request, const struct ev_probes *probes,
			    size_t bytes)
{
	if (bytes != sizeof(*probes) || probes->pid != (__u32)request->pid ||
	    probes->nr_sites > PROBE_MAX_SITES)
		return false;
	for (unsigned i = 0; i < probes->nr_sites; i++)
		if (probes->sites[i].probe >= PROBE_MAX ||
		    probes->sites[i].status >= PROBE_SITE_STATUS_MAX)
			return false;
	return true;
}

static bool is_valid_loops(const struct protocol_request *request, const struct ev_loops *loops,
			   size_t bytes)
{
	if (bytes != sizeof(*loops) || loops->pid != (__u32)request->pid || loops->nr > EV_MAX_LOOPS)
		return false;
	for (unsigned i = 0; i < loops->nr; i++)
		if (loops->loops[i].kind >= LOOP_KIND_MAX)
			return false;
	return true;
}

static bool is_valid_tasks(const struct protocol_request *request, const struct ev_tasks *tasks,
			   size_t bytes)
{
	bool has_numbers = tasks->status == TASKS_OK || tasks->status == TASKS_CUT;

	return bytes == sizeof(*tasks) && tasks->pid == (__u32)request->pid &&
	       tasks->status < TASKS_STATUS_MAX && tasks->nr_loops <= (has_numbers ? EV_MAX_LOOPS : 0u);
}

bool answer_is_valid(const struct protocol_request *request, const struct ev_head *record,
		     size_t bytes)
{
	if (bytes < sizeof(*record) || record->size != bytes)
		return false;
	if (request->kind == PROTOCOL_TARGET)
		return record->type == EV_TARGET &&
		       is_valid_target(request, (const struct ev_target *)record, bytes);
	if (request->kind == PROTOCOL_THREAD)
		return record->type == EV_THREAD &&
		       is_valid_thread(request, (const struct ev_thread *)record, bytes);
	if (request->kind == PROTOCOL_PROBES)
		return record->type == EV_PROBES &&
		       is_valid_probes(request, (const struct ev_probes *)record, bytes);
	if (request->kind == PROTOCOL_LOOPS)
		return record->type == EV_LOOPS &&
		       is_valid_loops(request, (const struct ev_loops *)record, bytes);
	if (request->kind == PROTOCOL_TASKS)
		return record->type == EV_TASKS &&
		       is_valid_tasks(request, (const struct ev_tasks *)record, bytes);
	return record->type == EV_CODE &&
	       is_valid_code(request, (const struct ev_code *)record, bytes);
}

bool answer_is_ok(const struct ev_head *record)
{
	if (record->type == EV_TARGET)
		return ((const struct ev_target *)record)->status == TARGET_OK;
	if (record->type == EV_THREAD)
		return ((const struct ev_thread *)record)->name[0];
	return ((const struct ev_code *)record)->status == CODE_OK;
}

void answer_make_stuck(const struct protocol_request *request, union answer_stuck *stuck)
{
	if (request->kind == PROTOCOL_CODE) {
		pycode_fail(&stuck->code, &request->layout, request->code_addr,
			    request->fingerprint, CODE_STUCK);
		return;
	}
	if (request->kind == PROTOCOL_THREAD) {
		threads_begin(request->ident, request->tid, &stuck->thread);
		return;
	}
	if (request->kind == PROTOCOL_TASKS) {
		tasks_begin(TASKS_STUCK, (uint32_t)request->pid, &stuck->tasks);
		return;
	}
	memset(stuck, 0, sizeof(*stuck));
	if (request->kind == PROTOCOL_PROBES) {
		stuck->head.type = EV_PROBES;
		stuck->head.size = sizeof(stuck->probes);
		stuck->head.loop_id = EV_NO_LOOP;
		stuck->probes.pid = (__u32)request->pid;
		return;
	}
	if (request->kind == PROTOCOL_LOOPS) {
		stuck->head.type = EV_LOOPS;
		stuck->head.size = sizeof(stuck->loops);
		stuck->head.loop_id = EV_NO_LOOP;
		stuck->loops.pid = (__u32)request->pid;
		return;
	}
	stuck->head.type = EV_TARGET;
	stuck->head.size = sizeof(stuck->target);
	stuck->head.loop_id = EV_NO_LOOP;
	stuck->target.pid = (__u32)request->pid;
	stuck->target.uid = stuck->target.manager_uid = EV_NO_UID;
	stuck->target.status = TARGET_STUCK;
	snprintf(stuck->target.reason, sizeof(stuck->target.reason), "%s",
		 identify_reason(TARGET_STUCK));
}
