/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of the collector and of imports join their iteration; what they lack is estimated by
 * stacks. */
#include "records.h"

enum { HANDLER = 100, LOADER = 101, MODULE = 102, RUN_ONCE = 103 };
enum { OUTSIDE = 1, IMPORTING = 2 }; /* stacks */

static void add_named(struct model *model, uint64_t addr, const char *file, const char *name)
{
	struct {
		struct ev_code ev;
		char data[128];
	} rec = { .ev = { .head = { .type = EV_CODE, .target_id = 1, .loop_id = EV_NO_LOOP },
			  .code_addr = addr,
			  .fingerprint = 77,
			  .firstlineno = 10,
			  .minor = 11 } };

	rec.ev.filename_bytes = (uint16_t)strlen(file);
	rec.ev.name_bytes = (uint16_t)strlen(name);
	snprintf(rec.data, sizeof(rec.data), "%s%s", file, name);
	rec.ev.head.size = (uint32_t)(sizeof(rec.ev) + strlen(rec.data));
	add(model, &rec);
}

static void add_frames(struct model *model, uint64_t id, const uint64_t *codes, unsigned nr)
{
	struct {
		struct ev_stack ev;
		struct ev_frame frames[8];
	} rec = { .ev = { .head = { .type = EV_STACK, .target_id = 1, .loop_id = EV_NO_LOOP },
			  .stack_id = id,
			  .nr_frames = (uint16_t)nr } };

	rec.ev.head.size = (uint32_t)(sizeof(rec.ev) + nr * sizeof(rec.frames[0]));
	for (unsigned i = 0; i < nr; i++)
		rec.frames[i] = (struct ev_frame){ codes[i], 2, 77 };
	add(model, &rec);
}

static struct model *started(void)
{
	const uint64_t outside[] = { HANDLER, RUN_ONCE },
		       importing[] = { MODULE, LOADER, HANDLER, RUN_ONCE };
	struct model *model = new_model(&model_default_bounds);

	add_target(model, 1, TARGET_OK);
	add_loop(model, 1, 0, 1001);
	add_frames(model, OUTSIDE, outside, 2);
	add_frames(model, IMPORTING, importing, 4);
	add_named(model, HANDLER, "/srv/app.py", "handler");
	add_named(model, LOADER, "<frozen importlib._bootstrap>", "_find_and_load");
	add_named(model, MODULE, "/srv/reports.py", "<module>");
	add_named(model, RUN_ONCE, "/usr/lib/python3.11/asyncio/base_events.py", "_run_once");
	return model;
}

static void sample(struct model *model, uint64_t stack, uint32_t within)
{
	struct ev_sample ev = { HEAD(SAMPLE, 1, 0), .iteration = 1, .stack_id = stack,
				.within = within };

	add(model, &ev);
}

static struct ev_iteration end_with(uint64_t gc_ns, uint64_t import_ns)
{
	struct ev_iteration ev = { HEAD(ITERATION, 1, 0),
				   .iteration = 1,
				   .start_ns = 100,
				   .end_ns = 1109,
				   .on_cpu_ns = 1000,
				   .gc_on_cpu_ns = gc_ns,
				   .import_on_cpu_ns = import_ns };

	ev.off_ns[OFF_SYSCALL] = 9;
	return ev;
}

static void records_join_their_iteration(void **state)
{
	struct ev_gc gc = { .head = { EV_GC, sizeof(gc), 0, 1, 0 },
			    .iteration = 1,
			    .stack_id = OUTSIDE,
			    .total_ns = 300 };
	struct ev_import import = { .head = { EV_IMPORT, sizeof(import), 0, 1, 0 },
				    .iteration = 1,
				    .stack_id = OUTSIDE,
				    .module = "reports" };
	struct ev_iteration end = end_with(300, 0);
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	for (unsigned i = 0; i < 100; i++) { /* more than are kept */
		add(model, &gc);
		add(model, &import);
	}
	add(model, &end);
	it = model_next_iteration(model);
	assert_in_range(it->nr_gcs, 1, 99);
	assert_in_range(it->nr_imports, 1, 99);
	assert_string_equal(it->gcs[it->nr_gcs - 1].stack->frames[0].name, "handler");
	assert_string_equal(it->imports[0].ev.module, "reports");
	assert_int_equal(it->ev.flags, 0);
	add_iteration(model, 1, 0, 2, 0, 0);
	assert_int_equal(model_next_iteration(model)->nr_gcs, 0);
	model_free(model);
}

