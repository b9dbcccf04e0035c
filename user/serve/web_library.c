/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "web_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "util.h"

#define SONAME_MHD    "libmicrohttpd.so.12"
#define SONAME_GNUTLS "libgnutls.so.30"

/*
 * What dpkg-shlibdeps and ldd do not see: the package and the container file name these by hand.
 * For tools that look there, a note in the form of
 * https://uapi-group.org/specifications/specs/elf_dlopen_metadata.
 */
#define DLOPEN_NOTE                                                  \
	"[{\"feature\":\"web\",\"description\":\"HTTP of loophound " \
	"serve\",\"priority\":\"required\","                         \
	"\"soname\":[\"" SONAME_MHD "\",\"" SONAME_GNUTLS "\"]}]"

static const struct {
	uint32_t name_bytes, text_bytes, type;
	char name[4];
	char text[(sizeof(DLOPEN_NOTE) + 3) / 4 * 4];
} note __attribute__((used, aligned(4), section(".note.dlopen"))) = { 4, sizeof(DLOPEN_NOTE),
								      0x407c0c0a, "FDO",
								      DLOPEN_NOTE };

#define X(name) __typeof__(name) *sym_##name;
WEB_LIBRARY_MHD(X)
WEB_LIBRARY_GNUTLS(X)
#undef X

struct symbol {
	const char *name;
	void **to;
};

#define X(name) { #name, (void **)&sym_##name },
static const struct symbol mhd[] = { WEB_LIBRARY_MHD(X) };
static const struct symbol gnutls[] = { WEB_LIBRARY_GNUTLS(X) };
#undef X

/* It stays loaded: what it registers is for the end of the process. */
static int load(const char *soname, const char *package, const struct symbol *symbols, size_t nr,
		char *why, size_t why_bytes)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_NODELETE);

	for (size_t i = 0; library && i < nr; i++)
		if (!(*symbols[i].to = dlsym(library, symbols[i].name)))
			library = NULL;
	if (library)
		return 0;
	snprintf(why, why_bytes, "%s: HTTP needs it; it is in the package %s (%s)", soname, package,
		 dlerror());
	return -ELIBACC;
}

int web_library_load(char *why, size_t why_bytes)
{
	int err = load(SONAME_GNUTLS, "libgnutls30", gnutls, ARRAY_SIZE(gnutls), why, why_bytes);

	return err ? err
		   : load(SONAME_MHD, "libmicrohttpd12", mhd, ARRAY_SIZE(mhd), why, why_bytes);
}
