/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What /proc says of a process has names in it that the process chose.  The first byte chooses the
 * parser; the rest is the file, in a buffer of exactly its length.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "elffile.h"
#include "events.h"
#include "maps.h"
#include "place.h"
#include "procinfo.h"
#include "usdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_maps(const char *text, size_t bytes)
{
	struct maps_line line;
	struct maps maps;
	size_t nr = 0;

	maps_parse(&maps, text, bytes);
	while (maps_next(&maps, &line)) {
		assert(strlen(line.path) < sizeof(line.path));
		assert(maps_basename(&line) >= line.path);
		assert(++nr <= bytes);
	}
}

static void read_cgroup(const char *text, size_t bytes)
{
	struct place place;

	memset(&place, 0xa5, sizeof(place));
	place_parse(text, bytes, &place);
	assert(memchr(place.container, 0, sizeof(place.container)));
	assert(memchr(place.pod, 0, sizeof(place.pod)));
	assert(memchr(place.unit, 0, sizeof(place.unit)));
	assert(place.kind < CONTAINER_KIND_MAX);
}

static void read_argument(const char *text, size_t bytes)
{
	char *copy = strndup(text, bytes);
	uint64_t argument;

	if (copy)
		usdt_parse_argument(copy, &argument);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procinfo_stat stat;
	uint32_t number;
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0'; /* as procinfo_read() leaves it */
	switch (data[0] % 5) {
	case 0: read_maps(text, size - 1); break;
	case 1: read_cgroup(text, size - 1); break;
	case 2:
		procinfo_parse_nspid(text, size - 1);
		procinfo_parse_number(text, size - 1, "\nUid:", 1, &number);
		break;
	case 3:
		if (!procinfo_parse_stat(text, size - 1, &stat))
			assert(strnlen(stat.comm, sizeof(stat.comm)) <= sizeof(stat.comm));
		break;
	case 4: read_argument(text, size - 1); break;
	}
	free(text);
	return 0;
}
