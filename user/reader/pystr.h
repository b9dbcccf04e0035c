/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reads a Python str out of a process as UTF-8. */
#ifndef PYSTR_H
#define PYSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "procmem.h"

/*
 * Writes at most room bytes, valid UTF-8 without a NUL at the end, and says how many and whether
 * the str is longer (it is cut between two characters).  Surrogates, and what is no character,
 * become U+FFFD. Returns -EFAULT and its like for unreadable memory, -EBADMSG for what is no str.
 */
int pystr_read(struct mem *mem, const struct py_layout *layout, uint64_t str_addr, char *utf8,
	       size_t room, size_t *bytes, bool *is_cut);

/* Whether it is a str, and this one, of 31 bytes at most. */
bool pystr_is(struct mem *mem, const struct py_layout *layout, uint64_t str_addr, const char *text);

/* Its state word, out of the header's bytes: bits 0-1 interned, 2-4 kind, 5 compact, 6 ascii. */
uint32_t pystr_state(const struct py_layout *layout, const uint8_t *str);

#endif
