/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lines that there was no room for are told by one line a second that says how many, and whose. */
#include <string.h>

#include "facts.h"
#include "journal.h"
#include "json.h"
#include "service_state.h"
#include "util.h"

static void put_line(const struct service *service, FILE *out, const struct ration_held *held,
		     uint64_t now_ns)
{
	struct json json = { .out = out };
	char time[FACTS_TIME_LEN];

	facts_time(&service->session, now_ns, time);
	json_object(&json, NULL);
	json_string(&json, "schema", "loophound/1");
	json_string(&json, "type", "held");
	json_u64(&json, "ts_ns", now_ns);
	json_string(&json, "time", time);
	json_u64(&json, "lines", held->of_target + held->overall);
	json_object(&json, "by_reason");
	json_u64(&json, "target", held->of_target);
	json_u64(&json, "overall", held->overall);
	json_object_end(&json);
	json_array(&json, "targets");
	for (unsigned i = 0; i < held->nr_worst; i++) {
		json_object(&json, NULL);
		json_u64(&json, "pid", held->worst[i].pid);
		json_u64(&json, "lines", held->worst[i].lines);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
}

void service_tell_held(struct service *service, uint64_t now_ns)
{
	cleanup_free char *line = NULL, *entry = NULL;
	size_t bytes = 0, entry_bytes = 0;
	struct ration_held held;
	FILE *out;

	if (!sink_tick(service->sink, now_ns, &held))
		return;
	out = open_memstream(&line, &bytes);
	if (!out)
		return;
	put_line(service, out, &held, now_ns);
	if (fclose(out))
		return;
	if (sink_wants_entry(service->sink)) {
		out = open_memstream(&entry, &entry_bytes);
		if (!out)
			return;
		journal_write_held(out, &held, line);
		if (fclose(out))
			return;
	}
	sink_note(service->sink, line, bytes, entry, entry_bytes);
}
