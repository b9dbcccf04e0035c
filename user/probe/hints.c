/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Hints (maps.bpf.h) of processes that are gone are cleared in two steps, while the kernel half
 * goes on setting them. First all that are set become doubted.  Later, whoever is in targets by
 * then has its own set again, and what is still doubted is cleared.  Who is added sets the hint
 * anew and then enters targets at once, in one run of a program: it did both before the second step
 * looks, or it sets the hint after the first.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "entries.h"
#include "entry.h"
#include "probes.h"
#include "util.h"

#define BATCH 256

static bool change(uint8_t *hint, uint8_t from, uint8_t to)
{
	return __atomic_compare_exchange_n(hint, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void probes_doubt_hints(struct probes *probes)
{
	struct entries entries = probes_entries(probes);

	for (uint32_t i = 0; i < entries.nr_hints; i++)
		if (entries.hints[i] == HINT_SET)
			change(&entries.hints[i], HINT_SET, HINT_DOUBTED);
}

/* Of all that are in targets. 0 or a negative errno. */
static int set_hints(const struct entries *entries)
{
	cleanup_free struct target_entry *values = calloc(BATCH, sizeof(*values));
	uint32_t keys[BATCH], at, *from = NULL, nr;
	int err = values ? 0 : -ENOMEM;

	while (!err) {
		nr = BATCH;
		err = bpf_map_lookup_batch(entries->targets_fd, from, &at, keys, values, &nr, NULL);
		from = &at;
		for (uint32_t i = 0; (!err || err == -ENOENT) && i < nr; i++)
			entries->hints[keys[i] % entries->nr_hints] = HINT_SET;
	}
	return err == -ENOENT ? 0 : err; /* the end of the table */
}

void probes_clear_hints(struct probes *probes)
{
	struct entries entries = probes_entries(probes);

	if (set_hints(&entries))
		return;
	for (uint32_t i = 0; i < entries.nr_hints; i++)
		if (entries.hints[i] == HINT_DOUBTED)
			change(&entries.hints[i], HINT_DOUBTED, HINT_NONE);
}
