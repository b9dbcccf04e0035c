/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reads the names and the line table of a code object. */
#ifndef PYCODE_H
#define PYCODE_H

#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "procmem.h"

/* What one request may read of a process: names four bytes a character wide, the table, headers. */
#define PYCODE_BUDGET_BYTES (256ULL << 10)

/*
 * Fills in all of the record but head.ts_ns and head.target_id; code has room for EV_RECORD_MAX
 * bytes and head.size tells how many are used.  It never fails, status says what is.
 */
void pycode_read(struct mem *mem, const struct py_layout *layout, uint64_t code_addr,
		 uint32_t fingerprint, struct ev_code *code);
/* The answer without names, for a request that cannot be served. */
void pycode_fail(struct ev_code *code, const struct py_layout *layout, uint64_t code_addr,
		 uint32_t fingerprint, enum code_status status);

#endif