static void imports_that_no_probe_saw_are_estimated(void **state)
{
	struct ev_iteration end = end_with(200, 0);
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	sample(model, OUTSIDE, IN_GC);
	sample(model, OUTSIDE, 0);
	sample(model, IMPORTING, 0);
	sample(model, IMPORTING, 0);
	sample(model, IMPORTING, 0);
	sample(model, IMPORTING, IN_GC); /* the collector's, wherever it runs */
	add_sleep(model, 0, 1, IMPORTING, 500, 3);
	end.nr_sleeps = 1;
	end.nr_samples = 6;
	add(model, &end);
	it = model_next_iteration(model);
	assert_int_equal(it->ev.gc_on_cpu_ns, 200);
	assert_int_equal(it->ev.import_on_cpu_ns,
			 600); /* three of four samples that are not the collector's */
	assert_int_equal(it->import_guess_ns, 600);
	assert_int_equal(it->ev.import_asleep_ns, 9);
	assert_int_equal(it->ev.flags, ITERATION_IMPORT_ESTIMATED);
	assert_int_equal(it->samples[2].within, IN_IMPORT | IN_ESTIMATED);
	assert_int_equal(it->samples[5].within, IN_GC);
	assert_int_equal(it->sleeps[0].ev.within, IN_IMPORT | IN_ESTIMATED);
	assert_false(it->is_incomplete);
	model_free(model);
}

static void what_probes_saw_is_not_estimated_again(void **state)
{
	struct ev_iteration end = end_with(0, 700);
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	sample(model, IMPORTING, IN_IMPORT);
	sample(model, OUTSIDE, 0);
	end.nr_samples = 2;
	add(model, &end);
	it = model_next_iteration(model);
	assert_int_equal(it->ev.import_on_cpu_ns, 700);
	assert_int_equal(it->import_guess_ns, 0);
	assert_int_equal(it->ev.flags, 0);
	model_free(model);
}

static void one_under_way_is_known_by_its_samples(void **state)
{
	struct ev_ongoing ev = { HEAD(ONGOING, 1, 0), .so_far = end_with(0, 0) };
	struct model *model = started();
	const struct iteration *it;

	(void)state;
	memset(&ev.so_far.head, 0, sizeof(ev.so_far.head));
	ev.so_far.iteration = 0;
	ev.so_far.start_ns = 100;
	ev.so_far.end = ITERATION_UNDER_WAY;
	sample(model, OUTSIDE, IN_GC);
	sample(model, OUTSIDE, IN_GC);
	sample(model, IMPORTING, IN_IMPORT);
	sample(model, OUTSIDE, 0);
	add(model, &ev);
	it = model_next_iteration(model);
	assert_int_equal(it->ev.gc_on_cpu_ns, 500);
	assert_int_equal(it->ev.import_on_cpu_ns, 250);
	assert_int_equal(it->ev.flags, ITERATION_GC_ESTIMATED | ITERATION_IMPORT_ESTIMATED);
	model_free(model);
}

static void names_of_imports_become_utf_8(void **state)
{
	struct ev_iteration end = end_with(0, 0);
	struct ev_import ev = { .head = { EV_IMPORT, sizeof(ev), 0, 1, 0 },
				.iteration = 1,
				.start_ns = 5,
				.within = IN_ESTIMATED,
				.module_kind = 1 };
	struct model *model = started();
	const struct iteration *it;
	uint32_t wide[] = { 's', '.', 0x1f40d, 0 };

	(void)state;
	memset(ev.module, 0xf6, sizeof(ev.module)); /* 128 times o with two dots, two bytes each */
	ev.module_bytes = sizeof(ev.module);
	add(model, &ev);
	memcpy(ev.module, wide, sizeof(wide));
	ev.module_bytes = sizeof(wide);
	ev.module_kind = 4;
	add(model, &ev);
	for (unsigned i = 0; i < 100; i++) { /* more than are kept: the last one kept must not stand for them */
		ev.start_ns++;
		add(model, &ev);
	}
	add(model, &end);
	it = model_next_iteration(model);
	assert_int_equal(strlen(it->imports[0].ev.module), 126); /* no half of one */
	assert_string_equal(it->imports[0].ev.module + 122, "\xc3\xb6\xc3\xb6");
	assert_string_equal(it->imports[1].ev.module, "s.\xf0\x9f\x90\x8d\xef\xbf\xbd");
	assert_in_range(it->nr_imports, 2, 99);
	assert_string_equal(it->imports[it->nr_imports - 1].ev.module, "");
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_join_their_iteration),
		cmocka_unit_test(imports_that_no_probe_saw_are_estimated),
		cmocka_unit_test(what_probes_saw_is_not_estimated_again),
		cmocka_unit_test(one_under_way_is_known_by_its_samples),
		cmocka_unit_test(names_of_imports_become_utf_8),
	};

	return cmocka_run_group_tests_name("model_within", tests, NULL, NULL);
}
