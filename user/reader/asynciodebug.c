/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where _asyncio is: in a file of its own, or built into the one that has the runtime (Debian's 3.15). */
#include "asynciodebug.h"

#include <string.h>

#include "mapfile.h"
#include "maps.h"
#include "util.h"

#define SECTION		  ".AsyncioDebug" /* Include/internal/pycore_debug_offsets.h, GENERATE_DEBUG_SECTION */
#define FILE_BUDGET_BYTES (16ULL << 20)
#define MODULE		  "_asyncio." /* _asyncio.cpython-314-x86_64-linux-gnu.so, _asyncio.abi3.so */

static void close_elf(struct elf *elf)
{
	elffile_close(elf);
}

uint64_t asynciodebug_in(const struct elf *elf, uint64_t bias)
{
	const Elf64_Shdr *section = elffile_section(elf, SECTION);

	return section && section->sh_addr ? bias + section->sh_addr : 0;
}

static uint64_t find_in_file(int proc_fd, const struct maps_line *line)
{
	uint64_t bytes, bias;
	cleanup_close int fd = mapfile_open(proc_fd, line, &bytes);
	cleanup(close_elf) struct elf elf = { 0 };
	struct mem file;

	if (fd < 0)
		return 0;
	procmem_of_file(&file, fd, FILE_BUDGET_BYTES);
	if (elffile_open(&elf, &file, bytes) || elffile_bias(&elf, line->start, line->offset, &bias))
		return 0;
	return asynciodebug_in(&elf, bias);
}

uint64_t asynciodebug_find(int proc_fd, const char *text, size_t bytes)
{
	struct maps_line line;
	struct maps maps;

	maps_parse(&maps, text, bytes);
	while (maps_next(&maps, &line))
		if (line.path[0] == '/' && line.inode && line.is_executable &&
		    !strncmp(maps_basename(&line), MODULE, sizeof(MODULE) - 1))
			return find_in_file(proc_fd, &line);
	return 0;
}
