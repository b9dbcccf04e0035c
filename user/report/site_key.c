/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A finding's identity and its hash (FNV-1a). */
#include "site_key.h"

#include <stddef.h>

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	for (; len; len--, at++)
		hash = (hash ^ *at) * 0x100000001b3ULL;
	return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	while (*text++); /* the end too: "ab", "c" is not "a", "bc" */
	return hash;
}

void site_key_of(const struct finding *finding, struct site_key *out)
{
	uint32_t numbers[3];

	*out = (struct site_key){ .rule = finding->rule,
				  .cause = finding->cause,
				  .is_latent = finding->is_latent,
				  .function = "",
				  .file = "" };
	if (finding->stack && finding->site >= 0) {
		const struct frame *frame = &finding->stack->frames[finding->site];

		out->function = frame->function;
		out->file = frame->file;
		out->line = frame->line;
	}
	numbers[0] = out->rule | (uint32_t)out->is_latent << 31;
	numbers[1] = out->cause;
	numbers[2] = (uint32_t)out->line;
	out->hash = hash_bytes(0xcbf29ce484222325ULL, numbers, sizeof(numbers));
	out->hash = hash_text(hash_text(out->hash, out->function), out->file);
}
