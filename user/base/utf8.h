/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Characters as Python's str stores them (PEP 393) in, UTF-8 out. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The n-th of characters of kind bytes each (1, 2, 4); U+FFFD for a surrogate or what is none. */
uint32_t utf8_character(const uint8_t *data, size_t n, unsigned kind);
/* Writes a character, 1 to 4 bytes; returns how many. */
size_t utf8_put(uint32_t character, char out[4]);

#endif
