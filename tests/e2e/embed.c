/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CPython from a shared library, as programs that embed it have it: linked to it (the library is there when
 * the program begins), or, with LATE defined as its name, opened by the running program.
 */
#include <dlfcn.h>
#include <stdio.h>

#ifndef LATE
int Py_BytesMain(int argc, char **argv);
#endif

int main(int argc, char **argv)
{
#ifdef LATE
	int (*Py_BytesMain)(int, char **);
	void *library = dlopen(LATE, RTLD_NOW | RTLD_GLOBAL);

	*(void **)&Py_BytesMain = library ? dlsym(library, "Py_BytesMain") : NULL;
	if (!Py_BytesMain) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
#endif
	return Py_BytesMain(argc, argv);
}
