/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Finds the CPython runtime of a process among the files that it has mapped. */
#include "runtime.h"

#include <errno.h>
#include <string.h>

#include "asynciodebug.h"
#include "elfimage.h"
#include "mapfile.h"
#include "maps.h"
#include "pyversion.h"
#include "usdt.h"
#include "util.h"

#define MAX_TRIED	  16 /* files opened at most for one process */
#define FILE_BUDGET_BYTES (160ULL << 20)
#define DEBUG_COOKIE	  "xdebugpy" /* first bytes of _PyRuntime since 3.13 */

enum { SYMBOL_RUNTIME, SYMBOL_VERSION, SYMBOL_GETTER, NR_SYMBOLS };

#define SYMBOLS                                                                                \
	{                                                                                      \
		{ .name = "_PyRuntime" }, { .name = "Py_Version" },                            \
		{                                                                              \
			.name = "PyGILState_GetThisThreadState"                                \
		}                                                                              \
	}


/* A file that may hold the runtime, opened or as its image in memory. */
struct holder {
	const struct maps_line *line;
	struct elf elf;
	uint64_t bias;
	struct elf_symbol symbols[NR_SYMBOLS];
	bool is_image;
};

static void holder_close(struct holder *holder)
{
	elffile_close(&holder->elf);
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_exe(const struct runtime_search *search, const struct maps_line *line)
{
	size_t bytes = strlen(line->path);

	return strncmp(search->exe, line->path, bytes) == 0 &&
	       (search->exe[bytes] == '\0' || strcmp(search->exe + bytes, " (deleted)") == 0);
}

/* What is tried first, second and third. */
static bool is_candidate(const struct runtime_search *search, const struct maps_line *line,
			 int rank)
{
	const char *name = maps_basename(line);

	if (rank == 0)
		return line->is_executable &&
		       (starts_with(name, "python") || starts_with(name, "libpython"));
	if (rank == 1)
		return is_exe(search, line);
	return strstr(name, "libpython") != NULL;
}

/* Without sections and symbols the section's place still is the runtime's. */
static void find_in_sections(struct holder *holder)
{
	struct elf_symbol *symbol = &holder->symbols[SYMBOL_RUNTIME];
	const Elf64_Shdr *section = elffile_section(&holder->elf, ".PyRuntime");

	if (symbol->is_found || !section || !section->sh_addr)
		return;
	symbol->value = section->sh_addr;
	symbol->is_found = true;
}

static int version_in_data(struct holder *holder, struct mem *file, struct mem *mem, unsigned minor,
			   uint32_t *version)
{
	const Elf64_Shdr *section = elffile_section(&holder->elf, ".rodata");
	int err = -ENOENT;

	if (section && section->sh_type != SHT_NOBITS)
		return pyversion_scan(file, section->sh_offset, section->sh_size, minor, version);
	for (unsigned i = 0; i < holder->elf.nr_segments && err == -ENOENT; i++) {
		const Elf64_Phdr *segment = &holder->elf.segments[i];

		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			err = pyversion_scan(mem, holder->bias + segment->p_vaddr,
					     segment->p_filesz, minor, version);
	}
	return err;
}

/* 3.13: a cookie and the version begin _PyRuntime; 3.11: a symbol; before: names and literals. */
static int read_version(struct holder *holder, struct mem *file, struct mem *mem,
			struct runtime *runtime)
{
	struct {
		char cookie[8];
		uint64_t version, is_free_threaded;
	} head;
	const struct elf_symbol *symbol = &holder->symbols[SYMBOL_VERSION];
	uint32_t from_name = pyversion_of_name(maps_basename(holder->line));
	int err = procmem_read(mem, runtime->addr, &head, sizeof(head));

	if (err)
		return err;
	if (memcmp(head.cookie, DEBUG_COOKIE, sizeof(head.cookie)) == 0) {
		runtime->version = (uint32_t)head.version;
		runtime->is_free_threaded = head.is_free_threaded != 0;
	} else if (symbol->is_found) {
		err = procmem_read_u32(mem, holder->bias + symbol->value, &runtime->version);
	} else {
		runtime->version = from_name;
		err = version_in_data(holder, file, mem, from_name >> 16 & 0xff, &runtime->version);
		/* Micro releases share their layout: the minor will do. */
		if (from_name && err == -ENOENT)
			err = 0;
	}
	if (err == -ENOENT)
		return -EBADMSG;
	return !err && runtime->version >> 24 != 3 ? -EBADMSG : err;
}

/*
 * The dynamic loader maps a whole file first and its writable parts over that: until then the
 * address shows something else.
 */
static bool is_mapped_writable(const struct runtime_search *search, uint64_t addr)
{
	struct maps_line line;
	struct maps maps;

	maps_parse(&maps, search->maps, search->maps_bytes);
	while (maps_next(&maps, &line)) {
		if (addr >= line.start && addr < line.end)
			return line.is_writable;
	}
	return false;
}

static int try_holder(struct holder *holder, struct mem *file, const struct runtime_search *search,
		      struct runtime *runtime)
{
	if (!holder->symbols[SYMBOL_RUNTIME].is_found)
		return -ENOENT;
	runtime->addr = holder->bias + holder->symbols[SYMBOL_RUNTIME].value;
	if (!is_mapped_writable(search, runtime->addr))
		return -EAGAIN;
	runtime->is_static = is_exe(search, holder->line);
	runtime->has_usdt = !holder->is_image && elffile_has_usdt(&holder->elf, "python");
	if (holder->symbols[SYMBOL_GETTER].is_found)
		runtime->getter_addr = holder->bias + holder->symbols[SYMBOL_GETTER].value;
	runtime->asyncio_addr = asynciodebug_in(&holder->elf, holder->bias);
	runtime->map_start = holder->line->start;
	runtime->map_end = holder->line->end;
	if (search->probes && runtime->has_usdt)
		usdt_find(&holder->elf, search->probes);
	return read_version(holder, file, search->mem, runtime);
}

static int try_file(const struct runtime_search *search, const struct maps_line *line, int fd,
		    uint64_t bytes, struct runtime *runtime)
{
	cleanup(holder_close) struct holder holder = {
		.line = line,
		.symbols = SYMBOLS,
	};
	struct mem file;
	int err;

	procmem_of_file(&file, fd, FILE_BUDGET_BYTES);
	err = elffile_open(&holder.elf, &file, bytes);
	if (!err)
		err = elffile_find_symbols(&holder.elf, holder.symbols, NR_SYMBOLS);
	if (!err)
		find_in_sections(&holder);
	if (!err && holder.symbols[SYMBOL_RUNTIME].is_found)
		err = elffile_bias(&holder.elf, line->start, line->offset, &holder.bias);
	if (!err)
		err = try_holder(&holder, &file, search, runtime);
	if (!err && !runtime->asyncio_addr)
		runtime->asyncio_addr =
			asynciodebug_find(search->proc_fd, search->maps, search->maps_bytes);
	return err;
}

/* The mapping of the same file that begins with its ELF header. */
static bool find_header(const struct runtime_search *search, const struct maps_line *of,
			struct maps_line *header)
{
	struct maps maps;

	maps_parse(&maps, search->maps, search->maps_bytes);
	while (maps_next(&maps, header)) {
		if (header->inode == of->inode && header->dev_major == of->dev_major &&
		    header->dev_minor == of->dev_minor && header->offset == 0)
			return true;
	}
	return false;
}

static int try_image(const struct runtime_search *search, const struct maps_line *line,
		     struct runtime *runtime)
{
	cleanup(holder_close) struct holder holder = {
		.line = line,
		.is_image = true,
		.symbols = SYMBOLS,
	};
	struct maps_line header;
	int err;

	if (!find_header(search, line, &header))
		return -ENOENT;
	err = elfimage_open(&holder.elf, search->mem, header.start);
	if (!err)
		err = elffile_bias(&holder.elf, header.start, 0, &holder.bias);
	if (!err)
		err = elfimage_find_symbols(&holder.elf, holder.bias, holder.symbols, NR_SYMBOLS);
	return err ? err : try_holder(&holder, NULL, search, runtime);
}

static int try_mapping(const struct runtime_search *search, const struct maps_line *line,
		       struct runtime *runtime)
{
	uint64_t bytes;
	cleanup_close int fd = mapfile_open(search->proc_fd, line, &bytes);

	return fd >= 0 ? try_file(search, line, fd, bytes, runtime)
		       : try_image(search, line, runtime);
}

struct tried {
	struct {
		uint64_t inode;
		uint32_t dev_major, dev_minor;
	} files[MAX_TRIED];
	unsigned nr;
};

/* False: this file was tried before, or too many were. */
static bool mark_tried(struct tried *tried, const struct maps_line *line)
{
	for (unsigned i = 0; i < tried->nr; i++) {
		if (tried->files[i].inode == line->inode &&
		    tried->files[i].dev_major == line->dev_major &&
		    tried->files[i].dev_minor == line->dev_minor)
			return false;
	}
	if (tried->nr == MAX_TRIED)
		return false;
	tried->files[tried->nr].inode = line->inode;
	tried->files[tried->nr].dev_major = line->dev_major;
	tried->files[tried->nr].dev_minor = line->dev_minor;
	tried->nr++;
	return true;
}

/* Facts that need no file opened: the C library, an old version, how far the loader has come. */
static void survey(const struct runtime_search *search, struct runtime *runtime)
{
	const char *slash = strrchr(search->exe, '/');
	bool has_loader = false, has_others = false, has_library = false;
	struct maps_line line;
	struct maps maps;

	maps_parse(&maps, search->maps, search->maps_bytes);
	while (maps_next(&maps, &line)) {
		const char *name = maps_basename(&line);

		if (line.path[0] != '/' || !line.inode)
			continue;
		/* Alpine's file has the name of the loader, Debian's the library's; glibc maps no libc.so. */
		if (starts_with(name, "ld-musl-") || !strcmp(name, "libc.so"))
			runtime->is_musl = true;
		if (starts_with(name, "libpython"))
			has_library = true;
		if (starts_with(name, "ld-"))
			has_loader = true;
		else if (!is_exe(search, &line))
			has_others = true;
		if (line.is_executable && !runtime->version &&
		    (starts_with(name, "python") || starts_with(name, "libpython")))
			runtime->version = pyversion_of_name(name);
	}
	runtime->is_loading = (has_loader && !has_others) ||
			      (slash && starts_with(slash + 1, "python") && !has_library);
}

int runtime_find(const struct runtime_search *search, struct runtime *runtime)
{
	struct runtime seen = { 0 };
	struct tried tried = { 0 };
	int first_err = -ENOENT;

	survey(search, &seen);
	for (int rank = 0; rank < 3; rank++) {
		struct maps_line line;
		struct maps maps;

		maps_parse(&maps, search->maps, search->maps_bytes);
		while (maps_next(&maps, &line)) {
			struct runtime found = { .is_musl = seen.is_musl };
			int err;

			if (line.path[0] != '/' || !line.inode ||
			    !is_candidate(search, &line, rank) || !mark_tried(&tried, &line))
				continue;
			err = try_mapping(search, &line, &found);
			if (!err) {
				*runtime = found;
				return 0;
			}
			if (first_err == -ENOENT)
				first_err = err;
		}
	}
	*runtime = seen;
	return first_err;
}
