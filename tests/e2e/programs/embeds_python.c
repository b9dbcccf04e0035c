/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A program with Python in it, as application servers have it: loaded when it has started, by name. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *library = dlopen(EMBEDDED_PYTHON, RTLD_NOW | RTLD_GLOBAL);
	int (*run)(int, char **) = library ? (int (*)(int, char **))dlsym(library, "Py_BytesMain") : NULL;

	if (!run) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	return run(argc, argv);
}
